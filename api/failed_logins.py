"""Failed logins: how many tokens an address may try that are none of ours.

Who has tried too many is told 429 before his next one is looked at, so that guessing costs the
database nothing and is told nothing. A token that was good from the same address before passes on:
behind a proxy that hides addresses, one caller with a wrong token must not lock out the others.
"""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

from api.limits import Buckets
from api.metrics import Metrics
from api.problems import RateLimited

_KEPT = 10_000


class FailedLogins:
    """Of one process; may be used by several threads."""

    def __init__(self, per_minute: int, metrics: Metrics) -> None:
        """`per_minute` of one address, and as many at once; 0: as many as it likes."""
        self._per_minute = per_minute
        self._failures = Buckets(per_minute, max(1, per_minute))
        self._good: dict[tuple[str, bytes], None] = {}
        self._metrics = metrics
        self._lock = threading.Lock()

    def admit(self, address: str, given: str) -> None:
        """Refuse (RateLimited) an address that has failed too often, whatever it sends now."""
        rate = self._failures.look(_network(address))
        if rate.is_granted or _key(address, given) in self._good:
            return
        self._metrics.failed_logins.labels("limited").inc()
        raise RateLimited(
            f"more than {self._per_minute} failed logins a minute from one address "
            "(STRINGX_FAILED_LOGINS_PER_MINUTE)",
            retry_after_s=rate.retry_after_s,
        )

    def failed(self, address: str, given: str) -> None:
        """Count a failure."""
        self._metrics.failed_logins.labels("refused").inc()
        self._failures.take(_network(address))
        with self._lock:
            self._good.pop(_key(address, given), None)

    def succeeded(self, address: str, given: str) -> None:
        """Remember that this is a good one from there."""
        key = _key(address, given)
        if key in self._good:
            return
        with self._lock:
            if len(self._good) >= _KEPT:
                self._good.clear()
            self._good[key] = None


def _key(address: str, given: str) -> tuple[str, bytes]:
    return address, hashlib.sha256(given.encode()).digest()


@lru_cache(_KEPT)
def _network(address: str) -> str:
    """Whom an address counts for: in IPv6 everybody has 2**64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:  # of a proxy that writes something else
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, 64), strict=False))
