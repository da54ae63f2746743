"""How fast a caller may ask: a bucket of requests for each token, which fills again steadily.

The buckets are those of one process: with several replicas a token has as many. The same buckets
count failed logins by address.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from math import ceil

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a bucket after one request, and whether that was still in it."""

    is_granted: bool
    limit: int
    remaining: int
    full_in_s: float
    retry_after_s: float

    @property
    def headers(self) -> dict[str, str]:
        """As the HTTP working group drafted them (draft-ietf-httpapi-ratelimit-headers-07)."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(ceil(self.full_in_s)),
        }


class Buckets:
    """Token buckets (RFC 2697's idea): `burst` requests at once, `per_minute` in the long run."""

    def __init__(self, per_minute: int, burst: int) -> None:
        self.per_minute = per_minute
        self._per_second = per_minute / 60
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str, now: float | None = None) -> Rate:
        """Take one request out of the bucket of that caller; `now` is in monotonic seconds."""
        now = time.monotonic() if now is None else now
        if self._per_second == 0:
            return Rate(True, self._burst, self._burst, 0.0, 0.0)
        with self._lock:
            left = self._filled(key, now)
            is_granted = left >= 1
            if is_granted:
                left -= 1
            self._left.pop(key, None)
            self._left[key] = (left, now)  # the last one, as the first are those used longest ago
            if len(self._left) > _KEPT:
                del self._left[next(iter(self._left))]
        return self._rate(left, is_granted=is_granted)

    def look(self, key: str, now: float | None = None) -> Rate:
        """What taking one would answer; nothing is taken."""
        now = time.monotonic() if now is None else now
        with self._lock:
            left = self._filled(key, now)
        return self._rate(left, is_granted=left >= 1)

    def _filled(self, key: str, now: float) -> float:
        left, at = self._left.get(key, (float(self._burst), now))
        return min(self._burst, left + (now - at) * self._per_second)

    def _rate(self, left: float, *, is_granted: bool) -> Rate:
        if self._per_second == 0:
            return Rate(True, self._burst, self._burst, 0.0, 0.0)
        return Rate(
            is_granted,
            self._burst,
            int(left),
            (self._burst - left) / self._per_second,
            max(0.0, 1 - left) / self._per_second,
        )
