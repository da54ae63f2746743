"""Messages that cannot be taken: dead letters, or held back where a whole partition is bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from consumer.backoff import Backoff
from consumer.breaker import Breaker
from consumer.dead_letters import Reason
from consumer.inbox import Inbox
from consumer.jobs import Job
from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.records import Delivery, Record
from quality.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message whose dead letter is to be written."""

    delivery: Delivery
    reason: Reason


@dataclass(slots=True)
class Refusals:
    """What is refused, until its dead letter stands; only then is its offset done. One thread."""

    breaker: Breaker
    inbox: Inbox
    tracker: OffsetTracker
    metrics: Metrics
    write_letters: Callable[[list[tuple[Record, Reason, int]]], list[str | None]]
    """Writes (record, reason, attempts); returns, in order, None or why it failed."""
    retry_max_s: float
    _waiting: list[Refused] = field(default_factory=list)

    def add(self, delivery: Delivery, reason: Reason) -> None:
        """Refuse a message; or hold it back with its partition, where that is bad as a whole."""
        if self.breaker.condemns(delivery.record):
            self._waiting.append(Refused(delivery, reason))
        else:
            self.inbox.hold(delivery, self.breaker.wait_s(delivery.record))

    def add_job(self, job: Job, reason: Reason) -> None:
        """Refuse all messages of a job."""
        named = Reason(
            reason.stage, reason.code, reason.message, reason.kind, job.id, job.request.table
        )
        for delivery in job.deliveries:
            self.add(delivery, named)

    def take(self) -> list[Refused]:
        """What has been refused since."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def write(self, refused: list[Refused]) -> None:
        """Write the dead letters; one that is not taken is put off, never dropped."""
        faults = self.write_letters(
            [(one.delivery.record, one.reason, one.delivery.attempts) for one in refused]
        )
        for one, fault in zip(refused, faults, strict=True):
            self._written(one, fault)

    def _written(self, refused: Refused, fault: str | None) -> None:
        delivery, reason = refused.delivery, refused.reason
        place = f"{delivery.record.topic}[{delivery.record.partition}]@{delivery.record.offset}"
        if fault is None:
            self.metrics.messages.labels("dead_letter").inc()
            self.metrics.dead_letters.labels(reason.code).inc()
            self.tracker.finish(delivery.ticket)
            log.warning(
                "message_dead_lettered", code=reason.code, error=reason.message, place=place
            )
        else:
            wait_s = Backoff(self.retry_max_s, delivery.attempts).next()
            log.error("dead_letter_not_taken", error=fault, place=place, retry_s=wait_s)
            self.inbox.put_off(delivery, wait_s)
