"""Dead letters: taken over from their topic, shown, sent again, and dropped when they are old."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.store.dead_letter_schema import dead_letter
from api.store.paging import Page, fetch_page
from quality.dead_letters import Letter
from quality.errors import NotFound

_ORIGINAL = ("key", "value", "headers")
_SUMMARY = [column for column in dead_letter.c if column.name not in _ORIGINAL]
_FILTERS = {
    "code": dead_letter.c.code,
    "table": dead_letter.c.table_name,
    "state": dead_letter.c.state,
    "request_id": dead_letter.c.request_id,
}


def take_over(db: Connection, letters: Iterable[Letter]) -> int:
    """Store those that are new; how many that were."""
    rows = {letter.id: _row(letter) for letter in letters}
    if not rows:
        return 0
    statement = (
        insert(dead_letter)
        .values([rows[letter_id] for letter_id in sorted(rows)])
        .on_conflict_do_nothing(index_elements=["id"])
    )
    return db.execute(statement).rowcount


def page(
    db: Connection,
    *,
    filters: dict[str, str | None],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """Letters without their originals, newest failure first."""
    query = _chosen(select(*_SUMMARY), filters, since, until)
    keys = [dead_letter.c.failed_at, dead_letter.c.id]
    return fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)


def get(db: Connection, letter_id: str) -> dict[str, Any]:
    """One letter with its original; NotFound with code `dead_letter_unknown`."""
    return _one(db, select(dead_letter).where(dead_letter.c.id == letter_id), letter_id)


def hold(db: Connection, letter_id: str) -> dict[str, Any]:
    """One letter, locked until the transaction ends; NotFound with code `dead_letter_unknown`."""
    query = select(dead_letter).where(dead_letter.c.id == letter_id).with_for_update()
    return _one(db, query, letter_id)


def hold_open(
    db: Connection,
    *,
    filters: dict[str, str | None],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    locked: bool,
) -> list[dict[str, Any]]:
    """The oldest open letters, those first that can be sent again.

    With `locked` they are those that nobody else has in hand, and stay locked.
    """
    query = _chosen(select(dead_letter), {**filters, "state": "open"}, since, until)
    order = (dead_letter.c.is_redrivable.desc(), dead_letter.c.failed_at, dead_letter.c.id)
    query = query.order_by(*order).limit(limit)
    if locked:
        query = query.with_for_update(skip_locked=True)
    return [dict(row) for row in db.execute(query).mappings()]


def mark_redriven(db: Connection, ids: list[str], by: str) -> None:
    """These were put into the outbox."""
    db.execute(
        update(dead_letter)
        .where(dead_letter.c.id.in_(ids))
        .values(state="redriven", redriven_at=func.now(), redriven_by=by)
    )


def count_before(db: Connection, before: datetime, state: str | None) -> int:
    """How many letters `purge` would drop."""
    query = _chosen(select(func.count()).select_from(dead_letter), {"state": state}, None, before)
    return db.scalar(query) or 0


def purge(db: Connection, before: datetime, state: str | None) -> int:
    """Drop letters that failed before that; how many. The topic keeps its records."""
    old = _chosen(select(dead_letter.c.id), {"state": state}, None, before)
    return db.execute(delete(dead_letter).where(dead_letter.c.id.in_(old))).rowcount


def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
    """Drop at most so many letters that failed longer ago than that; how many they were."""
    before = func.now() - func.make_interval(0, 0, 0, older_than_days)
    old = (
        select(dead_letter.c.id)
        .where(dead_letter.c.failed_at < before)
        .order_by(dead_letter.c.failed_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return db.execute(delete(dead_letter).where(dead_letter.c.id.in_(old))).rowcount


def counts(db: Connection) -> dict[str, int]:
    """How many letters are kept, by state."""
    query = select(dead_letter.c.state, func.count()).group_by(dead_letter.c.state)
    return {"open": 0, "redriven": 0, **{row[0]: row[1] for row in db.execute(query)}}


def _one(db: Connection, query: Select[Any], letter_id: str) -> dict[str, Any]:
    row = db.execute(query).mappings().first()
    if row is None:
        raise NotFound(f'there is no dead letter "{letter_id}"', code="dead_letter_unknown")
    return dict(row)


def _chosen(
    query: Select[Any],
    filters: dict[str, str | None],
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    for name, value in filters.items():
        if value is not None:
            query = query.where(_FILTERS[name] == value)
    if since is not None:
        query = query.where(dead_letter.c.failed_at >= since)
    if until is not None:
        query = query.where(dead_letter.c.failed_at < until)
    return query


def _row(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "code": letter.code,
        "stage": letter.stage,
        "message": letter.message,
        "kind": letter.kind,
        "request_id": letter.request_id,
        "table_name": letter.table,
        "origin_topic": letter.origin.topic,
        "origin_partition": letter.origin.partition,
        "origin_offset": letter.origin.offset,
        "original_at": letter.original_at,
        "letter_topic": letter.place.topic,
        "letter_partition": letter.place.partition,
        "letter_offset": letter.place.offset,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "failed_at": letter.failed_at,
        "consumer_group": letter.group,
        "worker": letter.worker,
        "version": letter.version,
        "payload_bytes": letter.payload_bytes,
        "payload_sha256": letter.payload_sha256,
        "is_truncated": letter.is_truncated,
        "is_redrivable": letter.is_redrivable,
        "key": letter.key,
        "value": letter.value,
        "headers": [
            [name.replace("\x00", "\ufffd"), None if raw is None else b64encode(raw).decode()]
            for name, raw in letter.headers
        ],
    }
