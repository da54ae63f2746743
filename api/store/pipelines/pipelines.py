"""Pipelines, kept in step with what their code declares."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from api.store.paging import Page, fetch_page
from api.store.pipeline_schema import pipeline, pipeline_table, pipeline_type
from api.store.pipelines.executions import no_pipeline
from api.store.pipelines.filled import among
from api.store.statement import Statement
from quality.errors import Conflict, Fault, InvalidInput
from quality.pipelines.reports import FilledTable, PipelineChange, PipelineReport

# What is as it was costs one statement, and writes nothing but a new watermark.
_KNOWN = Statement(
    """
    with known as (
        select id, active, load_lineage, watermark from pipeline
        where name = :name and input_hash = :digest
    ), moved as (
        update pipeline p set next_watermark = :next_watermark from known
        where p.id = known.id and cast(:next_watermark as text) is not null
            and p.next_watermark is distinct from :next_watermark
    )
    select * from known
    """
)
_PUT = text(
    """
    insert into pipeline (name, pipeline_type_id, pipeline_metadata, next_watermark,
        freshness_number, freshness_datepart, timeliness_number, timeliness_datepart, input_hash)
    values (:name, :type_id, cast(:metadata as jsonb), :next_watermark, :freshness_number,
        :freshness_datepart, :timeliness_number, :timeliness_datepart, :digest)
    on conflict (name) do update set
        pipeline_type_id = excluded.pipeline_type_id,
        pipeline_metadata = excluded.pipeline_metadata,
        next_watermark = coalesce(excluded.next_watermark, pipeline.next_watermark),
        freshness_number = excluded.freshness_number,
        freshness_datepart = excluded.freshness_datepart,
        timeliness_number = excluded.timeliness_number,
        timeliness_datepart = excluded.timeliness_datepart,
        input_hash = excluded.input_hash, load_lineage = true, updated_at = now()
    returning id, active, load_lineage, watermark, xmax = 0 as is_new
    """
)
_FOLLOWED = text(
    """
    update pipeline p set has_followers = exists (
            select from pipeline_table t where t.pipeline_id = p.id
        ) or exists (
            select from anomaly_detection_rule r where r.pipeline_id = p.id and r.active
        )
    where p.id = :id
    """
)
_HIDDEN = {"input_hash", "has_followers", "cadence_since"}
_PAIRS = ("freshness", "timeliness")

Change = tuple[dict[str, Any], dict[str, Any]]
"""A row before and after."""


def unchanged(db: Connection, found: PipelineReport) -> dict[str, Any] | None:
    """The answer to the program of a pipeline that is as it was; a new watermark is noted."""
    row = _KNOWN.first(db, _identity(found))
    return None if row is None else _answer(row)


def put(db: Connection, found: PipelineReport) -> tuple[dict[str, Any], bool]:
    """Keep a pipeline as reported; the answer to its program, and whether it is new."""
    type_id = _type(db, found.pipeline_type_name)
    values = found.model_dump(include=_DECLARED) | _identity(found)
    metadata = found.pipeline_metadata
    values["metadata"] = None if metadata is None else json.dumps(metadata)
    row = db.execute(_PUT, {**values, "type_id": type_id}).one()
    _extend(db, row.id, found.model_fields_set, found)
    return _answer(row), row.is_new


def _identity(found: PipelineReport) -> dict[str, Any]:
    return {
        "name": found.name,
        "digest": found.digest,
        "next_watermark": found.next_watermark,
    }


_DECLARED = {
    "freshness_number",
    "freshness_datepart",
    "timeliness_number",
    "timeliness_datepart",
}


def _type(db: Connection, name: str) -> int:
    """The id of the type of that name, made where need be."""
    query = select(pipeline_type.c.id).where(pipeline_type.c.name == name)
    if (known := db.scalar(query)) is not None:
        return known
    db.execute(insert(pipeline_type).values(name=name).on_conflict_do_nothing())
    return db.scalars(query).one()  # another one's, if that was faster


def change(db: Connection, asked: PipelineChange) -> Change:
    """Change what was sent of a pipeline: how it was before, and after.

    NotFound with code `pipeline_unknown`, Conflict with code `pipeline_name_taken`.
    """
    where = pipeline.c.name == asked.name if asked.id is None else pipeline.c.id == asked.id
    row = db.execute(select(pipeline).where(where).with_for_update(key_share=True)).first()
    if row is None:
        raise no_pipeline(f'"{asked.name}"' if asked.id is None else asked.id)
    sent = asked.model_fields_set - {"id", "tables", "cadence", "cadence_grace_s", "owner"}
    before = get(db, row.id)
    changes = {name: getattr(asked, name) for name in sent}
    if asked.id is None:
        changes.pop("name", None)
    check_pairs({**row._mapping, **changes})
    if changes.get("pipeline_type_id") is not None:
        known = select(pipeline_type.c.id).where(pipeline_type.c.id == changes["pipeline_type_id"])
        if db.scalar(known) is None:
            raise InvalidInput(
                "pipeline_type_id names no pipeline type",
                faults=[Fault("pipeline_type_id", "pipeline_type_unknown", "does not exist")],
            )
    for name in ("pipeline_type_id", "name"):  # cannot be taken away
        if name in changes and changes[name] is None:
            del changes[name]
    try:
        with db.begin_nested():
            db.execute(
                update(pipeline)
                .where(pipeline.c.id == row.id)
                .values(**changes, updated_at=func.now())
            )
    except IntegrityError:
        raise Conflict(
            f'another pipeline is named "{asked.name}"', code="pipeline_name_taken"
        ) from None
    _extend(db, row.id, asked.model_fields_set, asked)
    return before, get(db, row.id)


def check_pairs(values: Any) -> None:
    """Refuse a number without its datepart, and the other way round."""
    for kind in _PAIRS:
        names = (f"{kind}_number", f"{kind}_datepart")
        if (values[names[0]] is None) != (values[names[1]] is None):
            words = f"{names[0]} and {names[1]} go together: send both"
            missing = names[0] if values[names[0]] is None else names[1]
            raise InvalidInput(words, faults=[Fault(missing, "missing", words)])


def find(db: Connection, name: str) -> dict[str, Any] | None:
    """The pipeline of that name, if there is one."""
    row = db.execute(_shown().where(pipeline.c.name == name)).mappings().first()
    return None if row is None else _with_tables(db, [dict(row)])[0]


def get(db: Connection, pipeline_id: int) -> dict[str, Any]:
    """One pipeline with the tables that it fills; NotFound with code `pipeline_unknown`."""
    row = db.execute(_shown().where(pipeline.c.id == pipeline_id)).mappings().first()
    if row is None:
        raise no_pipeline(pipeline_id)
    return _with_tables(db, [dict(row)])[0]


def page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    filters: dict[str, Any],
    ids: list[int] | None = None,
) -> Page:
    """Pipelines by id: of a name, type (by name), owner or activity, and only of these `ids`."""
    query = _shown()
    if ids is not None:
        query = query.where(among(pipeline.c.id, ids))
    columns = {
        "name": pipeline.c.name,
        "type": pipeline_type.c.name,
        "owner": pipeline.c.owner,
        "active": pipeline.c.active,
    }
    for name, value in filters.items():
        if value is not None:
            query = query.where(columns[name] == value)
    found = fetch_page(db, query, [pipeline.c.id], limit=limit, cursor=cursor)
    return Page(_with_tables(db, found.items), found.next_cursor)


def settle_followers(db: Connection, pipeline_id: int) -> None:
    """Note whether anything follows a successful end."""
    db.execute(_FOLLOWED, {"id": pipeline_id})


def _shown() -> Any:
    columns = (column for column in pipeline.c if column.name not in _HIDDEN)
    return select(*columns, pipeline_type.c.name.label("pipeline_type_name")).join(
        pipeline_type, pipeline_type.c.id == pipeline.c.pipeline_type_id
    )


def _with_tables(db: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tables: dict[int, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
    query = (
        select(pipeline_table)
        .where(pipeline_table.c.pipeline_id.in_(list(tables)))
        .order_by(pipeline_table.c.connection, pipeline_table.c.table_name)
    )
    for found in db.execute(query) if tables else ():
        tables[found.pipeline_id].append(
            {
                "connection": found.connection,
                "table": found.table_name,
                "column": found.column_name,
                "by": found.scoped_by,
            }
        )
    return [{**row, "tables": tables[row["id"]]} for row in rows]


def _extend(db: Connection, pipeline_id: int, sent: set[str], found: Any) -> None:
    changes = {name: getattr(found, name) for name in ("owner", "cadence_grace_s") if name in sent}
    if "cadence" in sent:
        changes |= {
            "cadence": found.cadence,
            "cadence_since": None if found.cadence is None else func.now(),
        }
    if changes:
        db.execute(update(pipeline).where(pipeline.c.id == pipeline_id).values(**changes))
    if "tables" in sent:
        _fill(db, pipeline_id, found.tables or ())
        settle_followers(db, pipeline_id)


def _fill(db: Connection, pipeline_id: int, tables: tuple[FilledTable, ...]) -> None:
    db.execute(pipeline_table.delete().where(pipeline_table.c.pipeline_id == pipeline_id))
    rows = {
        (one.connection, one.table): {
            "pipeline_id": pipeline_id,
            "connection": one.connection,
            "table_name": one.table,
            "column_name": one.column,
            "scoped_by": one.by,
        }
        for one in tables
    }
    if rows:
        db.execute(pipeline_table.insert(), list(rows.values()))


def _answer(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "active": row.active,
        "load_lineage": row.load_lineage,
        "watermark": row.watermark,
    }
