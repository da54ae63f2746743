"""Which earlier values a new one is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

Bucket = Literal["check", "hour", "day", "week"]
Seasonality = Literal["none", "day_of_week"]
Value = TypeVar("Value")


def bucket_start(at: datetime, bucket: Bucket) -> datetime:
    """Where the bucket of a moment begins, in UTC; weeks begin on Monday."""
    at = at.astimezone(UTC)
    if bucket == "check":
        return at
    start = at.replace(minute=0, second=0, microsecond=0)
    if bucket == "hour":
        return start
    start = start.replace(hour=0)
    return start if bucket == "day" else start - timedelta(days=start.weekday())


def training_window(
    points: Sequence[tuple[datetime, Value]],
    at: datetime,
    *,
    bucket: Bucket,
    days: int,
    seasonality: Seasonality = "none",
) -> list[Value]:
    """The values of the buckets before the one of `at`, of at most so many days, oldest first.

    `points` are in the order in which they were measured: of several in one bucket the last one
    counts, so that a check made twice does not count double. The bucket of `at` itself is never
    among them, and neither is anything later. With `day_of_week` only the same day of the week.
    """
    end = bucket_start(at, bucket)
    since = end - timedelta(days=days)
    kept: dict[datetime, Value] = {}
    for moment, value in points:
        start = bucket_start(moment, bucket)
        if not since <= start < end:
            continue
        if seasonality == "day_of_week" and start.weekday() != end.weekday():
            continue
        kept[start] = value
    return [kept[start] for start in sorted(kept)]
