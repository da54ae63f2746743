"""The shapes of executions, their trees and what their days came to."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field


class ExecutionCheck(BaseModel):
    """A check that an execution is the parent of."""

    id: str
    connection: str
    table: str
    state: str
    status: str | None
    received_at: AwareDatetime
    finished_at: AwareDatetime | None


class ExecutionSummary(BaseModel):
    """An execution of a pipeline."""

    id: int
    parent_id: int | None
    pipeline_id: int
    start_date: AwareDatetime
    end_date: AwareDatetime | None
    duration_seconds: float | None
    completed_successfully: bool | None
    inserts: int | None
    updates: int | None
    soft_deletes: int | None
    total_rows: int | None
    watermark: str | None
    next_watermark: str | None
    execution_metadata: dict[str, Any] | None
    anomaly_flags: dict[str, bool] | None
    throughput: float | None = Field(description="rows a second")
    failure_reason: str | None = Field(description="where the service itself ended it")
    started_by: str | None = Field(description="the holder of the token")
    ended_by: str | None


class ExecutionView(ExecutionSummary):
    """An execution with its direct children and the checks of what it wrote."""

    child_executions: list[ExecutionSummary]
    checks: list[ExecutionCheck]


class ExecutionPage(BaseModel):
    """Executions, newest first."""

    items: list[ExecutionSummary]
    next_cursor: str | None


class TreeNode(BaseModel):
    """An execution in its tree; shares are of the root's time."""

    id: int
    parent_id: int | None
    pipeline_id: int
    start_date: AwareDatetime
    end_date: AwareDatetime | None
    completed_successfully: bool | None
    total_rows: int | None
    seconds: float = Field(description="taken so far")
    share: float
    own_share: float = Field(description="without the time in which children ran")
    is_failed: bool
    children: list[TreeNode]


class ExecutionTree(BaseModel):
    """An execution and all below it, and where a failure began."""

    executions: int
    is_complete: bool = Field(description="false: there are more than could be shown")
    failed_execution_id: int | None
    pipelines: dict[int, str] = Field(description="names by id")
    root: TreeNode


class DayView(BaseModel):
    """What the executions of a pipeline on one day (UTC) came to."""

    day: str
    pipeline_type: str
    pipeline_id: int
    pipeline: str
    executions: int
    succeeded: int
    failed: int
    running: int
    mean_seconds: float | None
    longest_seconds: float | None
    total_rows: int
    anomalies: int


class DailyReport(BaseModel):
    """Pipelines by day, newest first."""

    is_complete: bool = Field(description="false: there are more than could be shown")
    items: list[DayView]
