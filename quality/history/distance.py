"""How far one distribution over the same buckets is from another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

DistanceMethod = Literal["psi", "kl", "chi2"]

SMALLEST_SHARE = 1e-4
"""What an empty bucket counts as, because the logarithm of nothing is infinite."""


def shares(counts: Sequence[float]) -> list[float] | None:
    """Counts as shares of their sum; None where there is nothing to share."""
    total = math.fsum(counts)
    return [count / total for count in counts] if total > 0 else None


def mean_shares(several: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each bucket's share over several distributions of the same buckets."""
    return [math.fsum(bucket) / len(several) for bucket in zip(*several, strict=True)]


def distance(actual: Sequence[float], expected: Sequence[float], method: DistanceMethod) -> float:
    """Between two lists of shares, with a = actual and e = expected; 0 where they are the same.

    psi: sum of (a - e) ln(a / e), the population stability index (Siddiqi 2006, Credit Risk
    Scorecards), which is the divergence J of Kullback and Leibler (1951, On Information and
    Sufficiency). kl: sum of a ln(a / e), their directed divergence. chi2: sum of (a - e)² / e,
    Pearson's chi-squared for each row, whatever the number of rows.
    """
    pairs = list(zip(_without_zeros(actual), _without_zeros(expected), strict=True))
    if method == "psi":
        return math.fsum((a - e) * math.log(a / e) for a, e in pairs)
    if method == "kl":
        return max(0.0, math.fsum(a * math.log(a / e) for a, e in pairs))
    return math.fsum((a - e) ** 2 / e for a, e in pairs)


def _without_zeros(given: Sequence[float]) -> list[float]:
    raised = [max(share, SMALLEST_SHARE) for share in given]
    total = math.fsum(raised)
    return [share / total for share in raised]
