"""The daily report: what the executions of each day came to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_REPORT = text(
    """
    select (e.start_date at time zone 'UTC')::date::text as day, t.name as pipeline_type,
        p.id as pipeline_id, p.name as pipeline, count(*) as executions,
        count(*) filter (where e.completed_successfully) as succeeded,
        count(*) filter (where not e.completed_successfully) as failed,
        count(*) filter (where e.end_date is null) as running,
        avg(e.duration_seconds) as mean_seconds, max(e.duration_seconds) as longest_seconds,
        coalesce(sum(e.total_rows), 0)::bigint as total_rows,
        count(*) filter (where jsonb_path_exists(e.anomaly_flags, '$.* ? (@ == true)'))
            as anomalies
    from pipeline_execution e join pipeline p on p.id = e.pipeline_id
    join pipeline_type t on t.id = p.pipeline_type_id
    where e.start_date >= :since and e.start_date < :until
    group by 1, 2, 3, 4 order by 1 desc, 2, 4 limit :limit
    """
)


def report(db: Connection, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
    """A row for each pipeline and day (UTC), newest first."""
    values = {"since": since, "until": until, "limit": limit}
    return [dict(row) for row in db.execute(_REPORT, values).mappings()]
