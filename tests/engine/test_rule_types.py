"""The oldest rule types on clean, dirty, NULL and no rows; all types are tried beside dbt."""

from __future__ import annotations

from typing import Any

import pytest

from quality.engine.planned import PlannedEngine
from tests.engine.conftest import Target, rule_set, said

TABLE = (
    "id integer, name text, low integer, high numeric, seen timestamptz, kind text, other integer"
)
CLEAN = (
    "(1, 'ab', 1, 1.5, now(), 'x', 1), (2, 'cd', 2, 3, now() - interval '2 hours', 'y', 1),"
    "(3, 'ef', 3, 4, now(), 'x', 2)"
)
DIRTY = (
    "(1, '  ', 1, 1, now() - interval '9 days', 'x', 1), (1, '', 50, 2, null, 'z', 1),"
    "(2, 'abcde', null, 3, null, 'z', 7), (2, 'cd', -5, null, null, 'w', 7),"
    "(null, null, 9, 9, null, null, null)"
)
NULLS = "(null, null, null, null, null, null, null), (null, null, null, null, null, null, null)"

# type, column, arguments; then (status, failures, tested) on clean, dirty, NULL and no rows.
CASES: list[tuple[str, str | None, dict[str, Any], tuple[Any, Any, Any, Any]]] = [
    (
        "not_null", "id", {},
        (("pass", 0, 3), ("fail", 1, 5), ("fail", 2, 2), ("pass", 0, 0)),
    ),
    (
        "not_null_proportion", "low", {"at_least": 0.9},
        (("pass", 0, 3), ("fail", 1, 5), ("fail", 1, 2), ("pass", 0, 0)),
    ),
    (
        "not_null_proportion", "low", {"at_least": 0.8},
        (("pass", 0, 3), ("pass", 0, 5), ("fail", 1, 2), ("pass", 0, 0)),
    ),
    (
        "not_null_proportion", "low", {"at_least": 0, "at_most": 0.5},
        (("fail", 1, 3), ("fail", 1, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "not_empty_string", "name", {},
        (("pass", 0, 3), ("fail", 2, 4), ("pass", 0, 0), ("pass", 0, 0)),
    ),
    (
        "not_empty_string", "name", {"trim_whitespace": False},
        (("pass", 0, 3), ("fail", 1, 4), ("pass", 0, 0), ("pass", 0, 0)),
    ),
    (
        "row_count_between", None, {"min_value": 1, "max_value": 4},
        (("pass", 0, 3), ("fail", 1, 5), ("pass", 0, 2), ("fail", 1, 0)),
    ),
    (
        "unique", "id", {},
        (("pass", 0, 3), ("fail", 2, 4), ("pass", 0, 0), ("pass", 0, 0)),
    ),
    (
        "unique_combination_of_columns", None, {"columns": ["id", "other"]},
        (("pass", 0, 3), ("fail", 2, 5), ("fail", 1, 2), ("pass", 0, 0)),
    ),
    (
        "accepted_values", "kind", {"values": ["x", "y"]},
        (("pass", 0, 3), ("fail", 2, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "accepted_values", "id", {"values": [1, 3, 2.0]},
        (("pass", 0, 3), ("pass", 0, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "not_accepted_values", "kind", {"values": ["z", "w", "q"]},
        (("pass", 0, 3), ("fail", 2, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "accepted_range", "low", {"min_value": -4, "max_value": 9},
        (("pass", 0, 3), ("fail", 2, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "accepted_range", "low", {"max_value": 9, "inclusive": False},
        (("pass", 0, 3), ("fail", 2, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "accepted_range", "high", {"min_value": 1e-07},
        (("pass", 0, 3), ("pass", 0, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "string_length_between", "name", {"min_value": 1, "max_value": 2},
        (("pass", 0, 3), ("fail", 2, 4), ("pass", 0, 0), ("pass", 0, 0)),
    ),
    (
        "match_regex", "name", {"regex": r"^[a-f]{2}$"},
        (("pass", 0, 3), ("fail", 3, 4), ("pass", 0, 0), ("pass", 0, 0)),
    ),
    (
        "relationships", "other", {"to": "engine.parents", "field": "key"},
        (("pass", 0, 3), ("fail", 2, 4), ("pass", 0, 0), ("pass", 0, 0)),
    ),
    (
        "column_greater_than", "high", {"other_column": "low"},
        (("pass", 0, 3), ("fail", 3, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "column_greater_than", "high", {"other_column": "low", "or_equal": True},
        (("pass", 0, 3), ("fail", 1, 5), ("pass", 0, 2), ("pass", 0, 0)),
    ),
    (
        "recency", "seen", {"datepart": "day", "interval": 1},
        (("pass", 0, 3), ("fail", 1, 5), ("fail", 1, 2), ("fail", 1, 0)),
    ),
    (
        "recency", "seen", {"datepart": "month", "interval": 2},
        (("pass", 0, 3), ("pass", 0, 5), ("fail", 1, 2), ("fail", 1, 0)),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "rows"),
    [(0, CLEAN), (1, DIRTY), (2, NULLS), (3, "")],
    ids=["clean", "dirty", "null", "no"],
)
def test_each_rule_type_counts_what_its_summary_says(
    engine: PlannedEngine, target: Target, place: int, rows: str
) -> None:
    table = f"engine.rows_{place}"
    target.execute(
        f"create table {table} ({TABLE})",
        "create table if not exists engine.parents (key integer)",
        "truncate engine.parents",
        "insert into engine.parents values (1), (2), (null)",
        *([f"insert into {table} values {rows}"] if rows else []),
    )
    rules = rule_set(
        table,
        *(
            {"type": kind, "arguments": arguments} | ({"column": column} if column else {})
            for kind, column, arguments, _ in CASES
        ),
    )
    engine.compile(rules)
    found = said(engine.run(rules))
    for case, result in zip(CASES, found, strict=True):
        assert result == case[3][place], case[:3]


def test_text_numbers_and_booleans_keep_their_types(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        "create table engine.typed (flag boolean, word text, day date, n double precision)",
        "insert into engine.typed values "
        "(true, '1', '2026-01-31', 0.1), (false, 'true', null, 1e22)",
    )
    rules = rule_set(
        "engine.typed",
        {"type": "accepted_values", "column": "flag", "arguments": {"values": [True, False]}},
        {"type": "accepted_values", "column": "word", "arguments": {"values": ["1", "true"]}},
        {"type": "accepted_values", "column": "n", "arguments": {"values": [0.1, 1e22]}},
        {"type": "accepted_range", "column": "day", "arguments": {"max_value": "2026-02-01"}},
        {"type": "accepted_values", "column": "word", "arguments": {"values": [1]}},
    )
    outcome = engine.run(rules)
    assert said(outcome)[:4] == [("pass", 0, 2)] * 4
    assert outcome.results[4].status == "error"  # text = integer: PostgreSQL has no such operator
    assert "operator does not exist" in str(outcome.results[4].message)
