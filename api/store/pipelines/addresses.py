"""Addresses and their types."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from api.store.paging import Page, fetch_page
from api.store.pipeline_schema import address, address_type
from api.store.pipelines.pipelines import Change
from quality.errors import Conflict, Fault, InvalidInput, NotFound
from quality.pipelines.reports import AddressReport

_TYPE_FIELDS = {"address_type_name", "address_type_group_name"}


def report_type(db: Connection, name: str, group_name: str) -> tuple[int, bool]:
    """The id of the type of that name, and whether it is new."""
    values = {"name": name, "group_name": group_name}
    return _report(db, address_type, values)


def report(db: Connection, found: AddressReport) -> tuple[int, bool]:
    """The id of the address of that name, and whether it is new; one that is there stays."""
    known = db.scalar(select(address.c.id).where(address.c.name == found.name))
    if known is not None:
        return known, False
    type_id, _ = report_type(db, found.address_type_name, found.address_type_group_name)
    values = found.model_dump(exclude=_TYPE_FIELDS)
    return _report(db, address, {**values, "address_type_id": type_id})


def change(db: Connection, table: Table, asked: Any) -> Change:
    """Change what was sent of an address or a type of them: before and after."""
    where = table.c.name == asked.name if asked.id is None else table.c.id == asked.id
    row = db.execute(select(table).where(where).with_for_update()).mappings().first()
    if row is None:
        raise _unknown(table, f'"{asked.name}"' if asked.id is None else asked.id)
    changes = {name: getattr(asked, name) for name in asked.model_fields_set - {"id"}}
    if asked.id is None:
        changes.pop("name", None)
    for name in ("name", "group_name", "address_type_id"):  # cannot be taken away
        if changes.get(name) is None:
            changes.pop(name, None)
    try:
        with db.begin_nested():
            db.execute(
                update(table)
                .where(table.c.id == row["id"])
                .values(**changes, updated_at=func.now())
            )
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", "") == "23503":
            words = "names no address type"
            faults = [Fault("address_type_id", "address_type_unknown", words)]
            raise InvalidInput(f"address_type_id {words}", faults=faults) from None
        raise Conflict(f'the name "{asked.name}" is taken', code="address_name_taken") from None
    return dict(row), get(db, table, row["id"])


def get(db: Connection, table: Table, number: int) -> dict[str, Any]:
    """One address or type; NotFound with code `address_unknown` or `address_type_unknown`."""
    row = db.execute(select(table).where(table.c.id == number)).mappings().first()
    if row is None:
        raise _unknown(table, number)
    return dict(row)


def page(db: Connection, table: Table, *, limit: int, cursor: str | None, name: str | None) -> Page:
    """Addresses or types by id."""
    query = select(table)
    if name is not None:
        query = query.where(table.c.name == name)
    return fetch_page(db, query, [table.c.id], limit=limit, cursor=cursor)


def _report(db: Connection, table: Table, values: dict[str, Any]) -> tuple[int, bool]:
    statement = insert(table).values(**values).on_conflict_do_nothing(index_elements=["name"])
    made = db.scalar(statement.returning(table.c.id))
    if made is not None:
        return made, True
    return db.scalars(select(table.c.id).where(table.c.name == values["name"])).one(), False


def _unknown(table: Table, which: int | str) -> NotFound:
    kind = table.name.replace("_", " ")
    return NotFound(f"there is no {kind} {which}", code=f"{table.name}_unknown")
