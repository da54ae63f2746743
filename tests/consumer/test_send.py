"""The sample producer's command line."""

import json

import pytest

from consumer import send
from consumer.send import _parser, main, message, predicate, read_options, selection
from quality.errors import InvalidInput
from quality.messages import read_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time_hour>=2013-12-31", {"column": "time_hour", "op": ">=", "value": "2013-12-31"}),
        ("month = 6", {"column": "month", "op": "=", "value": 6}),
        ("name != a=b", {"column": "name", "op": "!=", "value": "a=b"}),
        ("share<0.5", {"column": "share", "op": "<", "value": 0.5}),
        ('code="007"', {"column": "code", "op": "=", "value": "007"}),
        ("x=NaN", {"column": "x", "op": "=", "value": "NaN"}),
        ("origin in JFK,LGA", {"column": "origin", "op": "in", "value": ["JFK", "LGA"]}),
        ("month between 1,3", {"column": "month", "op": "between", "value": [1, 3]}),
        ("tailnum is_null", {"column": "tailnum", "op": "is_null"}),
    ],
)
def test_a_scope_is_read(text: str, expected: dict[str, object]) -> None:
    assert predicate(text) == expected


def test_a_selection_is_read() -> None:
    assert selection(["rules=a,b", "rules=c", "kind=business"]) == {
        "rules": ["a", "b", "c"],
        "kind": "business",
    }


@pytest.mark.parametrize("mode", [None, "structured", "binary"])
def test_what_is_sent_reads_back_as_the_same_request(mode: str | None) -> None:
    request = read_options(
        _parser().parse_args(
            ["shop.orders", "--scope", "id>=2", "--select", "tags=x", "--id", "request-1"]
        )
    )
    value, headers = message(request, mode)
    raw = [(name, text.encode() if isinstance(text, str) else text) for name, text in headers]
    assert read_request(value, raw) == request


def test_a_new_id_is_made_where_none_is_given() -> None:
    ids = {read_options(_parser().parse_args(["shop.orders"])).id for _ in range(2)}
    assert len(ids) == 2


def test_the_table_is_not_sent_without_defaults_that_were_left_out() -> None:
    value, _ = message(read_options(_parser().parse_args(["shop.orders"])), None)
    assert json.loads(value).keys() == {"id", "connection", "table"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.b.c"], "table"),
        (["shop.orders", "--id", "short"], "id"),
        (["shop.orders", "--scope", "nonsense"], "month>=6"),
        (["shop.orders", "--scope", "id between 1"], "scope"),
        (["shop.orders", "--select", "colour=red"], "--select"),
        (["shop.orders", "--select", "kind=odd"], "kind"),
        (["shop.orders", "--deadline-ms", "0"], "deadline_ms"),
        (["shop.orders"], "STRINGX_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_wrong_usage_is_one_line_that_names_what_is_wrong(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STRINGX_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    assert main(arguments) == send.EXIT_USAGE
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_selection_must_be_of_something_known() -> None:
    with pytest.raises(InvalidInput, match="colour"):
        selection(["colour=red"])
