"""Scores: one number for how well a table, or one dimension of it, does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

WEIGHTS: dict[str, float] = {"pass": 1.0, "warn": 0.5, "fail": 0.0}
"""What a judged rule counts. `error` and `skipped` were not judged and count for nothing."""


def score(statuses: Iterable[str]) -> float | None:
    """Mean weight of the judged rules, 0 to 1; None where none was judged."""
    return weighted_score((status, 1.0) for status in statuses)


def weighted_score(results: Iterable[tuple[str, float]]) -> float | None:
    """From (status, weight of the rule) pairs: the mean that `score` is, some rules counting more.

    Shadow rules are to be left out by the caller.
    """
    total = reached = 0.0
    for status, weight in results:
        if status in WEIGHTS:
            total += weight
            reached += weight * WEIGHTS[status]
    return reached / total if total else None


def scores_by_dimension(
    results: Iterable[tuple[str, str] | tuple[str, str, float]],
) -> dict[str, float]:
    """From (dimension, status) or (dimension, status, weight): the score of each dimension that was
    judged."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for dimension, status, *weight in results:
        found[dimension].append((status, weight[0] if weight else 1.0))
    scored = {dimension: weighted_score(statuses) for dimension, statuses in found.items()}
    return {dimension: value for dimension, value in scored.items() if value is not None}
