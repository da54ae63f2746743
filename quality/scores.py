"""Scores: one number for how well a table, or one dimension of it, does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

WEIGHTS: dict[str, float] = {"pass": 1.0, "warn": 0.5, "fail": 0.0}
"""What a judged rule counts. `error` and `skipped` were not judged and count for nothing."""


def score(statuses: Iterable[str]) -> float | None:
    """Mean weight of the judged rules, 0 to 1; None where none was judged."""
    weights = [WEIGHTS[status] for status in statuses if status in WEIGHTS]
    return sum(weights) / len(weights) if weights else None


def scores_by_dimension(results: Iterable[tuple[str, str]]) -> dict[str, float]:
    """From (dimension, status) pairs: the score of each dimension that was judged."""
    statuses: dict[str, list[str]] = defaultdict(list)
    for dimension, status in results:
        statuses[dimension].append(status)
    scored = {dimension: score(found) for dimension, found in statuses.items()}
    return {dimension: value for dimension, value in scored.items() if value is not None}
