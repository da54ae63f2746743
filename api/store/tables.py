"""Monitored tables and their rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.store.paging import Page, fetch_page
from api.store.schema import connection, monitored_table, rule
from quality.errors import Conflict, InvalidInput, NotFound
from quality.names import TableName
from quality.rules import MAX_RULES, Rule, RuleSet


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


def get(db: Connection, table_id: int) -> dict[str, Any]:
    """One table with its counts of rules; NotFound with code `table_not_configured`."""
    row = db.execute(_tables().where(monitored_table.c.id == table_id)).mappings().first()
    if row is None:
        raise _no_table(str(table_id))
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
        raise _no_table(str(table_id))


def rule_set(db: Connection, table_id: int, rules: list[Rule]) -> RuleSet:
    """The given rules as a set of this table, on the dbt target of its connection."""
    row = db.execute(
        select(monitored_table.c.name, connection.c.target)
        .join(connection, connection.c.name == monitored_table.c.connection)
        .where(monitored_table.c.id == table_id)
    ).first()
    if row is None:
        raise _no_table(str(table_id))
    return RuleSet(row.target, TableName.parse(row.name), tuple(rules))


def rules_page(
    db: Connection,
    table_id: int,
    *,
    limit: int,
    cursor: str | None,
    filters: dict[str, str | bool | None],
) -> Page:
    """Rules of one table, filtered by fields of their definition or by `is_active`."""
    get(db, table_id)
    query = select(rule).where(rule.c.table_id == table_id)
    for field, value in filters.items():
        if isinstance(value, bool):
            query = query.where(rule.c.is_active == value)
        elif value is not None:
            query = query.where(_field(field) == value)
    found = fetch_page(db, query, [rule.c.id], limit=limit, cursor=cursor)
    return Page([_shown(row) for row in found.items], found.next_cursor)


def rule_of(db: Connection, table_id: int, name: str) -> dict[str, Any]:
    """One rule; NotFound with code `rule_unknown`."""
    row = (
        db.execute(select(rule).where(rule.c.table_id == table_id, rule.c.name == name))
        .mappings()
        .first()
    )
    if row is None:
        get(db, table_id)
        raise NotFound(f'the table has no rule "{name}"', code="rule_unknown")
    return _shown(dict(row))


def add_rule(db: Connection, table_id: int, new: Rule) -> dict[str, Any]:
    """Create; Conflict where the name is taken, InvalidInput above the number of rules allowed."""
    _lock(db, table_id)
    count = db.scalar(select(func.count()).where(rule.c.table_id == table_id))
    if count is not None and count >= MAX_RULES:
        raise InvalidInput(f"a table has {MAX_RULES} rules at most", code="too_many")
    statement = (
        insert(rule)
        .values(**_columns(table_id, new))
        .on_conflict_do_nothing(index_elements=["table_id", "name"])
        .returning(*rule.c)
    )
    row = db.execute(statement).mappings().first()
    if row is None:
        raise Conflict(f'the table has a rule "{new.name}" already', code="name_taken")
    return _shown(dict(row))


def change_rule(
    db: Connection, table_id: int, name: str, changed: Rule, *, seen: datetime
) -> dict[str, Any] | None:
    """Put the changed rule in the place of the one named.

    None where that one was changed after `seen`, its `updated_at` on which the change is based.
    """
    _lock(db, table_id)
    taken = changed.name != name and db.scalar(
        select(rule.c.id).where(rule.c.table_id == table_id, rule.c.name == changed.name)
    )
    if taken:
        raise Conflict(f'the table has a rule "{changed.name}" already', code="name_taken")
    statement = (
        update(rule)
        .where(rule.c.table_id == table_id, rule.c.name == name, rule.c.updated_at == seen)
        .values(**_columns(table_id, changed), updated_at=func.clock_timestamp())
    )
    if not db.execute(statement).rowcount:
        rule_of(db, table_id, name)
        return None
    return rule_of(db, table_id, changed.name)


def replace_rules(db: Connection, table_id: int, rules: list[Rule]) -> list[dict[str, Any]]:
    """Make these the table's rules; one that stays under its name keeps its id and history."""
    _lock(db, table_id)
    names = [new.name for new in rules]
    db.execute(delete(rule).where(rule.c.table_id == table_id, rule.c.name.not_in(names)))
    for new in rules:
        values = _columns(table_id, new)
        statement = insert(rule).values(**values)
        db.execute(
            statement.on_conflict_do_update(
                index_elements=["table_id", "name"],
                set_={
                    "definition": statement.excluded.definition,
                    "is_active": statement.excluded.is_active,
                    "updated_at": func.now(),
                },
                where=rule.c.definition != statement.excluded.definition,
            )
        )
    rows = db.execute(select(rule).where(rule.c.table_id == table_id).order_by(rule.c.id))
    return [_shown(dict(row)) for row in rows.mappings()]


def remove_rule(db: Connection, table_id: int, name: str) -> None:
    _lock(db, table_id)
    rule_of(db, table_id, name)
    db.execute(delete(rule).where(rule.c.table_id == table_id, rule.c.name == name))


def _lock(db: Connection, table_id: int) -> None:
    """Changes of one table's rules happen one after the other; checks of it are not held up."""
    query = select(monitored_table.c.id).where(monitored_table.c.id == table_id)
    if db.scalar(query.with_for_update(key_share=True)) is None:
        raise _no_table(str(table_id))


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
        *(column for column in monitored_table.c if column.name != "rules_version"),
        func.coalesce(counts.c.rules, 0).label("rules"),
        func.coalesce(counts.c.active_rules, 0).label("active_rules"),
    ).outerjoin(counts, counts.c.table_id == monitored_table.c.id)


def _columns(table_id: int, new: Rule) -> dict[str, Any]:
    return {
        "table_id": table_id,
        "name": new.name,
        "is_active": new.is_active,
        "definition": new.document(),
    }


def _field(name: str) -> ColumnElement[Any]:
    return rule.c.definition[name].astext


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    definition = row["definition"]
    return {
        "id": row["id"],
        **{field: definition[field] for field in Rule.model_fields},  # JSONB loses the order
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _no_table(name: str) -> NotFound:
    return NotFound(f"table {name} is not configured", code="table_not_configured")
