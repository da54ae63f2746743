"""The outbox: messages for Kafka, written in the transaction of what they tell about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from api.store.schema import outbox
from api.store.statement import Statement

CHANNEL = "stringx_outbox"
"""PostgreSQL's NOTIFY channel on which a new message is announced when it is committed."""

_WAKE = Statement(f"notify {CHANNEL}")
_UNSENT = Statement(
    """
    select m.* from (select distinct topic from outbox where sent_at is null) t
    cross join lateral (
        select id, topic, key, value, headers from outbox
        where sent_at is null and topic = t.topic and id <> all(cast(:without as bigint[]))
        order by id limit :limit
    ) m order by m.id
    """
)

_MARK = Statement("update outbox set sent_at = now() where id = any(:ids)")


@dataclass(frozen=True, slots=True)
class Message:
    """One message that waits: `id` gives the order in which to send.

    An empty `value` is none at all: by that a compacted topic forgets the key. (In the table it is
    empty and not null, because a relay of the version before could not send null.)
    """

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
    wake(db)


def wake(db: Connection) -> None:
    """Tell the relay, when this is committed, that a message waits."""
    _WAKE.run(db, {})


def pending(db: Connection, topic: str | None = None) -> int:
    """How many messages wait, for one topic or for all."""
    query = select(func.count()).where(outbox.c.sent_at.is_(None))
    return db.scalar(query if topic is None else query.where(outbox.c.topic == topic)) or 0


def unsent(db: Connection, limit: int, without: Sequence[int] = ()) -> list[Message]:
    """The oldest messages that wait, at most `limit` for each topic, in order; but `without` those.

    For each, so that messages that Kafka does not take for one keep no others waiting.
    """
    return [Message(*row) for row in _UNSENT.rows(db, {"limit": limit, "without": list(without)})]


def mark_sent(db: Connection, ids: list[int]) -> None:
    """Not to be sent again."""
    _MARK.run(db, {"ids": ids})


def forget_sent(db: Connection, older_than_s: float) -> Any:
    """Drop messages sent longer ago than that."""
    return db.execute(
        text("delete from outbox where sent_at < now() - make_interval(secs => :seconds)"),
        {"seconds": older_than_s},
    ).rowcount
