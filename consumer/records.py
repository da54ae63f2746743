"""One Kafka message as plain data, and its place in the work of this process."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from consumer.offsets import Ticket

Partition = tuple[str, int]
"""Topic and partition number."""

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it stands in the log. `timestamp_ms` is None where the broker has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    has_unreadable_headers: bool = False
    """The name of a header is no text, so that none of them can be read."""

    @classmethod
    def of(cls, message: Message) -> Record:
        """The record of a message that carries no error."""
        kind, timestamp = message.timestamp()
        headers = _headers(message)
        return cls(
            topic=str(message.topic()),
            partition=int(message.partition() or 0),
            offset=int(message.offset() or 0),
            timestamp_ms=None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=headers or (),
            has_unreadable_headers=headers is None,
        )

    @property
    def bytes(self) -> int:
        """About what it holds in memory."""
        headers = sum(len(name) + len(raw or b"") for name, raw in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers + 200

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context of the producer (also as CloudEvents' extension), if it is one."""
        for name, raw in self.headers:
            if name.lower() in ("traceparent", "ce_traceparent") and raw is not None:
                text = raw.decode("ascii", "replace")
                if _TRACEPARENT.fullmatch(text):
                    return text
        return None


@dataclass(slots=True)
class Delivery:
    """A record in hand: its ticket holds the offset back until the work on it is done.

    `is_new`: no other process can have read it before, so that it took none down.
    """

    record: Record
    ticket: Ticket
    is_new: bool = False
    attempts: int = field(default=0)


def _headers(message: Message) -> tuple[tuple[str, bytes | None], ...] | None:
    """The headers, or None where they cannot be read.

    A name that is not UTF-8 makes the client raise SystemError, and a second look at the headers of
    that message ends the process: so this is the only one.
    """
    try:
        return tuple((header[0], _bytes(header[1])) for header in message.headers() or ())
    except (SystemError, UnicodeError):
        return None


def _bytes(raw: str | bytes | None) -> bytes | None:
    return raw.encode() if isinstance(raw, str) else raw
