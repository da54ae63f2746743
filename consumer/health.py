"""What is up and what is not, as far as this process knows. Shared by all its threads."""

from __future__ import annotations

import threading
import time
from typing import Any


class Health:
    """The polling loop's pulse, and the state of Kafka and the API."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tick = time.monotonic()
        self._kafka_fault: str | None = "not connected yet"
        self._assigned: int | None = None
        self._api_fault: str | None = "not asked yet"
        self._held_back = 0
        self._stopping = False

    def tick(self) -> None:
        """The polling loop went round."""
        self._tick = time.monotonic()

    @property
    def tick_age_s(self) -> float:
        """Seconds since it last did."""
        return time.monotonic() - self._tick

    def kafka_failed(self, fault: str) -> None:
        with self._lock:
            self._kafka_fault = fault

    def kafka_works(self) -> None:
        with self._lock:
            self._kafka_fault = None

    def assigned(self, partitions: int | None) -> None:
        """Partitions assigned now; None: not (or no longer) a member of the group."""
        with self._lock:
            self._assigned = partitions

    def held_back(self, partitions: int) -> None:
        """Partitions that are paused because nearly all their messages are bad."""
        with self._lock:
            self._held_back = partitions

    def api_failed(self, fault: str) -> None:
        with self._lock:
            self._api_fault = fault

    def api_answered(self) -> None:
        with self._lock:
            self._api_fault = None

    def stopping(self) -> None:
        with self._lock:
            self._stopping = True

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether messages are being taken, and a JSON document that names what is in the way."""
        with self._lock:
            kafka = self._kafka_fault
            if kafka is None and self._assigned is None:
                kafka = "waiting for partitions"
            parts = {
                "kafka": _part(kafka, partitions=self._assigned or 0),
                "api": _part(self._api_fault),
            }
            ready = kafka is None and self._api_fault is None and not self._stopping
            good = "degraded" if self._held_back else "ready"
            status = "stopping" if self._stopping else good if ready else "not_ready"
        return ready, {"status": status, **parts, "partitions_held_back": self._held_back}


def _part(fault: str | None, **more: Any) -> dict[str, Any]:
    return {"status": "up" if fault is None else "down", "detail": fault, **more}
