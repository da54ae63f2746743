"""The outbox: messages for Kafka, written in the transaction of what they tell about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update

from api.store.schema import outbox

CHANNEL = "stringx_outbox"
"""PostgreSQL's NOTIFY channel on which a new message is announced when it is committed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message that waits: `id` gives the order in which to send."""

    id: int
    topic: str
    key: str
    value: str
    headers: dict[str, str]


def add(
    db: Connection, topic: str, key: str, value: str, headers: dict[str, str] | None = None
) -> None:
    """Store a message and wake the relay at commit."""
    db.execute(insert(outbox).values(topic=topic, key=key, value=value, headers=headers or {}))
    db.execute(text(f"notify {CHANNEL}"))


def pending(db: Connection) -> int:
    """How many messages wait."""
    return db.scalar(select(func.count()).where(outbox.c.sent_at.is_(None))) or 0


def unsent(db: Connection, limit: int) -> list[Message]:
    """The oldest messages that wait, in order."""
    query = (
        select(outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.value, outbox.c.headers)
        .where(outbox.c.sent_at.is_(None))
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return [Message(*row) for row in db.execute(query)]


def mark_sent(db: Connection, ids: list[int]) -> None:
    db.execute(update(outbox).where(outbox.c.id.in_(ids)).values(sent_at=func.now()))


def forget_sent(db: Connection, older_than_s: float) -> Any:
    """Drop messages sent longer ago than that."""
    return db.execute(
        text("delete from outbox where sent_at < now() - make_interval(secs => :seconds)"),
        {"seconds": older_than_s},
    ).rowcount
