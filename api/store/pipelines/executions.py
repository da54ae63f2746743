"""Executions: their starts and ends, each in one statement, whatever follows from them.

A start writes the execution with its row of depth 0 and one for each ancestor in the closure table.
An end moves the pipeline on, and leaves a note where something is to follow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from api.store.statement import Statement
from quality.errors import Conflict, MalformedDocument, NotFound
from quality.pipelines.reports import EndReport, StartReport

# The parent's ancestors never change, so that starts under one parent need not wait for each other.
_START = Statement(
    """
    with parent as (
        select id from pipeline_execution where id = cast(:parent_id as bigint) for key share
    ), made as (
        insert into pipeline_execution (parent_id, pipeline_id, start_date, hour_recorded,
            watermark, next_watermark, started_by)
        select cast(:parent_id as bigint), p.id, s.at,
            extract(hour from s.at at time zone 'UTC')::integer,
            coalesce(:watermark, p.watermark), coalesce(:next_watermark, p.next_watermark),
            :started_by
        from pipeline p
        cross join (select coalesce(cast(:start_date as timestamptz), now()) as at) as s
        where p.id = :pipeline_id
            and (cast(:parent_id as bigint) is null or exists (select from parent))
        returning id, pipeline_id, start_date
    ), closed as (
        insert into pipeline_execution_closure (parent_execution_id, child_execution_id, depth)
        select id, id, 0 from made
        union all
        select c.parent_execution_id, made.id, c.depth + 1
        from pipeline_execution_closure c cross join made
        where c.child_execution_id = cast(:parent_id as bigint)
    )
    select id, start_date from made
    """
)
_END = Statement(
    """
    with held as (
        select id, pipeline_id, start_date, end_date,
            (end_date, completed_successfully, inserts, updates, soft_deletes, total_rows,
                execution_metadata) is not distinct from (cast(:end_date as timestamptz),
                cast(:succeeded as boolean), cast(:inserts as bigint), cast(:updates as bigint),
                cast(:soft_deletes as bigint), cast(:total_rows as bigint),
                cast(:metadata as jsonb)) as is_same
        from pipeline_execution where id = :id for no key update
    ), ended as (
        update pipeline_execution e
        set end_date = :end_date, completed_successfully = :succeeded,
            duration_seconds = extract(epoch from :end_date - h.start_date),
            inserts = :inserts, updates = :updates, soft_deletes = :soft_deletes,
            total_rows = :total_rows, execution_metadata = cast(:metadata as jsonb),
            ended_by = :ended_by,
            throughput = round(coalesce(cast(:total_rows as bigint), case
                when coalesce(:inserts, :updates, :soft_deletes) is not null
                then coalesce(cast(:inserts as bigint), 0) + coalesce(cast(:updates as bigint), 0)
                    + coalesce(cast(:soft_deletes as bigint), 0)
                end) / extract(epoch from :end_date - h.start_date)::numeric, 4)
        from held h
        where e.id = h.id and h.end_date is null and :end_date > h.start_date
        returning e.id, e.pipeline_id
    ), moved as (
        update pipeline p
        set watermark = p.next_watermark, load_lineage = false,
            last_target_insert = case when :inserts > 0
                then greatest(p.last_target_insert, :end_date) else p.last_target_insert end,
            last_target_update = case when :updates > 0
                then greatest(p.last_target_update, :end_date) else p.last_target_update end,
            last_target_soft_delete = case when :soft_deletes > 0
                then greatest(p.last_target_soft_delete, :end_date)
                else p.last_target_soft_delete end
        from ended
        where p.id = ended.pipeline_id and :succeeded and (:inserts > 0 or :updates > 0
            or :soft_deletes > 0 or p.load_lineage
            or p.watermark is distinct from p.next_watermark)
    ), followed as (
        insert into execution_follow_up (execution_id)
        select ended.id from ended join pipeline p on p.id = ended.pipeline_id
        where :succeeded and p.has_followers
    )
    select h.start_date, h.end_date, h.is_same, exists (select from ended) as is_ended
    from held h
    """
)
_COLUMNS = """e.id, e.parent_id, e.pipeline_id, e.start_date, e.end_date, e.duration_seconds,
    e.completed_successfully, e.inserts, e.updates, e.soft_deletes, e.total_rows, e.watermark,
    e.next_watermark, e.execution_metadata, e.anomaly_flags, e.throughput::float8 as throughput,
    e.failure_reason, e.started_by, e.ended_by"""
_ONE = text(
    f"""
    select {_COLUMNS} from pipeline_execution_closure c
    join pipeline_execution e on e.id = c.child_execution_id
    where c.parent_execution_id = :id and c.depth <= 1 order by c.depth, e.id
    """  # noqa: S608 only our own list of columns
)
# Times as texts and seconds: of thousands of rows, none is made a datetime and written again.
# `date_part` gives a float8, where `extract` would make a numeric of each.
_TREE = Statement(
    """
    select e.id, e.parent_id, e.pipeline_id, to_json(e.start_date) #>> '{}' as start_date,
        to_json(e.end_date) #>> '{}' as end_date, e.completed_successfully, e.total_rows,
        date_part('epoch', e.start_date - root.start_date) as began_s,
        greatest(date_part('epoch', coalesce(e.end_date, now()) - e.start_date), 0) as seconds
    from pipeline_execution root
    join pipeline_execution_closure c on c.parent_execution_id = root.id
    join pipeline_execution e on e.id = c.child_execution_id
    where root.id = :id order by c.depth, e.start_date, e.id limit :limit
    """
)
_PIPELINES = text("select id, name from pipeline where id = any(cast(:ids as bigint[]))")
_CHECKS = text(
    """
    select id, connection, table_name as table, state, status, received_at, finished_at
    from check_run
    where request ? 'pipeline_execution_id'
        and request ->> 'pipeline_execution_id' = cast(:id as text)
    order by received_at, id limit 500
    """
)
_HAS_PIPELINE = text("select 1 from pipeline where id = :id")


def start_values(report: StartReport, by: str) -> dict[str, Any]:
    """The parameters of a start that somebody reports."""
    return {
        "pipeline_id": report.pipeline_id,
        "parent_id": report.parent_id,
        "start_date": report.start_date,
        "watermark": report.watermark,
        "next_watermark": report.next_watermark,
        "started_by": by,
    }


def start(db: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    """Start an execution: its id and start_date.

    NotFound with code `pipeline_unknown` or `execution_unknown` (the parent).
    """
    row = _START.first(db, values)
    if row is None:
        if db.scalar(_HAS_PIPELINE, {"id": values["pipeline_id"]}) is None:
            raise no_pipeline(values["pipeline_id"])
        raise NotFound(
            f"the parent, execution {values['parent_id']}, does not exist", code="execution_unknown"
        )
    return {"id": row.id, "start_date": row.start_date}


def end_values(report: EndReport, by: str) -> dict[str, Any]:
    """The parameters of an end that somebody reports."""
    metadata = report.execution_metadata
    return {
        "id": report.id,
        "end_date": report.end_date,
        "succeeded": report.completed_successfully,
        "inserts": report.inserts,
        "updates": report.updates,
        "soft_deletes": report.soft_deletes,
        "total_rows": report.total_rows,
        "metadata": None if metadata is None else json.dumps(metadata),
        "ended_by": by,
    }


def end(db: Connection, values: Mapping[str, Any]) -> None:
    """End an execution; the same end again changes nothing.

    NotFound with code `execution_unknown`, MalformedDocument with code `end_before_start`, Conflict
    with code `execution_ended` where it has ended in another way.
    """
    row = _END.first(db, values)
    if row is None:
        raise no_execution(values["id"])
    if row.is_ended or row.is_same:
        return
    if row.end_date is not None:
        raise Conflict(
            f"execution {values['id']} has ended already, with other values",
            code="execution_ended",
        )
    raise MalformedDocument(
        f"end_date must be after the start ({row.start_date.isoformat()})", code="end_before_start"
    )


def get(db: Connection, execution_id: int) -> dict[str, Any]:
    """An execution with its direct children; NotFound with code `execution_unknown`."""
    rows = [dict(row) for row in db.execute(_ONE, {"id": execution_id}).mappings()]
    if not rows:
        raise no_execution(execution_id)
    return {**rows[0], "child_executions": rows[1:]}


def checks_of(db: Connection, execution_id: int) -> list[dict[str, Any]]:
    """The checks that an execution is the parent of, with their verdicts."""
    return [dict(row) for row in db.execute(_CHECKS, {"id": execution_id}).mappings()]


def descendants(db: Connection, execution_id: int, limit: int) -> list[Any]:
    """An execution and all below it, each as a `quality.pipelines.trees.Run`, from the top and
    by their starts.

    NotFound with code `execution_unknown`.
    """
    rows = _TREE.rows(db, {"id": execution_id, "limit": limit})
    if not rows:
        raise no_execution(execution_id)
    return rows


def pipelines_of(db: Connection, rows: list[Any]) -> dict[int, str]:
    """The names of the pipelines of executions in a tree, by id."""
    ids = list({row.pipeline_id for row in rows})
    return {row.id: row.name for row in db.execute(_PIPELINES, {"ids": ids})}


def no_pipeline(which: int | str) -> NotFound:
    """The refusal of a pipeline that there is not."""
    return NotFound(f"there is no pipeline {which}", code="pipeline_unknown")


def no_execution(execution_id: int) -> NotFound:
    """The refusal of an execution that there is not."""
    return NotFound(f"there is no execution {execution_id}", code="execution_unknown")
