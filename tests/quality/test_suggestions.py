"""Suggestions, from profiles alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from quality.profiles import PATTERNS, ColumnProfile, Reference, TableProfile
from quality.suggestions import suggest

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def table(*columns: ColumnProfile, rows: int = 1000, **fields: Any) -> TableProfile:
    return TableProfile("s.t", rows, min(rows, 1000), rows <= 1000, columns, **fields)


def suggested(profile: TableProfile) -> dict[str, tuple[str, dict[str, Any]]]:
    return {one.rule.name: (one.rule.severity, one.rule.arguments) for one in suggest(profile, NOW)}


def text(**fields: Any) -> ColumnProfile:
    return ColumnProfile(**{"name": "c", "type": "text", "kind": "text", "seen": 1000, **fields})


def test_every_suggestion_says_why() -> None:
    profile = table(
        text(distinct=3, values=("a", "b", "c"), lengths=(1, 1)),
        unique_keys=(("a", "b"),),
        references=(Reference("c", "s.other", "id"),),
    )
    found = suggest(profile, NOW)
    assert [one.rule.type for one in found] == [
        "row_count_between",
        "unique_combination_of_columns",
        "relationships",
        "not_null",
        "accepted_values",
    ]
    assert all(one.because for one in found)
    assert found[-1].document()["because"] == (
        "among all 1000 that were looked at there are only these 3 values"
    )


def test_proofs_are_errors_and_what_was_seen_warns() -> None:
    proved = text(is_not_null=True, distinct=1000)
    assert suggested(table(proved, unique_keys=(("c",),)))["unique_c"][0] == "error"
    assert suggested(table(proved))["unique_c"][0] == "warn"
    assert suggested(table(proved))["not_null_c"][0] == "error"
    assert suggested(table(text(distinct=1000)))["not_null_c"][0] == "warn"


def test_statistics_can_refute_what_a_part_of_the_rows_shows() -> None:
    column = text(distinct=1000)
    assert "unique_c" in suggested(table(column, rows=10**6, estimated_distinct={"c": -1.0}))
    for distinct in (-0.5, 50_000.0):
        profile = table(column, rows=10**6, estimated_distinct={"c": distinct})
        assert "unique_c" not in suggested(profile)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(1000, "not_null_c"), (999, "not_null_proportion_c"), (950, "not_null_proportion_c")],
)
def test_nulls(seen: int, expected: str) -> None:
    assert expected in suggested(table(text(seen=seen)))


def test_share_of_values_leaves_room() -> None:
    found = suggested(table(text(seen=960)))["not_null_proportion_c"]
    assert found == ("warn", {"at_least": 0.95, "at_most": 1.0})
    assert "not_null_proportion_c" not in suggested(table(text(seen=900)))


def test_little_to_look_at_says_nothing() -> None:
    profile = table(text(seen=10, distinct=10, lengths=(2, 2)), rows=10)
    assert list(suggested(profile)) == ["row_count_between"]
    assert suggested(TableProfile("s.t", 0, 0, True)) == {}


def test_shape_of_texts() -> None:
    column = text(distinct=900, patterns={"email": 1000, "url": 3}, lengths=(9, 9))
    found = suggested(table(column))
    assert found["match_regex_c"] == ("warn", {"regex": PATTERNS["email"]})
    assert found["string_length_between_c"][1] == {"min_value": 9, "max_value": 9}
    assert "match_regex_c" not in suggested(table(text(distinct=900, patterns={"email": 999})))


@pytest.mark.parametrize(("low", "is_suggested"), [("0", True), ("-1", False), ("NaN", False)])
def test_numbers_that_are_never_negative(low: str, is_suggested: bool) -> None:
    column = ColumnProfile("n", "integer", "integer", seen=1000, distinct=9, low=low, high="9")
    assert ("accepted_range_n" in suggested(table(column))) is is_suggested


@pytest.mark.parametrize(
    ("high", "interval"),
    [
        ("2026-05-04 11:00:00+00", 1),
        ("2026-05-03 12:00:00", 2),
        ("2026-05-01", 7),
        ("2026-01-01", None),
        ("infinity", None),
        ("2027-01-01", None),
    ],
)
def test_newest_value_that_is_nearly_now(high: str, interval: int | None) -> None:
    column = ColumnProfile("at", "timestamptz", "timestamp", seen=1000, distinct=900, high=high)
    found = suggested(table(column)).get("recency_at")
    assert (found and found[1]["interval"]) == interval
