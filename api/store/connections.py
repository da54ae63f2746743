"""Connections: named dbt targets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from api.store.paging import Page, fetch_page
from api.store.schema import connection as table
from api.store.schema import monitored_table
from quality.budgets import UNLIMITED, Budget
from quality.errors import Conflict, NotFound


def put(
    db: Connection, name: str, target: str, description: str, budget: Budget = UNLIMITED
) -> tuple[dict[str, Any], bool]:
    """Create or change; answers the connection and whether it is new."""
    values = {
        "target": target,
        "description": description,
        "budget": budget.document() or null(),
    }
    is_new = db.scalar(select(table.c.name).where(table.c.name == name)) is None
    statement = (
        insert(table)
        .values(name=name, **values)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={**values, "updated_at": func.now()},
        )
        .returning(*table.c)
    )
    return dict(db.execute(statement).mappings().one()), is_new


def find(db: Connection, name: str) -> dict[str, Any] | None:
    """One connection, if it is there."""
    row = db.execute(select(table).where(table.c.name == name)).mappings().first()
    return None if row is None else dict(row)


def get(db: Connection, name: str) -> dict[str, Any]:
    """One connection; NotFound with code `connection_unknown`."""
    row = find(db, name)
    if row is None:
        raise NotFound(
            f'connection "{name}" is not configured (PUT /api/v1/connections/{name} adds it)',
            code="connection_unknown",
        )
    return row


def budget_of(db: Connection, table_id: int) -> Budget:
    """What one check of a table may cost, as its connection has it."""
    query = (
        select(table.c.budget)
        .join(monitored_table, monitored_table.c.connection == table.c.name)
        .where(monitored_table.c.id == table_id)
    )
    return Budget.model_validate(db.scalar(query) or {})


def page(db: Connection, *, limit: int, cursor: str | None) -> Page:
    return fetch_page(db, select(table), [table.c.name], limit=limit, cursor=cursor)


def remove(db: Connection, name: str) -> None:
    """Delete; Conflict while tables use it."""
    get(db, name)
    try:
        db.execute(delete(table).where(table.c.name == name))
    except IntegrityError:
        raise Conflict(
            f'connection "{name}" still has tables; delete them first', code="connection_in_use"
        ) from None
