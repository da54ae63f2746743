"""What earlier values lead to expect of the next one, and how far it is from that."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Method = Literal["zscore", "robust"]
Direction = Literal["up", "down", "both"]

_MAD_OF_NORMAL = 0.6745
_MEAN_DEVIATION_TO_SIGMA = 1.253314


@dataclass(frozen=True, slots=True)
class Expectation:
    """The centre of earlier values and the width of one step away from it.

    `spread` is 0 where all of them are the same.
    """

    center: float
    spread: float
    count: int

    def score(self, value: float) -> float | None:
        """The distance from the centre in spreads; None where there is a distance and no spread, or
        next to none."""
        if value == self.center:
            return 0.0
        score = (value - self.center) / self.spread if self.spread else math.inf
        return score if math.isfinite(score) else None

    def bounds(self, sensitivity: float) -> tuple[float, float]:
        """The lowest and the highest value that is none too far away."""
        return self.center - sensitivity * self.spread, self.center + sensitivity * self.spread

    def is_anomaly(
        self, value: float, sensitivity: float, direction: Direction, min_change_pct: float = 0.0
    ) -> bool:
        """Whether the value is further away than `sensitivity` spreads, in that direction.

        Without a spread every other value is. A change of at most `min_change_pct` percent of the
        centre never is one.
        """
        change = value - self.center
        if (direction == "up" and change <= 0) or (direction == "down" and change >= 0):
            return False
        if abs(change) <= abs(self.center) * min_change_pct / 100:
            return False
        score = self.score(value)
        return score is None or abs(score) > sensitivity


def expectation(values: Sequence[float], method: Method) -> Expectation:
    """From one value or more.

    `zscore`: z = (x - mean) / s with the sample's standard deviation s (one value has none: 0).

    `robust`: the modified z-score M = 0.6745 (x - median) / MAD, with MAD the median of the
    absolute deviations from the median (Iglewicz and Hoaglin 1993, How to Detect and Handle
    Outliers). Where more than half of the values are the same, MAD is 0 and the mean absolute
    deviation stands in: M = (x - median) / (1.253314 MeanAD).

    Source of both: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17 Detection of Outliers.
    Means are exact, so that values which are all the same have no spread from rounding.
    """
    if method == "zscore":
        center = statistics.mean(values)
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        return Expectation(center, spread, len(values))
    center = statistics.median(values)
    deviations = [abs(value - center) for value in values]
    spread = statistics.median(deviations) / _MAD_OF_NORMAL
    if spread == 0:
        spread = statistics.mean(deviations) * _MEAN_DEVIATION_TO_SIGMA
    return Expectation(center, spread, len(values))
