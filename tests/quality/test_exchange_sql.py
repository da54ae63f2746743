"""Conditions of SQL as predicates, and predicates as SQL."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from quality.errors import InvalidInput
from quality.exchange import sql_predicates
from quality.predicates import Predicate, Predicates


def read(sql: str) -> list[dict[str, Any]]:
    found = sql_predicates.read(sql)
    return [Predicate.model_validate(item).document() for item in found]


def written(found: list[dict[str, Any]]) -> str:
    return sql_predicates.written(TypeAdapter(Predicates).validate_python(tuple(found)))


@pytest.mark.parametrize(
    ("sql", "predicates"),
    [
        ("a = 1", [{"column": "a", "op": "=", "value": 1}]),
        ("a = E'x\\\\y'", [{"column": "a", "op": "=", "value": "x\\y"}]),
        ("A<>-1.5", [{"column": "a", "op": "!=", "value": -1.5}]),
        ("\"A\" >= 'x''y'", [{"column": "A", "op": ">=", "value": "x'y"}]),
        ("(a = true) AND (b is not null)", None),
        ("a in (1, 2)", [{"column": "a", "op": "in", "value": [1, 2]}]),
        ("a between 1 and 2 and b is null", None),
        ("d >= current_date - 7", [{"column": "d", "op": ">=", "value": "today-7d"}]),
        ("d >= current_date -7", [{"column": "d", "op": ">=", "value": "today-7d"}]),
        ("d = current_date", [{"column": "d", "op": "=", "value": "today"}]),
        ("d > now() - interval '2 hours'", [{"column": "d", "op": ">", "value": "now-2h"}]),
        ("d > current_timestamp", [{"column": "d", "op": ">", "value": "now"}]),
        ("d > 'now'", [{"column": "d", "op": ">", "value": {"literal": "now"}}]),
    ],
)
def test_conditions_that_are_predicates(sql: str, predicates: list[Any] | None) -> None:
    found = read(sql)
    if predicates is None:
        assert len(found) == 2
    else:
        assert found == predicates
    assert written(read(written(found))) == written(found)


@pytest.mark.parametrize(
    "sql",
    [
        *("", "a", "a = 1 or b = 2", "not a = 1", "lower(a) = 'x'", "a = b", "a like 'x%'"),
        *("a = 1)", "(a = 1", "a = 1; drop table x", "a = 'x' -- c", "t.a = 1", "a = 1 + 1"),
        *("a = e'\\n'", "a in (select 1)", "d > now() - interval '1 month'", "a = 1e5", "1 = 1"),
        *("d > current_date - interval '1 hour'", "a = 'x'::text", "a = null", "a @> '{}'"),
    ],
)
def test_other_conditions_are_refused(sql: str) -> None:
    with pytest.raises(InvalidInput):
        sql_predicates.read(sql)


def test_hostile_text_stays_text() -> None:
    predicate = Predicate(column='a"; drop table x; --', op="=", value="'); drop table x; --\\")
    sql = sql_predicates.written((predicate,))
    assert sql == "\"a\"\"; drop table x; --\" = E'''); drop table x; --\\\\'"
