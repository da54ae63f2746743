"""Changes of a table's verdict: from what to what, and why."""

from __future__ import annotations

from sqlalchemy import Connection, select

from api.store.paging import Page, fetch_page
from api.store.schema import verdict_change
from api.store.tables import get


def page(db: Connection, table_id: int, *, limit: int, cursor: str | None) -> Page:
    """The changes of a table's verdict, newest first."""
    get(db, table_id)
    columns = (column for column in verdict_change.c if column.name != "table_id")
    query = select(*columns).where(verdict_change.c.table_id == table_id)
    keys = [verdict_change.c.id]
    return fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)
