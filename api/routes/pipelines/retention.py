"""Retention on request: what would go, and letting it go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api import audit
from api.operations import Answer, Body, Operations
from api.routes.pipelines.framework import add as add_at_root
from api.services import services
from quality.pipelines.reports import Report

operations = Operations("retention", __name__)
add = operations.add

KindName = Literal[
    "executions",
    "alerts",
    "results",
    "samples",
    "measurements",
    "dead_letters",
    "gate_decisions",
    "audit",
]


class RetentionItem(BaseModel):
    kind: KindName
    retention_days: int
    rows: int = Field(description="that are older")
    oldest: AwareDatetime | None


class RetentionPreview(BaseModel):
    """What would go now."""

    items: list[RetentionItem]


class RetentionBody(Body):
    kinds: Annotated[tuple[KindName, ...], Field(max_length=8)] = Field(
        default=(), description="all of them where none is named"
    )


class RetentionDone(BaseModel):
    """How many rows went, by kind."""

    dropped: dict[str, int]


class CleanUpReport(Report):
    retention_days: Annotated[int, Field(ge=90, le=36_500)]
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 10_000


class CleanUpDone(BaseModel):
    """What went, under the framework's names."""

    total_pipeline_executions_deleted: int
    total_timeliness_pipeline_execution_logs_deleted: int
    total_anomaly_detection_results_deleted: int
    total_pipeline_execution_closure_parent_deleted: int
    total_pipeline_execution_closure_child_deleted: int
    total_freshness_pipeline_logs_deleted: int


@add("GET", "/retention", answers={200: RetentionPreview}, is_about_tables=False)
def preview_retention() -> Answer:
    """A dry run: what is older than its retention, and would go."""
    return Answer({"items": services().retention.preview()})


@add("POST", "/retention", body=RetentionBody, answers={200: RetentionDone}, scope="admin")
def run_retention(body: RetentionBody) -> Answer:
    """Let go now what is older than its retention; the clock does the same."""
    dropped = services().retention.run(body.kinds)
    with services().database.begin() as db:
        audit.record(db, "retention.run", "retention", {"dropped": dropped})
    return Answer({"dropped": dropped})


@add_at_root(
    "POST", "/log_cleanup", body=CleanUpReport, answers={200: CleanUpDone}, scope="pipelines"
)
def clean_up_logs(body: CleanUpReport) -> Answer:
    """Drop executions that started longer ago than so many days (90 at least), and their alerts."""
    dropped, alerts = services().retention.clean_up(body.retention_days, body.batch_size)
    detail = {"retention_days": body.retention_days, "executions": dropped.executions}
    with services().database.begin() as db:
        audit.record(db, "retention.run", "executions", detail)
    return Answer(
        {
            "total_pipeline_executions_deleted": dropped.executions,
            "total_timeliness_pipeline_execution_logs_deleted": alerts.get("timeliness", 0),
            "total_anomaly_detection_results_deleted": dropped.comparisons,
            "total_pipeline_execution_closure_parent_deleted": dropped.closure_as_parent,
            "total_pipeline_execution_closure_child_deleted": dropped.closure_as_child,
            "total_freshness_pipeline_logs_deleted": alerts.get("freshness", 0),
        }
    )
