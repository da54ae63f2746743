"""Rules on the numbers of executions, and what comparing them found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from api.store.paging import Page, fetch_page
from api.store.pipeline_schema import anomaly_detection_result as result
from api.store.pipeline_schema import anomaly_detection_rule as rule
from api.store.pipeline_schema import pipeline
from api.store.pipelines.executions import no_execution, no_pipeline
from api.store.pipelines.filled import among
from api.store.pipelines.pipelines import Change, settle_followers
from quality.errors import Conflict, NotFound

_TESTED = text(
    """
    select e.id, e.pipeline_id, p.name as pipeline, e.hour_recorded, e.start_date, e.end_date,
        e.completed_successfully, e.duration_seconds, e.inserts, e.updates, e.soft_deletes,
        e.total_rows, e.throughput::float8 as throughput, e.watermark, e.next_watermark
    from pipeline_execution e join pipeline p on p.id = e.pipeline_id where e.id = :id
    """
)
_OTHERS = text(
    """
    select end_date, duration_seconds, inserts, updates, soft_deletes, total_rows,
        throughput::float8 as throughput, anomaly_flags
    from pipeline_execution
    where pipeline_id = :pipeline_id and hour_recorded = :hour and completed_successfully
        and end_date >= :since and id <> :id
    order by end_date desc limit 10000
    """
)
_FLAG = text(
    """
    update pipeline_execution
    set anomaly_flags = coalesce(anomaly_flags, '{}') || cast(:flags as jsonb) where id = :id
    """
)
_UNFLAG = text(
    """
    update anomaly_detection_result
    set unflagged_at = case when :flagged then null else now() end,
        unflagged_by = case when :flagged then null else :by end
    where pipeline_execution_id = :id and metric_field = any(cast(:metrics as text[]))
    """
)


def add_rule(db: Connection, values: dict[str, Any]) -> tuple[int, bool]:
    """The id of the pipeline's rule on that metric, and whether it is new."""
    known = select(pipeline.c.id).where(pipeline.c.id == values["pipeline_id"])
    if db.scalar(known) is None:
        raise no_pipeline(values["pipeline_id"])
    statement = insert(rule).values(**values).on_conflict_do_nothing().returning(rule.c.id)
    made = db.scalar(statement)
    if made is not None:
        settle_followers(db, values["pipeline_id"])
        return made, True
    query = select(rule.c.id).where(
        rule.c.pipeline_id == values["pipeline_id"],
        rule.c.metric_field == values["metric_field"],
    )
    return db.scalars(query).one(), False


def change_rule(db: Connection, rule_id: int, changes: dict[str, Any]) -> Change:
    """Change a rule: before and after. NotFound with code `anomaly_rule_unknown`, Conflict where
    another rule is on that metric already."""
    before = get_rule(db, rule_id)
    wanted = {**before, **changes}
    taken = select(rule.c.id).where(
        rule.c.pipeline_id == wanted["pipeline_id"],
        rule.c.metric_field == wanted["metric_field"],
        rule.c.id != rule_id,
    )
    if db.scalar(taken) is not None:
        raise Conflict("another rule is on that metric of that pipeline", code="anomaly_rule_taken")
    known = select(pipeline.c.id).where(pipeline.c.id == wanted["pipeline_id"])
    if db.scalar(known) is None:
        raise no_pipeline(wanted["pipeline_id"])
    db.execute(update(rule).where(rule.c.id == rule_id).values(**changes, updated_at=func.now()))
    for pipeline_id in {before["pipeline_id"], wanted["pipeline_id"]}:
        settle_followers(db, pipeline_id)
    return before, get_rule(db, rule_id)


def get_rule(db: Connection, rule_id: int) -> dict[str, Any]:
    """One rule; NotFound with code `anomaly_rule_unknown`."""
    row = db.execute(select(rule).where(rule.c.id == rule_id)).mappings().first()
    if row is None:
        raise NotFound(f"there is no anomaly rule {rule_id}", code="anomaly_rule_unknown")
    return dict(row)


def rules_page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    pipeline_id: int | None,
    ids: list[int] | None = None,
) -> Page:
    """Rules by id; only on the pipelines `ids`."""
    query = select(rule)
    if ids is not None:
        query = query.where(among(rule.c.pipeline_id, ids))
    if pipeline_id is not None:
        query = query.where(rule.c.pipeline_id == pipeline_id)
    return fetch_page(db, query, [rule.c.id], limit=limit, cursor=cursor)


def rules_of(db: Connection, pipeline_id: int) -> list[Any]:
    """The active rules of a pipeline."""
    query = select(rule).where(rule.c.pipeline_id == pipeline_id, rule.c.active)
    return list(db.execute(query.order_by(rule.c.id)))


def tested(db: Connection, execution_id: int) -> Any:
    """An execution with its pipeline's name and its numbers; None where it is gone."""
    return db.execute(_TESTED, {"id": execution_id}).first()


def others(db: Connection, execution: Any, since: datetime) -> list[Any]:
    """Successful executions of the same pipeline and hour of the day that ended since then."""
    values = {
        "pipeline_id": execution.pipeline_id,
        "hour": execution.hour_recorded,
        "since": since,
        "id": execution.id,
    }
    return list(db.execute(_OTHERS, values))


def keep(db: Connection, execution_id: int, compared: list[dict[str, Any]]) -> None:
    """Store comparisons, and flag the execution where it is an anomaly."""
    if not compared:
        return
    rows = [{"pipeline_execution_id": execution_id, **one} for one in compared]
    db.execute(insert(result).on_conflict_do_nothing(), rows)
    flags = {one["metric_field"]: True for one in compared if one["is_anomaly"]}
    if flags:
        db.execute(_FLAG, {"id": execution_id, "flags": json.dumps(flags)})


def results_of(db: Connection, execution_id: int) -> list[dict[str, Any]]:
    """What comparing an execution found, with the numbers; NotFound where it is not there."""
    if tested(db, execution_id) is None:
        raise no_execution(execution_id)
    query = select(result).where(result.c.pipeline_execution_id == execution_id)
    return [dict(row) for row in db.execute(query.order_by(result.c.metric_field)).mappings()]


def set_flags(
    db: Connection, execution_id: int, metrics: Sequence[str], *, is_flagged: bool, by: str
) -> None:
    """Flag metrics of an execution by hand, or take their flags away."""
    flags = dict.fromkeys(metrics, is_flagged)
    if not db.execute(_FLAG, {"id": execution_id, "flags": json.dumps(flags)}).rowcount:
        raise no_execution(execution_id)
    values = {"id": execution_id, "flagged": is_flagged, "metrics": list(metrics), "by": by}
    db.execute(_UNFLAG, values)


def flagged(db: Connection, execution_id: int, pipeline_id: int) -> set[str]:
    """The metrics of a pipeline's execution that are flagged; NotFound where it is not there."""
    query = text(
        "select anomaly_flags from pipeline_execution where id = :id and pipeline_id = :of"
    )
    row = db.execute(query, {"id": execution_id, "of": pipeline_id}).first()
    if row is None:
        raise no_execution(execution_id)
    return {metric for metric, is_set in (row.anomaly_flags or {}).items() if is_set is True}
