"""The number of rows against an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from quality.catalogue.history import MOST_DAYS, RowCountDelta
from quality.checks import Measure
from quality.history.judged import Judged, brief, counted, not_enough, skipped
from quality.history.training import bucket_start, training_window
from quality.history.values import Earlier, number_of
from quality.rules import Rule


def judge_delta(
    rule: Rule,
    arguments: RowCountDelta,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`row_count_delta`: the change in percent of the newest value of an earlier bucket.

    Beyond `error_pct` it counts as one failure, by the rule's severity and thresholds; beyond
    `warn_pct` alone it is a warning.
    """
    shown = dict(measured)
    value = number_of(measured.get("row_count"))
    if value is None:
        return skipped("row_count is no number", shown)
    before = bucket_start(now, arguments.bucket) - timedelta(days=arguments.days_back)
    found = ((one.at, number_of(one.measured.get("row_count"))) for one in earlier)
    points = [
        (at, count)
        for at, count in found
        if count is not None
        and (not arguments.days_back or bucket_start(at, arguments.bucket) <= before)
    ]
    window = training_window(points, now, bucket=arguments.bucket, days=MOST_DAYS)
    if not window:
        return not_enough(0, 1, shown)
    previous = window[-1]
    shown["previous"] = previous
    if previous < arguments.min_row_count:
        words = f"{brief(previous)} rows before are fewer than {arguments.min_row_count}"
        return skipped(f"{words} (min_row_count)", shown)
    change = (value - previous) / previous * 100
    shown["change_pct"] = change
    size = {"up": change, "down": -change, "both": abs(change)}[arguments.direction]
    words = f"row_count changed by {change:+.6g} %, from {brief(previous)} to {brief(value)}"
    if arguments.error_pct is not None and size > arguments.error_pct:
        limit = f"more than {brief(arguments.error_pct)} %"
        return counted(rule, 1, f"{words}: {limit} (error_pct)", shown)
    if arguments.warn_pct is not None and size > arguments.warn_pct:
        limit = f"more than {brief(arguments.warn_pct)} %"
        return Judged("warn", 1, f"{words}: {limit} (warn_pct)", shown)
    return counted(rule, 0, None, shown)
