"""Dead letters: messages that cannot be taken, kept with the reason beside them.

Header names begin with those of Kafka Connect (KIP-298), which tools for dead letters know.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException, Message

from consumer.records import Record
from quality import __version__
from quality.dead_letters import OUR_HEADERS, REPLAY_COUNT_HEADER, REQUEST_ID_HEADER, replays
from quality.errors import InvalidInput, StringXError
from quality.logs import redacted

Stage = Literal["decode", "validate", "claim", "store"]

LIMIT_BYTES = 1_000_000
"""A record's size below which every broker with default settings takes it."""
KEPT_BYTES = 64 * 1024
"""What is kept of a value that would make the dead letter larger than that."""
MESSAGE_BYTES = 1024
_ORIGINAL_HEADERS = 32
_ORIGINAL_HEADERS_BYTES = 4 * 1024


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message was not taken."""

    stage: Stage
    code: str
    message: str
    kind: str
    request_id: str | None = None
    table: str | None = None

    @classmethod
    def of(cls, error: StringXError, stage: Stage) -> Reason:
        """From an error; where it lists faults by field, the first one's code says more."""
        faults = error.faults if isinstance(error, InvalidInput) else []
        code = faults[0].code if faults else error.code
        return cls(stage, code, str(error), type(error).__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is produced to the dead-letter topic: the original's key, value and timestamp."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None
    headers: list[tuple[str, bytes | None]]


def dead_letter(
    record: Record,
    reason: Reason,
    *,
    group: str,
    attempts: int,
    failed_at: datetime,
    limit_bytes: int = LIMIT_BYTES,
) -> DeadLetter:
    """The dead letter of a record; key and value are cut only where it would exceed the limit."""
    message = redacted(reason.message).encode("utf-8", "replace")[:MESSAGE_BYTES]
    ours: dict[str, str | bytes | None] = {
        "__connect.errors.topic": record.topic,
        "__connect.errors.partition": str(record.partition),
        "__connect.errors.offset": str(record.offset),
        "__connect.errors.stage": reason.stage,
        "__connect.errors.class.name": "consumer",
        "__connect.errors.exception.class.name": reason.kind,
        "__connect.errors.exception.message": message.decode("utf-8", "ignore"),
        "stringx.dlq.version": "1",
        "stringx.error.code": reason.code,
        "stringx.error.retryable": "false",
        REQUEST_ID_HEADER: reason.request_id,
        "stringx.table": reason.table,
        "stringx.attempts": str(attempts),
        "stringx.consumer-group": group,
        "stringx.consumer-host": socket.gethostname(),
        "stringx.original-timestamp": (
            None if record.timestamp_ms is None else str(record.timestamp_ms)
        ),
        "stringx.failed-at": failed_at.isoformat(),
        "stringx.app-version": __version__,
        "stringx.payload-sha256": hashlib.sha256(record.value or b"").hexdigest(),
        "stringx.payload-bytes": str(len(record.value or b"")),
        REPLAY_COUNT_HEADER: str(replays(record.headers)),
    }
    headers = _originals(record) + [
        (name, text.encode() if isinstance(text, str) else text)
        for name, text in ours.items()
        if text is not None
    ]
    key, value = record.key, record.value
    size = sum(len(name) + len(raw or b"") for name, raw in headers)
    truncated = len(key or b"") + len(value or b"") + size > limit_bytes - 1024
    if truncated:
        kept = min(KEPT_BYTES, limit_bytes // 4)
        key = key[:kept] if key is not None else None
        value = value[:kept] if value is not None else None
    headers.append(("stringx.payload-truncated", b"true" if truncated else b"false"))
    return DeadLetter(key, value, record.timestamp_ms, headers)


class DeadLetterWriter:
    """Writes dead letters and says which were taken. For one thread.

    The producer is not idempotent: a dead letter that stands twice does no harm, and the embedded
    broker's idempotence does not survive its restart.
    """

    def __init__(self, producer: Any, topic: str, *, group: str, wait_s: float) -> None:
        self._producer = producer
        self._topic = topic
        self._group = group
        self._wait_s = wait_s

    def write(
        self, letters: list[tuple[Record, Reason, int]], stop: threading.Event
    ) -> list[str | None]:
        """Produce (record, reason, attempts) each; returns, in order, None or why it failed.

        Returns when the broker has answered for all, or `wait_s` has passed, or a stop is asked
        for: what was not acknowledged by then counts as failed.
        """
        sent = [_Delivery() for _ in letters]
        for (record, reason, attempts), delivery in zip(letters, sent, strict=True):
            self._produce(record, reason, attempts, delivery, LIMIT_BYTES)
        deadline = time.monotonic() + self._wait_s
        while any(delivery.pending for delivery in sent) and time.monotonic() < deadline:
            self._producer.poll(0.1)
            for (record, reason, attempts), delivery in zip(letters, sent, strict=True):
                if delivery.too_large and not delivery.cut:  # for the topic's own, lower limit
                    delivery.cut, delivery.open = True, True
                    self._produce(record, reason, attempts, delivery, KEPT_BYTES)
            if stop.is_set():
                deadline = min(deadline, time.monotonic() + 3.0)
        return [
            "no acknowledgement in time" if delivery.open else delivery.fault for delivery in sent
        ]

    def _produce(
        self, record: Record, reason: Reason, attempts: int, delivery: _Delivery, limit: int
    ) -> None:
        letter = dead_letter(
            record,
            reason,
            group=self._group,
            attempts=attempts,
            failed_at=datetime.now(UTC),
            limit_bytes=limit,
        )
        try:
            self._producer.produce(
                self._topic,
                value=letter.value,
                key=letter.key,
                headers=letter.headers,
                on_delivery=delivery.answered,
                **({} if letter.timestamp_ms is None else {"timestamp": letter.timestamp_ms}),
            )
        except KafkaException as error:  # too large for this producer
            delivery.answered(error.args[0], None)
        except BufferError as error:
            delivery.fail(str(error))


@dataclass(slots=True)
class _Delivery:
    """What the broker says of one dead letter."""

    open: bool = True
    fault: str | None = None
    too_large: bool = False
    cut: bool = False

    @property
    def pending(self) -> bool:
        return self.open or (self.too_large and not self.cut)

    @property
    def answered(self) -> Callable[[KafkaError | None, Message | None], None]:
        def answer(error: KafkaError | None, message: Message | None) -> None:
            self.too_large = error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE
            self.fail(None if error is None else error.str())

        return answer

    def fail(self, fault: str | None) -> None:
        self.open, self.fault = False, fault


def _originals(record: Record) -> list[tuple[str, bytes | None]]:
    """The first headers of the original, without those that an earlier dead letter added."""
    kept: list[tuple[str, bytes | None]] = []
    size = 0
    for name, raw in record.headers:
        size += len(name) + len(raw or b"")
        if len(kept) == _ORIGINAL_HEADERS or size > _ORIGINAL_HEADERS_BYTES:
            break
        if not name.startswith(OUR_HEADERS):
            kept.append((name, raw))
    return kept
