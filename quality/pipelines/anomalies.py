"""Anomalies: an execution beside earlier ones of the same hour of the day.

A z-score says how many sample standard deviations a value is from the mean of the others; the
tested execution is not among them, since it would hide itself.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Metric = Literal[
    "duration_seconds", "inserts", "updates", "soft_deletes", "total_rows", "throughput"
]
METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value beside others. `z` is None where these are all the same and the value is not."""

    value: float
    mean: float
    deviation: float
    count: int
    z: float | None
    is_anomaly: bool

    def document(self) -> dict[str, Any]:
        """The numbers, as they are shown."""
        return {
            "value": self.value,
            "mean": self.mean,
            "deviation": self.deviation,
            "executions": self.count,
            "z": self.z,
        }

    def sentence(self, metric: str) -> str:
        score = "they were all the same" if self.z is None else f"z {self.z:.2f}"
        return (
            f"{metric} is {self.value:.10g}; {self.count} executions of this hour had a mean of "
            f"{self.mean:.10g} ± {self.deviation:.10g} ({score})"
        )


def compare(
    value: float, others: Sequence[float], z_threshold: float, minimum: int
) -> Comparison | None:
    """The value beside the others; None where these are fewer than `minimum`."""
    if len(others) < max(minimum, 2):
        return None
    mean = statistics.fmean(others)
    deviation = statistics.stdev(others, mean)
    if deviation > 0 and math.isfinite(deviation):
        z = (value - mean) / deviation
        return Comparison(value, mean, deviation, len(others), z, abs(z) > z_threshold)
    is_same = math.isclose(value, mean, rel_tol=1e-9, abs_tol=1e-9)
    return Comparison(value, mean, 0.0, len(others), 0.0 if is_same else None, not is_same)
