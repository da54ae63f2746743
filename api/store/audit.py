"""The audit trail: who changed or triggered what. One can only add to it (a trigger sees to it)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from api.store.access_schema import audit_event
from api.store.paging import Page, fetch_page
from api.store.statement import Statement

_NEW = """
    insert into audit_event (actor, token_id, action, subject, detail, request_id, remote_address)
    select :actor, :token_id, :action, :subject, cast(:detail as jsonb), :request_id,
        :remote_address
"""
_ADD = Statement(_NEW)
_ADD_WITHOUT_WAITING = Statement(
    f"{_NEW} from (select set_config('synchronous_commit', 'off', true))"
)


def add(
    db: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any],
    token_id: str | None = None,
    request_id: str | None = None,
    remote_address: str | None = None,
    is_awaited: bool = True,
) -> None:
    """Add an event; it stands if the transaction of `db` does.

    Its commit does not wait for the disk if it is not awaited: the next one that does covers it.
    """
    given = {
        "actor": actor,
        "token_id": token_id,
        "action": action,
        "subject": subject,
        "detail": json.dumps(detail, default=_as_text),
        "request_id": request_id,
        "remote_address": remote_address,
    }
    (_ADD if is_awaited else _ADD_WITHOUT_WAITING).run(db, given)


def page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    since: datetime | None,
    until: datetime | None,
    filters: dict[str, str | None],
) -> Page:
    """Events, newest first; `filters` by the name of their column."""
    query = select(audit_event)
    for name, value in filters.items():
        if value is not None:
            query = query.where(audit_event.c[name] == value)
    if since is not None:
        query = query.where(audit_event.c.at >= since)
    if until is not None:
        query = query.where(audit_event.c.at < until)
    keys = [audit_event.c.id]
    return fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
