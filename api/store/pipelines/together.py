"""Many starts, or many ends, in one statement, as far as each is a plain one.

What is to be refused, what somebody else holds, and what was done before is left undone here: the
statements for single executions say what it comes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from api.store.statement import Statement

Values = Mapping[str, Any]
"""The parameters of the statement for one, see `executions`."""

# A row of an execution, a parent or a pipeline that others hold is skipped: no group waits for it,
# and two groups never for each other.
# All places are within the range. PostgreSQL takes such a range for one row in 200 and so looks up
# each execution by its key, also in a plan that was made when the tables were new and empty.
_RANGE = "place between 1 and 1000000"
_START = Statement(
    f"""
    with asked as (
        select * from unnest(cast(:pipeline_id as bigint[]), cast(:parent_id as bigint[]),
            cast(:start_date as timestamptz[]), cast(:watermark as text[]),
            cast(:next_watermark as text[]), cast(:started_by as text[]))
            with ordinality as a (pipeline_id, parent_id, start_date, watermark, next_watermark,
                started_by, place)
        where {_RANGE}
    ), pipelines as (
        select id, watermark, next_watermark from pipeline
        where id in (select pipeline_id from asked) for key share skip locked
    ), parents as (
        select id from pipeline_execution
        where id in (select parent_id from asked) for key share skip locked
    ), numbered as materialized (  -- so that each is known in the answer
        select nextval(pg_get_serial_sequence('pipeline_execution', 'id')) as id, a.place,
            a.parent_id, a.pipeline_id, coalesce(a.start_date, now()) as start_date,
            coalesce(a.watermark, p.watermark) as watermark,
            coalesce(a.next_watermark, p.next_watermark) as next_watermark, a.started_by
        from asked a
        join pipelines p on p.id = a.pipeline_id
        left join parents on parents.id = a.parent_id
        where a.parent_id is null or parents.id is not null
    ), made as (
        insert into pipeline_execution (id, parent_id, pipeline_id, start_date, hour_recorded,
            watermark, next_watermark, started_by)
        select id, parent_id, pipeline_id, start_date,
            extract(hour from start_date at time zone 'UTC')::integer, watermark, next_watermark,
            started_by
        from numbered
    ), closed as (
        insert into pipeline_execution_closure (parent_execution_id, child_execution_id, depth)
        select id, id, 0 from numbered
        union all
        select c.parent_execution_id, n.id, c.depth + 1
        from numbered n join pipeline_execution_closure c on c.child_execution_id = n.parent_id
    )
    select place, id, start_date from numbered
    """  # noqa: S608 only our own condition
)
_END = Statement(
    f"""
    with asked as (
        select * from unnest(cast(:id as bigint[]), cast(:end_date as timestamptz[]),
            cast(:succeeded as boolean[]), cast(:inserts as bigint[]), cast(:updates as bigint[]),
            cast(:soft_deletes as bigint[]), cast(:total_rows as bigint[]),
            cast(:metadata as text[]), cast(:ended_by as text[]))
            with ordinality as a (id, end_date, succeeded, inserts, updates, soft_deletes,
                total_rows, metadata, ended_by, place)
        where {_RANGE}
    ), held as (
        select id, pipeline_id, start_date, end_date from pipeline_execution
        where id in (select id from asked)
        for no key update skip locked
    ), pipelines as (
        select id, watermark, next_watermark, load_lineage, has_followers from pipeline
        where id in (select pipeline_id from held) for no key update skip locked
    ), ended as (
        update pipeline_execution e
        set end_date = a.end_date, completed_successfully = a.succeeded,
            duration_seconds = extract(epoch from a.end_date - h.start_date),
            inserts = a.inserts, updates = a.updates, soft_deletes = a.soft_deletes,
            total_rows = a.total_rows, execution_metadata = cast(a.metadata as jsonb),
            ended_by = a.ended_by,
            throughput = round(coalesce(a.total_rows, case
                when coalesce(a.inserts, a.updates, a.soft_deletes) is not null
                then coalesce(a.inserts, 0) + coalesce(a.updates, 0) + coalesce(a.soft_deletes, 0)
                end) / extract(epoch from a.end_date - h.start_date)::numeric, 4)
        from asked a join held h on h.id = a.id join pipelines p on p.id = h.pipeline_id
        where e.id = h.id and h.end_date is null and a.end_date > h.start_date
        returning e.id, e.pipeline_id, a.end_date, a.succeeded, a.inserts, a.updates,
            a.soft_deletes
    ), together as (
        select pipeline_id, max(end_date) filter (where inserts > 0) as inserted,
            max(end_date) filter (where updates > 0) as updated,
            max(end_date) filter (where soft_deletes > 0) as deleted
        from ended where succeeded group by pipeline_id
    ), moved as (
        update pipeline p
        set watermark = p.next_watermark, load_lineage = false,
            last_target_insert = greatest(p.last_target_insert, t.inserted),
            last_target_update = greatest(p.last_target_update, t.updated),
            last_target_soft_delete = greatest(p.last_target_soft_delete, t.deleted)
        from together t
        where p.id = t.pipeline_id and (t.inserted is not null or t.updated is not null
            or t.deleted is not null or p.load_lineage
            or p.watermark is distinct from p.next_watermark)
    ), followed as (
        insert into execution_follow_up (execution_id)
        select ended.id from ended join pipelines p on p.id = ended.pipeline_id
        where ended.succeeded and p.has_followers
    )
    select id from ended
    """  # noqa: S608 only our own condition
)


def start(db: Connection, asked: Sequence[Values]) -> list[dict[str, Any] | None]:
    """Start executions: id and start_date of each, or None for one that was left undone."""
    made = {
        row.place: {"id": row.id, "start_date": row.start_date}
        for row in _START.rows(db, _columns(asked))
    }
    return [made.get(place) for place in range(1, len(asked) + 1)]


def end(db: Connection, asked: Sequence[Values]) -> list[bool | None]:
    """End executions: True for each that ended, or None for one that was left undone."""
    first = {one["id"]: one for one in reversed(asked)}
    ended = {row.id for row in _END.rows(db, _columns(first.values()))}
    return [True if one["id"] in ended and one is first[one["id"]] else None for one in asked]


def _columns(asked: Iterable[Values]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for one in asked:
        for name, value in one.items():
            columns.setdefault(name, []).append(value)
    return columns
