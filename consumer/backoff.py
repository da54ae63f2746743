"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_S = 0.25


@dataclass(slots=True)
class Backoff:
    """Full jitter: a random time up to a bound that doubles with each failure, `max_s` at most."""

    max_s: float
    failures: int = 0

    def next(self, at_least_s: float = 0.0) -> float:
        """Seconds to wait after one more failure, `at_least_s` where the other side asked for it.

        What it asked for is stretched by up to a tenth, so that workers do not return in step.
        """
        bound = min(self.max_s, FIRST_S * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return max(random.uniform(0, bound), at_least_s * random.uniform(1, 1.1))  # noqa: S311

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
