"""Versions of rule sets: each change of a table's rules makes one, in the change's transaction.

A trigger at the end of the transaction makes them, so that none is missed and a set that is the
same as before makes none. They are never changed, and go with their table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, select, text

from api.store.paging import Page, fetch_page
from api.store.schema import monitored_table, rule_version
from api.store.tables import get
from quality.errors import NotFound

_SIGN = text(
    """
    select set_config('stringx.author', :author, true), set_config('stringx.reason', :reason, true)
    """
)
_HEAD = (
    rule_version.c.number,
    rule_version.c.hash,
    rule_version.c.author,
    rule_version.c.reason,
    rule_version.c.created_at,
)


def sign(db: Connection, author: str | None, reason: str | None) -> None:
    """Say who changes rules in this transaction, and why."""
    db.execute(_SIGN, {"author": author or "", "reason": reason or ""})


def settle(db: Connection, table_id: int) -> int:
    """Make the version of what was changed so far, if it is one; the number that stands now."""
    db.execute(text("set constraints rules_versioned immediate"))
    query = select(monitored_table.c.version_number).where(monitored_table.c.id == table_id)
    return db.scalar(query) or 0


def page(db: Connection, table_id: int, *, limit: int, cursor: str | None) -> Page:
    """The versions of a table, newest first, with how many rules each has."""
    get(db, table_id)
    rules = func.jsonb_array_length(rule_version.c.rules).label("rules")
    query = select(*_HEAD, rules).where(rule_version.c.table_id == table_id)
    keys = [rule_version.c.number]
    return fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)


def one(db: Connection, table_id: int, number: int) -> dict[str, Any]:
    """A version with its rules as they were written; NotFound with code `version_unknown`."""
    query = select(*_HEAD, rule_version.c.rules).where(
        rule_version.c.table_id == table_id, rule_version.c.number == number
    )
    row = db.execute(query).mappings().first() if number < 2**31 else None
    if row is None:
        get(db, table_id)
        raise NotFound(f"the table has no version {number} of its rules", code="version_unknown")
    return dict(row)


def rules_of(
    db: Connection, table_id: int, numbers: Iterable[int | None]
) -> dict[int | None, list[dict[str, Any]]]:
    """The rules of several versions by number; of those that there are."""
    query = select(rule_version.c.number, rule_version.c.rules).where(
        rule_version.c.table_id == table_id,
        rule_version.c.number.in_({number for number in numbers if number is not None}),
    )
    return {row.number: row.rules for row in db.execute(query)}
