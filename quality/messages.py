"""Check requests as Kafka messages: bare JSON, or CloudEvents 1.0 (structured and binary mode).

Source: CloudEvents 1.0.2 with its Kafka protocol binding
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from quality.checks import CheckRequest
from quality.documents import read_object, strictly
from quality.errors import InvalidInput, invalid_input

MAX_VALUE_BYTES = 256 * 1024
EVENT_TYPE = "stringx.check.requested.v1"
_STRUCTURED = "application/cloudevents+json"
_EVENT_FIELDS = {"specversion", "id", "source", "type"}
_OUR_HEADERS = {"content-type", *(f"ce_{name}" for name in _EVENT_FIELDS)}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")

Headers = Sequence[tuple[str, str | bytes | None]]


def read_request(
    value: bytes | None, headers: Headers | None, *, max_bytes: int = MAX_VALUE_BYTES
) -> CheckRequest:
    """The request in one message.

    Raises InvalidInput, whose `code` says which kind of bad message it is: `value_null`,
    `value_empty`, `message_too_large`, a code of `quality.documents`, `header_invalid`,
    `event_unsupported` or `invalid` (with the faults by field).
    """
    if value is None:
        raise InvalidInput("the message has no value (a tombstone)", code="value_null")
    if not value:
        raise InvalidInput("the message's value is empty", code="value_empty")
    if len(value) > max_bytes:
        raise InvalidInput(
            f"the message has {len(value)} bytes, more than the limit of {max_bytes}",
            code="message_too_large",
        )
    known = _text_headers(headers or ())
    document = read_object(value)
    if "ce_specversion" in known:
        event = {key.removeprefix("ce_"): text for key, text in known.items() if key[:3] == "ce_"}
        document = _request_of_event(event, document)
    elif _is_structured(known) or document.keys() >= _EVENT_FIELDS:
        data = document.pop("data", None)
        if not isinstance(data, dict):
            raise InvalidInput("the CloudEvent's data is no JSON object", code="event_unsupported")
        document = _request_of_event(document, data)
    try:
        return strictly(CheckRequest, document)
    except ValidationError as error:
        raise invalid_input(error, "the check request") from None


def _request_of_event(event: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    missing = sorted(_EVENT_FIELDS - event.keys())
    if missing:
        raise InvalidInput(f"the CloudEvent lacks {missing[0]}", code="event_unsupported")
    if event["specversion"] != "1.0":
        raise InvalidInput(
            "the CloudEvent's specversion is not supported (supported: 1.0)",
            code="event_unsupported",
        )
    if event["type"] != EVENT_TYPE:
        raise InvalidInput(
            f"the CloudEvent's type is not supported (supported: {EVENT_TYPE})",
            code="event_unsupported",
        )
    # The event's id is the request's, where it can be one; another still reaches the same request
    # by the id derived from the message's place.
    if "id" not in data and isinstance(event["id"], str) and _REQUEST_ID.fullmatch(event["id"]):
        data = {**data, "id": event["id"]}
    return data


def _is_structured(headers: dict[str, str]) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    return media_type.lower() == _STRUCTURED


def _text_headers(headers: Headers) -> dict[str, str]:
    """The headers that mean something here; whatever else stands there is the producer's own."""
    known = {}
    for key, raw in headers:
        name = key.lower()
        if name not in _OUR_HEADERS:
            continue
        if raw is None:
            raise InvalidInput(f"the header {name} has no value", code="header_invalid")
        try:
            known[name] = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        except UnicodeDecodeError:
            raise InvalidInput(f"the header {name} is not UTF-8", code="header_invalid") from None
    return known
