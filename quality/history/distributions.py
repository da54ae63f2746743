"""The shares of a column's values in buckets against what they were, or should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from quality.catalogue.history import DistributionDistance
from quality.checks import Measure
from quality.history.distance import distance, mean_shares, shares
from quality.history.judged import Judged, brief, counted, not_enough, skipped
from quality.history.training import training_window
from quality.history.values import Earlier, number_of
from quality.rules import Rule


def judge_distribution(
    rule: Rule,
    arguments: DistributionDistance,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`distribution_distance`: the buckets are `bucket_0`, `bucket_1` … of what was measured."""
    shown = dict(measured)
    buckets = len(arguments.edges or arguments.values or ()) + 1
    actual = _shares_of(measured, buckets)
    if actual is None:
        return skipped("there are no values to compare", shown)
    if arguments.baseline == "history":
        found = ((one.at, _shares_of(one.measured, buckets)) for one in earlier)
        points = [(at, known) for at, known in found if known is not None]
        training = training_window(
            points,
            now,
            bucket=arguments.bucket,
            days=arguments.days,
            seasonality=arguments.seasonality,
        )
        shown["history"] = len(training)
        if len(training) < arguments.min_history:
            return not_enough(len(training), arguments.min_history, shown)
        expected = mean_shares(training)
    else:
        expected = shares(arguments.baseline) or []
    found_distance = distance(actual, expected, arguments.method)
    shown["distance"] = found_distance
    moved = max(range(buckets), key=lambda place: abs(actual[place] - expected[place]))
    shown |= {
        "moved_most": f"bucket_{moved}",
        "share": actual[moved],
        "expected_share": expected[moved],
    }
    if found_distance <= arguments.max:
        return counted(rule, 0, None, shown)
    words = (
        f"{arguments.method} {brief(found_distance)} is more than {brief(arguments.max)}; most of "
        f"all bucket_{moved} moved, from {brief(expected[moved])} to {brief(actual[moved])}"
    )
    return counted(rule, 1, words, shown)


def _shares_of(measured: Mapping[str, object], buckets: int) -> list[float] | None:
    counts = [number_of(measured.get(f"bucket_{place}")) for place in range(buckets)]
    known = [count for count in counts if count is not None]
    return shares(known) if len(known) == buckets else None
