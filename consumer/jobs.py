"""Jobs: what messages ask for, read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from consumer.records import Delivery
from quality.checks import CheckRequest

Table = tuple[str, str]
"""Connection and table."""


@dataclass(slots=True)
class Job:
    """One request, with all messages in hand that ask for it."""

    id: str
    request: CheckRequest
    traceparent: str | None
    deliveries: list[Delivery]

    @property
    def table(self) -> Table:
        """What is checked: jobs of one table are worked off in their order."""
        return self.request.connection, self.request.table

    @property
    def bytes(self) -> int:
        """About what it holds in memory."""
        return sum(delivery.record.bytes for delivery in self.deliveries)

    def document(self) -> dict[str, Any]:
        """As claimed."""
        return {
            "id": self.id,
            "request": self.request.document(),
            "traceparent": self.traceparent,
        }
