"""Monitored tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.store.paging import Page, fetch_page
from api.store.schema import connection, monitored_table, rule
from quality.errors import NotFound
from quality.names import TableName
from quality.rules import Rule, RuleSet

_INTERNAL = {
    "rules_version",
    "version_number",
    "last_version",
    "last_rules_hash",
    "last_where_hash",
    "rules_owner",
    "gate_policy",
    "gate_decisions",
    "gate_valid_for_s",
}
"""What serves checks, and is not shown under these names."""


def put(
    db: Connection, connection_name: str, name: str, owner: str | None, description: str
) -> tuple[dict[str, Any], bool]:
    """Create or change; answers the table and whether it is new."""
    found = db.scalar(
        select(monitored_table.c.id).where(
            monitored_table.c.connection == connection_name, monitored_table.c.name == name
        )
    )
    statement = (
        insert(monitored_table)
        .values(connection=connection_name, name=name, owner=owner, description=description)
        .on_conflict_do_update(
            index_elements=["connection", "name"],
            set_={"owner": owner, "description": description, "updated_at": func.now()},
        )
        .returning(monitored_table.c.id)
    )
    table_id = db.scalars(statement).one()
    return get(db, table_id), found is None


def find(db: Connection, connection_name: str, name: str) -> dict[str, Any] | None:
    """One table by its name, if it is monitored."""
    named = (monitored_table.c.connection == connection_name, monitored_table.c.name == name)
    row = db.execute(_tables().where(*named)).mappings().first()
    return None if row is None else dict(row)


def get(db: Connection, table_id: int) -> dict[str, Any]:
    """One table with its counts of rules; NotFound with code `table_not_configured`."""
    row = db.execute(_tables().where(monitored_table.c.id == table_id)).mappings().first()
    if row is None:
        raise no_table(str(table_id))
    return dict(row)


def page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    connection_name: str | None,
    name: str | None,
    owner: str | None,
    status: str | None,
) -> Page:
    query = _tables()
    for column, value in (
        (monitored_table.c.connection, connection_name),
        (monitored_table.c.name, name),
        (monitored_table.c.owner, owner),
        (monitored_table.c.last_status, status),
    ):
        if value is not None:
            query = query.where(column == value)
    return fetch_page(db, query, [monitored_table.c.id], limit=limit, cursor=cursor)


def change(db: Connection, table_id: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Change owner or description."""
    get(db, table_id)
    db.execute(
        update(monitored_table)
        .where(monitored_table.c.id == table_id)
        .values(**changes, updated_at=func.now())
    )
    return get(db, table_id)


def remove(db: Connection, table_id: int) -> None:
    """Delete a table with its rules; the results of its checks stay."""
    if not db.execute(delete(monitored_table).where(monitored_table.c.id == table_id)).rowcount:
        raise no_table(str(table_id))


def rule_set(db: Connection, table_id: int, rules: list[Rule]) -> RuleSet:
    """The given rules as a set of this table, on the dbt target of its connection."""
    row = db.execute(
        select(monitored_table.c.name, connection.c.target)
        .join(connection, connection.c.name == monitored_table.c.connection)
        .where(monitored_table.c.id == table_id)
    ).first()
    if row is None:
        raise no_table(str(table_id))
    return RuleSet(row.target, TableName.parse(row.name), tuple(rules))


def _tables() -> Any:
    counts = (
        select(
            rule.c.table_id,
            func.count().label("rules"),
            func.count().filter(rule.c.is_active).label("active_rules"),
        )
        .group_by(rule.c.table_id)
        .subquery()
    )
    return select(
        *(column for column in monitored_table.c if column.name not in _INTERNAL),
        monitored_table.c.version_number.label("rules_version"),
        func.coalesce(counts.c.rules, 0).label("rules"),
        func.coalesce(counts.c.active_rules, 0).label("active_rules"),
    ).outerjoin(counts, counts.c.table_id == monitored_table.c.id)


def no_table(name: str) -> NotFound:
    """The refusal of a table that is not monitored."""
    return NotFound(f"table {name} is not configured", code="table_not_configured")
