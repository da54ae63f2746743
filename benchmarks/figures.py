"""Numbers as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

__all__ = ["at_percent", "count", "markdown", "median", "milliseconds", "ratio"]


def at_percent(values: Sequence[float], percent: int) -> float:
    """The value below which that share of all values lies (0 to 100), interpolated."""
    if len(values) == 1:
        return values[0]
    if percent >= 100:
        return max(values)
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def milliseconds(seconds: float) -> str:
    """With as many digits as mean something."""
    value = seconds * 1000
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def ratio(value: float) -> str:
    """As a multiple."""
    digits = 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} ×"


def count(value: int) -> str:
    """1k, 100k, 1M; others as they are."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size and value % size == 0:
            return f"{value // size}{letter}"
    return str(value)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in heads[1:])]
    lines = [heads, rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
