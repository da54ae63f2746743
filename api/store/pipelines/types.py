"""Types of pipelines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from api.store.paging import Page, fetch_page
from api.store.pipeline_schema import pipeline_type
from api.store.pipelines.pipelines import Change, check_pairs
from quality.errors import Conflict, NotFound
from quality.pipelines.reports import TypeChange, TypeReport


def report(db: Connection, found: TypeReport) -> tuple[int, bool]:
    """The id of the type of that name, and whether it is new; one that is there stays as it is."""
    statement = (
        insert(pipeline_type)
        .values(**found.model_dump())
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(pipeline_type.c.id)
    )
    made = db.scalar(statement)
    if made is not None:
        return made, True
    query = select(pipeline_type.c.id).where(pipeline_type.c.name == found.name)
    return db.scalars(query).one(), False


def change(db: Connection, asked: TypeChange) -> Change:
    """Change what was sent of a type: before and after.

    NotFound, or Conflict where its new name is taken.
    """
    columns = pipeline_type.c
    where = columns.name == asked.name if asked.id is None else columns.id == asked.id
    row = db.execute(select(pipeline_type).where(where).with_for_update()).mappings().first()
    if row is None:
        raise no_type(f'"{asked.name}"' if asked.id is None else asked.id)
    changes = {name: getattr(asked, name) for name in asked.model_fields_set - {"id"}}
    if changes.get("name") is None or asked.id is None:
        changes.pop("name", None)
    check_pairs({**row, **changes})
    try:
        with db.begin_nested():
            db.execute(
                update(pipeline_type)
                .where(columns.id == row["id"])
                .values(**changes, updated_at=func.now())
            )
    except IntegrityError:
        raise Conflict(
            f'another pipeline type is named "{asked.name}"', code="pipeline_type_name_taken"
        ) from None
    return dict(row), get(db, row["id"])


def get(db: Connection, type_id: int) -> dict[str, Any]:
    """One type; NotFound with code `pipeline_type_unknown`."""
    query = select(pipeline_type).where(pipeline_type.c.id == type_id)
    row = db.execute(query).mappings().first()
    if row is None:
        raise no_type(type_id)
    return dict(row)


def page(db: Connection, *, limit: int, cursor: str | None, name: str | None) -> Page:
    """Types by id."""
    query = select(pipeline_type)
    if name is not None:
        query = query.where(pipeline_type.c.name == name)
    return fetch_page(db, query, [pipeline_type.c.id], limit=limit, cursor=cursor)


def no_type(which: int | str) -> NotFound:
    """The refusal of a pipeline type that there is not."""
    return NotFound(f"there is no pipeline type {which}", code="pipeline_type_unknown")
