"""Predicates: relative times, and texts that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from quality.documents import strictly
from quality.engine.target.session import condition
from quality.predicates import Predicate, resolve

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=2)))


def predicate(value: Any, op: str = ">=") -> Predicate:
    return strictly(Predicate, {"column": "t", "op": op, "value": value})


@pytest.mark.parametrize(
    ("written", "resolved", "sql"),
    [
        ("now", {"timestamp": "2026-03-28T23:30:00+00:00"}, "current_timestamp"),
        (
            "now-1d",
            {"timestamp": "2026-03-27T23:30:00+00:00"},
            "current_timestamp - interval '1440 minutes'",
        ),
        (
            "now+90m",
            {"timestamp": "2026-03-29T01:00:00+00:00"},
            "current_timestamp + interval '90 minutes'",
        ),
        (
            "now-2h",
            {"timestamp": "2026-03-28T21:30:00+00:00"},
            "current_timestamp - interval '120 minutes'",
        ),
        ("today", {"date": "2026-03-29"}, "current_date"),
        ("today-1w", {"date": "2026-03-22"}, "current_date - 7"),
        ("today+3d", {"date": "2026-04-01"}, "current_date + 3"),
        ("today-0d", {"date": "2026-03-29"}, "current_date"),
    ],
)
def test_relative_time_in_sql_and_resolved(
    written: str, resolved: dict[str, str], sql: str
) -> None:
    found = predicate(written)
    assert condition(found).as_string(None) == f'"t" >= {sql}'
    (fixed,) = resolve([found], NOW)
    assert fixed.document()["value"] == resolved
    assert strictly(Predicate, fixed.document()) == fixed
    assert resolve([fixed], NOW + timedelta(days=5)) == (fixed,)
    type_ = "date" if "date" in resolved else "timestamptz"
    text = next(iter(resolved.values()))
    assert condition(fixed).as_string(None) == f"\"t\" >= {type_} '{text}'"


@pytest.mark.parametrize(
    "text", ["nowhere", "Now", "today I", "now-", "todays", "2026-01-01", "now-1y2", "n\u0000w"[0]]
)
def test_other_texts_mean_themselves(text: str) -> None:
    found = predicate(text, "=")
    assert resolve([found], NOW) == (found,)
    assert condition(found).as_string(None) == f"\"t\" = '{text}'"


def test_literal_is_the_text_itself() -> None:
    found = predicate({"literal": "now-1d"}, "=")
    assert resolve([found], NOW) == (found,)
    assert condition(found).as_string(None) == "\"t\" = 'now-1d'"
    assert predicate({"literal": "JFK"}).value == "JFK"


def test_lists_take_relative_times_too() -> None:
    found = predicate(["now-1d", "now"], "between")
    (fixed,) = resolve([found], datetime(2026, 1, 2, tzinfo=UTC))
    assert fixed.value == [
        {"timestamp": "2026-01-01T00:00:00+00:00"},
        {"timestamp": "2026-01-02T00:00:00+00:00"},
    ]


@pytest.mark.parametrize(
    "value",
    [
        *("now - 1d", "now-1days", "NOW-1d", "today-2h", "now-99999999w", "today +1d"),
        *({"literal": 1}, {"sql": "1"}, {}, {"literal": "a", "date": "2026-01-01"}),
        *({"timestamp": "2026-01-01T00:00:00"}, {"timestamp": "x"}, {"date": "2026-02-30"}),
        *({"timestamp": "2026-01-01T00:00:00Z' or '1'='1"}, {"literal": "a\x00"}),
        *({"literal": "x" * 1025}, [["now"]]),
    ],
)
def test_what_is_no_value_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="value"):
        predicate(value, "in" if isinstance(value, list) else ">=")
