"""The rules of monitored tables. Each change makes a version: see `api.store.versions`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from api.store.paging import Page, fetch_page
from api.store.schema import monitored_table, rule
from api.store.tables import get, no_table
from quality.documents import strictly
from quality.errors import Conflict, InvalidInput, NotFound
from quality.rules import MAX_RULES, Rule

_PUT = text(
    """
    insert into rule (table_id, name, is_active, definition)
    select :table_id, i.name, i.is_active, i.definition
    from rows from (jsonb_to_recordset(cast(:items as jsonb))
        as (name text, is_active boolean, definition jsonb))
        with ordinality as i (name, is_active, definition, place)
    order by i.place
    on conflict (table_id, name) do update
    set definition = excluded.definition, is_active = excluded.is_active, updated_at = now()
    """
)


def page(
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
        if field == "is_active" and value is not None:
            query = query.where(rule.c.is_active == value)
        elif isinstance(value, bool):  # a field that the definition may be too old to have
            has = func.coalesce(_field(field), "false") == str(value).lower()
            query = query.where(has)
        elif value is not None:
            query = query.where(_field(field) == value)
    found = fetch_page(db, query, [rule.c.id], limit=limit, cursor=cursor)
    return Page([_shown(row) for row in found.items], found.next_cursor)


def every(db: Connection, table_id: int) -> list[dict[str, Any]]:
    """All rules of a table, in the order in which they were written."""
    rows = db.execute(select(rule).where(rule.c.table_id == table_id).order_by(rule.c.id))
    return [_shown(dict(row)) for row in rows.mappings()]


def locked(db: Connection, table_id: int) -> list[dict[str, Any]]:
    """All rules of a table, which nobody else changes until the transaction ends."""
    _lock(db, table_id)
    return every(db, table_id)


def one(db: Connection, table_id: int, name: str) -> dict[str, Any]:
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


def add(db: Connection, table_id: int, new: Rule) -> dict[str, Any]:
    """Create; Conflict where the name is taken, InvalidInput above the number of rules allowed."""
    _lock(db, table_id)
    count = db.scalar(select(func.count()).where(rule.c.table_id == table_id))
    if count is not None and count >= MAX_RULES:
        raise InvalidInput(f"a table has {MAX_RULES} rules at most", code="too_many")
    statement = (
        insert(rule)
        .values(table_id=table_id, **_columns(new))
        .on_conflict_do_nothing(index_elements=["table_id", "name"])
        .returning(*rule.c)
    )
    row = db.execute(statement).mappings().first()
    if row is None:
        raise Conflict(f'the table has a rule "{new.name}" already', code="name_taken")
    return _shown(dict(row))


def change(
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
        .values(**_columns(changed), updated_at=func.clock_timestamp())
    )
    if not db.execute(statement).rowcount:
        one(db, table_id, name)
        return None
    return one(db, table_id, changed.name)


def switch_off(db: Connection, table_id: int, name: str) -> dict[str, Any]:
    """Switch a rule off whatever else it says, be it understood or not."""
    _lock(db, table_id)
    db.execute(
        update(rule)
        .where(rule.c.table_id == table_id, rule.c.name == name)
        .values(is_active=False, updated_at=func.clock_timestamp())
    )
    return one(db, table_id, name)


def replace(db: Connection, table_id: int, rules: list[Rule]) -> list[dict[str, Any]]:
    """Make these the table's rules; one that stays under its name keeps its id and history.

    A rule that says the same as the stored one is left alone, also where that was written by a
    version which knew fewer fields.
    """
    _lock(db, table_id)
    stored = {row["name"]: _read(row) for row in every(db, table_id)}
    names = {new.name for new in rules}
    gone = [name for name in stored if name not in names]
    if gone:
        db.execute(delete(rule).where(rule.c.table_id == table_id, rule.c.name.in_(gone)))
    changed = [_columns(new) for new in rules if stored.get(new.name) != new]
    if changed:
        db.execute(_PUT, {"table_id": table_id, "items": json.dumps(changed)})
    return every(db, table_id)


def remove(db: Connection, table_id: int, name: str) -> None:
    _lock(db, table_id)
    one(db, table_id, name)
    db.execute(delete(rule).where(rule.c.table_id == table_id, rule.c.name == name))


def definition(row: dict[str, Any]) -> dict[str, Any]:
    """The rule itself, without what the store adds to it."""
    return {field: row[field] for field in Rule.model_fields}


def _lock(db: Connection, table_id: int) -> None:
    """Changes of one table's rules happen one after the other; checks of it are not held up."""
    query = select(monitored_table.c.id).where(monitored_table.c.id == table_id)
    if db.scalar(query.with_for_update(key_share=True)) is None:
        raise no_table(str(table_id))


def _columns(new: Rule) -> dict[str, Any]:
    return {"name": new.name, "is_active": new.is_active, "definition": new.document()}


def _read(row: dict[str, Any]) -> Rule | None:
    """None for a rule that this version does not understand."""
    try:
        return strictly(Rule, definition(row))
    except ValidationError:
        return None


def _field(name: str) -> ColumnElement[Any]:
    return rule.c.definition[name].astext


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """JSONB loses the order of fields, and an older version may not have known them all."""
    written = {**row["definition"], "is_active": row["is_active"]}
    return {
        "id": row["id"],
        **{
            name: written.get(name, field.get_default(call_default_factory=True))
            for name, field in Rule.model_fields.items()
        },
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
