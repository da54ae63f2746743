"""What goes into the audit trail: who asked, from where, in the transaction of what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, has_request_context, request
from sqlalchemy import Connection

from api import access
from api.store import audit

SERVICE = "stringx"
"""The actor of what the service does by itself."""

_MOMENTS = {"created_at", "updated_at"}


def record(
    db: Connection, action: str, subject: str, detail: dict[str, Any], *, is_awaited: bool = True
) -> None:
    """Add an event to the trail, in the caller's transaction.

    `action` is a `noun.verb` in the past (`rule_set.changed`), `subject` what it was done to
    (`table 7`), `detail` JSON, with `before` and `after` for a change. Never a secret. For
    `is_awaited` see `api.store.audit`.
    """
    by: dict[str, Any] = {"actor": SERVICE}
    if has_request_context():
        by = {
            "actor": access.actor(),
            "token_id": access.caller().token_id,
            "request_id": g.get("request_id"),
            # Of the proxy, where there is one: what a header says of an address is not believed.
            "remote_address": request.remote_addr,
        }
    audit.add(db, action=action, subject=subject, detail=detail, is_awaited=is_awaited, **by)


def record_change(
    db: Connection,
    noun: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    """Add `<noun>.changed` with those fields that differ, or `<noun>.created` where nothing was.

    Nothing is added where all is as it was.
    """
    if before is None:
        record(db, f"{noun}.created", subject, {"after": dict(after)})
        return
    names = [name for name in after if name not in _MOMENTS and before.get(name) != after[name]]
    if names:
        detail = {
            "before": {name: before.get(name) for name in names},
            "after": {name: after[name] for name in names},
        }
        record(db, f"{noun}.changed", subject, detail)
