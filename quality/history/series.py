"""Which measurements are of one kind: those of one definition, over scopes of one kind."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from quality.catalogue.history import MOST_DAYS, History, RowCountDelta, SchemaChange, Window
from quality.documents import canonical_json
from quality.history.training import Bucket, bucket_start
from quality.predicates import Predicate
from quality.rules import Rule

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?", re.A)
_MOST_POINTS = 500
_WIDTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Series:
    """`key` is the same for scopes of one kind; `at` is the moment that the rows are about."""

    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reach:
    """Which earlier values a judgement needs: at most `count`, the newest ones, from `since` to
    `until` (both included), and of each bucket the last one."""

    bucket: Bucket
    since: datetime
    until: datetime
    count: int


def definition_hash(rule: Rule) -> str:
    """128 bits (hex) of what decides what a rule measures. Another one is another history."""
    arguments = rule.typed_arguments()
    document = {
        "type": rule.type,
        "column": rule.column,
        "where": [predicate.document() for predicate in rule.where],
        "arguments": arguments.definition() if isinstance(arguments, History) else {},
    }
    return _hash(document)


def series_of(rule: Rule, scope: Sequence[Predicate], measured_at: datetime) -> Series:
    """Of a rule measured at that time on the rows of a scope (as it was asked for).

    A scope that picks dates from and to is a partition: it is of one kind with those of the same
    length, wherever they begin, and its rows are about its beginning. Every other scope is of one
    kind with scopes of the same text alone, and about the time at which it was measured.
    """
    if rule.type == "schema_change":  # its columns are the same whichever rows are looked at
        return Series(_hash([]), measured_at)
    closed = _closed_columns(scope)
    dates = [date for one in scope if one.column in closed for date in _dates(one)]
    start = min(dates, default=None)
    documents = [
        _document(one, start if one.column in closed else None)
        for one in sorted(scope, key=lambda one: (one.column, one.op))
    ]
    return Series(_hash(documents), start or measured_at)


def reach(rule: Rule, at: datetime) -> Reach:
    """What the judgement of a value about `at` needs to know."""
    arguments = rule.typed_arguments()
    if isinstance(arguments, Window):
        until = bucket_start(at, arguments.bucket)
        since = until - timedelta(days=arguments.days)
        needed = arguments.min_history * (7 if arguments.seasonality == "day_of_week" else 1)
        return Reach(arguments.bucket, since, until, max(_MOST_POINTS, needed))
    since = at - timedelta(days=MOST_DAYS + 7)
    if isinstance(arguments, RowCountDelta):
        until = bucket_start(at, arguments.bucket)
        if arguments.days_back:
            until = _last_moment(until - timedelta(days=arguments.days_back), arguments.bucket)
        return Reach(arguments.bucket, since, until, 2)
    needed = 2 if isinstance(arguments, SchemaChange) and arguments.declared is None else 0
    return Reach("check", since, at, needed)


def _last_moment(at: datetime, bucket: Bucket) -> datetime:
    """The last moment of the bucket of `at`, as PostgreSQL keeps time: in microseconds."""
    if bucket == "check":
        return at
    return bucket_start(at, bucket) + _WIDTHS[bucket] - timedelta.resolution


def _closed_columns(scope: Sequence[Predicate]) -> set[str]:
    """Columns of which the scope takes dates from a first to a last one."""
    ops: dict[str, set[str]] = defaultdict(set)
    for one in scope:
        if _dates(one):
            ops[one.column].add(one.op)
    return {
        column
        for column, found in ops.items()
        if found & {"=", "between", "in"} or (found & {">", ">="} and found & {"<", "<="})
    }


def _dates(predicate: Predicate) -> list[datetime]:
    """The dates and times that a predicate names, if all of its values are such."""
    if predicate.op == "!=":
        return []
    value = predicate.value
    values: list[Any] = list(value) if isinstance(value, list) else [value]
    found = [_date(one) for one in values]
    return [date for date in found if date is not None] if None not in found else []


def _date(value: Any) -> datetime | None:
    if isinstance(value, dict):
        value = value.get("timestamp") or value.get("date")
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _document(predicate: Predicate, start: datetime | None) -> dict[str, Any]:
    """With dates as their distance in seconds from `start`, where that is given."""
    dates = _dates(predicate) if start is not None else []
    if start is None or not dates:
        return predicate.document()
    offsets = [(date - start).total_seconds() for date in dates]
    return {"column": predicate.column, "op": predicate.op, "offsets": offsets}


def _hash(document: Any) -> str:
    return hashlib.sha256(canonical_json(document)).hexdigest()[:32]
