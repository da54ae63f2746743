"""What the clock looks at: the newest writes of pipelines, and executions that may be late."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

# A threshold is a pipeline's own or, where it has none, that of its type.
_WRITTEN = text(
    """
    select p.id, p.name, p.last_target_insert, p.last_target_update, p.last_target_soft_delete,
        case when p.freshness_number is null then t.freshness_number else p.freshness_number end
            as number,
        case when p.freshness_number is null then t.freshness_datepart else p.freshness_datepart
            end as datepart
    from pipeline p join pipeline_type t on t.id = p.pipeline_type_id
    where p.active and not p.mute_freshness_check and not t.mute_freshness_check
        and coalesce(p.freshness_number, t.freshness_number) is not null
        and coalesce(p.last_target_insert, p.last_target_update, p.last_target_soft_delete)
            is not null
    order by p.id
    """
)
# The shortest that a datepart can be: what took less is in time without a calendar.
_SUSPECT = text(
    """
    select e.id, e.start_date, e.end_date, e.completed_successfully, p.id as pipeline_id, p.name,
        l.number, l.datepart
    from (
        select * from pipeline_execution where end_date is null
        union all
        select * from pipeline_execution where end_date >= :since and completed_successfully
    ) as e
    join pipeline p on p.id = e.pipeline_id
    join pipeline_type t on t.id = p.pipeline_type_id
    cross join lateral (select
        case when p.timeliness_number is null then t.timeliness_number else p.timeliness_number
            end as number,
        case when p.timeliness_number is null then t.timeliness_datepart
            else p.timeliness_datepart end as datepart
    ) as l
    where p.active and not p.mute_timeliness_check and not t.mute_timeliness_check
        and l.number is not null
        and extract(epoch from coalesce(e.end_date, :now) - e.start_date) > l.number * case
            l.datepart when 'minute' then 60 when 'hour' then 3600 when 'day' then 86400
            when 'week' then 604800 when 'month' then 2419200 else 31536000 end::bigint
        and not exists (
            select from pipeline_alert a where a.pipeline_id = p.id and a.kind = 'timeliness'
                and a.state_key = e.id::text
        )
    order by e.id limit 10000
    """
)
_EXPECTED = text(
    """
    select id, name, cadence, cadence_grace_s, cadence_since from pipeline
    where active and cadence is not null order by id
    """
)
_STARTED = text(
    """
    select i.id from jsonb_to_recordset(cast(:items as jsonb))
        as i (id bigint, begins timestamptz, ends timestamptz)
    where exists (
        select from pipeline_execution e
        where e.pipeline_id = i.id and e.start_date >= i.begins and e.start_date < i.ends
    )
    """
)


def written(db: Connection) -> list[Any]:
    """Pipelines that have a freshness threshold and ever wrote anything."""
    return list(db.execute(_WRITTEN))


def suspects(db: Connection, since: datetime, now: datetime) -> list[Any]:
    """Executions that run, or ended well since then, took long and were not alerted of yet."""
    return list(db.execute(_SUSPECT, {"since": since, "now": now}))


def expected(db: Connection) -> list[Any]:
    """Pipelines with a cadence."""
    return list(db.execute(_EXPECTED))


def started(db: Connection, spans: dict[int, tuple[datetime, datetime]]) -> set[int]:
    """The pipelines of which an execution started in their span of time."""
    items = [
        {"id": number, "begins": begins.isoformat(), "ends": ends.isoformat()}
        for number, (begins, ends) in spans.items()
    ]
    return set(db.scalars(_STARTED, {"items": json.dumps(items)}))
