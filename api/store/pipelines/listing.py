"""Lists of executions."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, Float, cast, func, select
from sqlalchemy.dialects.postgresql import JSONPATH

from api.store.paging import Page, fetch_page
from api.store.pipeline_schema import pipeline, pipeline_execution
from api.store.pipelines.filled import among

State = Literal["running", "succeeded", "failed"]

_STATES = {
    "running": pipeline_execution.c.end_date.is_(None),
    "succeeded": pipeline_execution.c.completed_successfully.is_(True),
    "failed": pipeline_execution.c.completed_successfully.is_(False),
}
_HIDDEN = {"hour_recorded", "throughput"}


def page(db: Connection, *, limit: int, cursor: str | None, filters: dict[str, Any]) -> Page:
    """Executions, newest first: of a pipeline (by id or name), some pipelines, a parent, a state,
    or started in a time; or those with an anomaly flag."""
    columns = pipeline_execution.c
    query = select(
        *(column for column in columns if column.name not in _HIDDEN),
        cast(columns.throughput, Float).label("throughput"),
    )
    flagged = func.jsonb_path_exists(columns.anomaly_flags, cast("$.* ? (@ == true)", JSONPATH))
    conditions: dict[str, Any] = {
        "pipeline_id": lambda value: columns.pipeline_id == value,
        "pipeline": lambda value: (
            columns.pipeline_id
            == select(pipeline.c.id).where(pipeline.c.name == value).scalar_subquery()
        ),
        "pipelines": lambda value: among(columns.pipeline_id, value),
        "parent_id": lambda value: columns.parent_id == value,
        "state": lambda value: _STATES[value],
        "anomalous": lambda value: func.coalesce(flagged, False) == value,
        "since": lambda value: columns.start_date >= value,
        "until": lambda value: columns.start_date < value,
    }
    for name, value in filters.items():
        if value is not None:
            query = query.where(conditions[name](value))
    return fetch_page(db, query, [columns.id], limit=limit, cursor=cursor, descending=True)
