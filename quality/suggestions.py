"""Suggestions: rules that a table as it is would keep, for somebody to choose from.

What the database's own constraints prove becomes a rule of severity error; what was only seen among
the rows, one of severity warn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quality.documents import strictly
from quality.profiles import PATTERNS, ColumnProfile, TableProfile
from quality.rules import MAX_RULES, Rule

FEWEST_ROWS = 50
"""Of fewer rows than these nothing is concluded."""

_MOSTLY = 0.95
_MOST_VALUES = 20
_RECENT_DAYS = (1, 2, 7, 31)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rule, and what speaks for it."""

    rule: Rule
    because: str

    def document(self) -> dict[str, Any]:
        """The rule's document with `because`."""
        return {**self.rule.document(), "because": self.because}


def suggest(profile: TableProfile, now: datetime) -> list[Suggestion]:
    """Rules for the table, at most as many as a table may have; `now` has a time zone."""
    found: dict[str, Suggestion] = {}
    for document, because in _all(profile, now):
        rule = strictly(Rule, document)
        found.setdefault(rule.name, Suggestion(rule, because))
    return list(found.values())[:MAX_RULES]


Found = tuple[dict[str, Any], str]


def _all(profile: TableProfile, now: datetime) -> Iterator[Found]:
    if profile.rows:
        rows = f"the table has {'' if profile.is_whole else 'about '}{profile.rows} rows"
        yield {"type": "row_count_between", "arguments": {"min_value": 1}}, rows
    yield from _of_keys(profile)
    for reference in profile.references:
        yield (
            {
                "type": "relationships",
                "column": reference.column,
                "arguments": {"to": reference.to, "field": reference.field},
            },
            "a foreign key says so",
        )
    for column in profile.columns:
        yield from _of_nulls(column, profile)
        if column.seen >= FEWEST_ROWS:
            yield from _of_values(column, profile)
            yield from _of_times(column, now)


def _of_keys(profile: TableProfile) -> Iterator[Found]:
    proved = {key[0] for key in profile.unique_keys if len(key) == 1}
    for key in profile.unique_keys:
        if len(key) == 1:
            yield {"type": "unique", "column": key[0]}, "a unique index says so"
        elif proved.isdisjoint(key):
            arguments = {"columns": list(key)}
            name = _named("unique", *key)
            document = {"name": name, "type": "unique_combination_of_columns"}
            yield {**document, "arguments": arguments}, "a unique index says so"
    for column in profile.columns:
        is_key = column.kind in ("integer", "text", "uuid") and column.name not in proved
        # A negative number of the statistics is a share of the rows.
        statistics = (profile.estimated_distinct or {}).get(column.name, -1.0)
        is_refuted = (
            not profile.is_whole and statistics > -_MOSTLY * column.seen / profile.looked_at
        )
        all_differ = column.distinct == column.seen >= FEWEST_ROWS
        if is_key and all_differ and not is_refuted:
            words = f"{_among(column.seen, profile)} no value stands twice"
            yield {"type": "unique", "column": column.name, "severity": "warn"}, words


def _is_refuted(column: ColumnProfile, profile: TableProfile) -> bool:
    """Whether the statistics know of fewer values than a part of the rows lets expect."""
    if profile.is_whole:
        return False
    statistics = (profile.estimated_distinct or {}).get(column.name, -1.0)
    share = -statistics if statistics < 0 else statistics / profile.rows
    return share < _MOSTLY * column.seen / profile.looked_at


def _of_nulls(column: ColumnProfile, profile: TableProfile) -> Iterator[Found]:
    rule = {"type": "not_null", "column": column.name}
    if column.is_not_null:
        yield rule, "the column is NOT NULL"
    elif profile.looked_at >= FEWEST_ROWS and column.seen == profile.looked_at:
        yield {**rule, "severity": "warn"}, f"{_among(profile.looked_at, profile)} none is NULL"
    elif profile.looked_at >= FEWEST_ROWS and column.seen >= _MOSTLY * profile.looked_at:
        share = column.seen / profile.looked_at
        least = max(0.0, math.floor(share * 100 - 1) / 100)
        yield (
            {
                "type": "not_null_proportion",
                "column": column.name,
                "arguments": {"at_least": least},
                "severity": "warn",
            },
            f"{_among(profile.looked_at, profile)} {100 * share:.4g}% have a value",
        )


def _of_values(column: ColumnProfile, profile: TableProfile) -> Iterator[Found]:
    rule = {"column": column.name, "severity": "warn"}
    seen = _among(column.seen, profile)
    is_list = 1 < len(column.values) <= _MOST_VALUES and column.distinct * 10 <= column.seen
    if column.kind == "text":
        shape = next((s for s, n in (column.patterns or {}).items() if n == column.seen), None)
        if is_list:
            arguments: dict[str, Any] = {"values": list(column.values)}
            words = f"{seen} there are only these {len(column.values)} values"
            yield {**rule, "type": "accepted_values", "arguments": arguments}, words
        elif shape is not None:
            words = f"{seen} all look like that ({shape})"
            regex = {"regex": PATTERNS[shape]}
            yield {**rule, "type": "match_regex", "arguments": regex}, words
        elif not column.blanks:
            yield {**rule, "type": "not_empty_string"}, f"{seen} none is empty"
        if column.lengths and column.lengths[0] == column.lengths[1] > 0 and not is_list:
            short, long = column.lengths
            arguments = {"min_value": short, "max_value": long}
            words = f"{seen} all have {short} characters"
            yield {**rule, "type": "string_length_between", "arguments": arguments}, words
    elif column.kind in ("integer", "number") and _is_not_negative(column.low):
        words = f"{seen} none is below zero (lowest {column.low}, highest {column.high})"
        yield {**rule, "type": "accepted_range", "arguments": {"min_value": 0}}, words


def _of_times(column: ColumnProfile, now: datetime) -> Iterator[Found]:
    """The newest value is of today or nearly so: it should go on like that. Other clocks and zones
    may be some hours ahead."""
    if column.kind not in ("date", "timestamp") or column.high is None:
        return
    try:
        newest = datetime.fromisoformat(column.high)
    except ValueError:  # infinity, or a year that Python has not
        return
    newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
    age_days = (now - newest).total_seconds() / 86_400
    days = next((days for days in _RECENT_DAYS if -1 <= 2 * age_days <= days), None)
    if days is not None:
        rule = {"type": "recency", "column": column.name, "severity": "warn"}
        arguments = {"datepart": "day", "interval": days}
        yield {**rule, "arguments": arguments}, f"the newest is of {column.high}"


def _among(rows: int, profile: TableProfile) -> str:
    return f"among {'all ' if profile.is_whole else ''}{rows} that were looked at"


def _named(prefix: str, *columns: str) -> str:
    letters = "_".join([prefix, *columns]).lower()
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in letters)[:63]


def _is_not_negative(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text)) and float(text) >= 0
    except ValueError:
        return False
