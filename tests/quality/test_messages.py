"""Kafka messages: each is a request or a refusal with a code, whatever the bytes (S7, S9)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.errors import InvalidInput
from quality.messages import EVENT_TYPE, read_request

EVENT = {"specversion": "1.0", "id": "event-0001", "source": "/etl", "type": EVENT_TYPE}


def code_of(value: bytes | None, headers: Any = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_request(value, headers)
    return caught.value.code


def test_bare_json_line_is_a_request() -> None:
    request = read_request(b'{"table": "flights.flights"}\n', None)
    assert (request.connection, request.table, request.id) == ("demo", "flights.flights", None)


def test_structured_event_is_a_request() -> None:
    value = json.dumps({**EVENT, "data": {"table": "a.b"}}).encode()
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    for given_headers in (headers, None):
        request = read_request(value, given_headers)
        assert (request.table, request.id) == ("a.b", "event-0001")


def test_binary_event_is_a_request() -> None:
    headers = [(f"ce_{key}", value.encode()) for key, value in EVENT.items()]
    request = read_request(b'{"table": "a.b"}', headers)
    assert (request.table, request.id) == ("a.b", "event-0001")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "value_null"),
        (b"", "value_empty"),
        (b" \n", "body_empty"),
        (b"\x00\x01" * 500, "json_invalid"),
        (b"\xff", "encoding"),
        (b'{"table": ', "json_invalid"),
        (b"[]", "json_not_object"),
        (b"null", "json_not_object"),
        (b"[" * 100_000, "json_too_deep"),
        (b'{"table": "a.b", "table": "c.d"}', "json_duplicate_key"),
        (b'{"table": "a.b", "deadline_ms": NaN}', "json_number"),
        (b'{"table": "a.b", "deadline_ms": 1e999}', "json_number"),
        (b'{"table": "' + b"x" * 300_000 + b'"}', "message_too_large"),
        (b"{}", "invalid"),
        (b'{"table": 7}', "invalid"),
        (b'{"table": "a.b.c"}', "invalid"),
        (b'{"table": "a\\u0000b"}', "invalid"),
        (b'{"table": "\\ud800"}', "invalid"),
        (b'{"table": "a.b", "sql": "drop table x"}', "invalid"),
        (b'{"table": "a.b", "id": "short"}', "invalid"),
        (b'{"table": "a.b", "id": "has blanks in it"}', "invalid"),
        (b'{"table": "a.b", "deadline_ms": "5"}', "invalid"),
        (b'{"table": "a.b", "scope": [{"column": "c", "op": "=", "sql": "1"}]}', "invalid"),
    ],
)
def test_bad_value_is_refused_with_its_code(value: bytes | None, code: str) -> None:
    assert code_of(value) == code


def test_event_of_another_type_or_version_is_refused() -> None:
    for change in ({"type": "other"}, {"specversion": "0.3"}, {"data": "text"}):
        value = json.dumps({**EVENT, "data": {"table": "a.b"}, **change}).encode()
        assert code_of(value) == "event_unsupported"


def test_header_of_ours_that_is_no_text_is_refused_and_a_foreign_one_is_not() -> None:
    assert code_of(b'{"table": "a.b"}', [("ce_specversion", b"\xff")]) == "header_invalid"
    headers = [("foreign", b"\xff"), ("foreign", None)]
    assert read_request(b'{"table": "a.b"}', headers).table == "a.b"


def test_unknown_field_is_named() -> None:
    with pytest.raises(InvalidInput, match="tabel: is not a known field"):
        read_request(b'{"table": "a.b", "tabel": 1}', None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
fields = st.dictionaries(
    st.sampled_from(
        ["id", "connection", "table", "select", "scope", "deadline_ms", "labels", "data"]
    ),
    json_values,
)


@given(
    st.one_of(
        st.binary(),
        json_values.map(json.dumps).map(str.encode),
        fields.map(json.dumps).map(str.encode),
    ),
    st.lists(st.tuples(st.text(), st.none() | st.binary())),
)
def test_every_message_is_a_request_or_a_refusal(value: bytes, headers: Any) -> None:
    try:
        request = read_request(value, headers)
    except InvalidInput as refusal:
        assert refusal.code
        assert "\n" not in str(refusal)
    else:
        assert request.payload_hash


def test_media_types_are_compared_without_case_and_parameters() -> None:
    value = json.dumps({"data": {"table": "a.b"}, "id": "event-0001"}).encode()
    for kind in (b"Application/CloudEvents+JSON", b"application/cloudevents+json;charset=UTF-8"):
        # Taken for an event, it lacks the rest of one; as a bare request it had unknown fields.
        assert code_of(value, [("content-type", kind)]) == "event_unsupported"
    assert code_of(value, [("content-type", b"application/cloudevents+jsonp")]) == "invalid"


@pytest.mark.parametrize("name", ["content-type", "ce_id", "ce_specversion", "CE_Type"])
@pytest.mark.parametrize("raw", [None, b"\xff\xfe"])
def test_a_header_of_ours_without_a_readable_value_is_refused(name: str, raw: bytes) -> None:
    assert code_of(b'{"table": "a.b"}', [(name, raw)]) == "header_invalid"


@pytest.mark.parametrize("name", ["ce_theirs", "x", "ce_", ""])
@pytest.mark.parametrize("raw", [None, b"\xff\xfe"])
def test_a_header_of_the_producers_own_is_not_looked_at(name: str, raw: bytes) -> None:
    assert read_request(b'{"table": "a.b"}', [(name, raw)] * 10_000).table == "a.b"
