"""The shapes that the paths of pipelines answer with."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from quality.pipelines.anomalies import Metric
from quality.pipelines.intervals import DatePart
from quality.pipelines.reports import FilledTable


class Reported(BaseModel):
    """What the program of a pipeline needs to know: its id, and where it stands."""

    id: int
    active: bool
    load_lineage: bool
    watermark: str | None


class Made(BaseModel):
    """The id of what was reported."""

    id: int


class _Thresholds(BaseModel):
    freshness_number: int | None
    freshness_datepart: DatePart | None
    mute_freshness_check: bool
    timeliness_number: int | None
    timeliness_datepart: DatePart | None
    mute_timeliness_check: bool


class PipelineView(_Thresholds):
    """A pipeline, with the tables that it fills."""

    id: int
    name: str
    pipeline_type_id: int
    pipeline_type_name: str
    owner: str | None
    watermark: str | None
    next_watermark: str | None
    pipeline_metadata: dict[str, Any] | None
    last_target_insert: AwareDatetime | None
    last_target_update: AwareDatetime | None
    last_target_soft_delete: AwareDatetime | None
    load_lineage: bool
    active: bool
    cadence: str | None
    cadence_grace_s: int
    tables: list[FilledTable]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class PipelineList(RootModel[list[PipelineView]]):
    """Pipelines by id."""


class PipelinePage(BaseModel):
    """Pipelines by id."""

    items: list[PipelineView]
    next_cursor: str | None


class TypeView(_Thresholds):
    """A type of pipelines."""

    id: int
    name: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class TypeList(RootModel[list[TypeView]]):
    """Types of pipelines by id."""


class TypePage(BaseModel):
    """Types of pipelines by id."""

    items: list[TypeView]
    next_cursor: str | None


class Started(BaseModel):
    """A new execution."""

    id: int
    start_date: AwareDatetime


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


class NewAlert(BaseModel):
    pipeline_id: int
    pipeline: str
    execution_id: int | None
    message: str
    check_id: str = Field(description="the check that holds the result")


class Looked(BaseModel):
    """What a look at pipelines found: all that is not as it should be, and what of it is new."""

    status: str
    checked: int
    standing: int
    new_alerts: list[NewAlert]


class AlertView(BaseModel):
    """A state of a pipeline that was alerted of, once."""

    id: int
    pipeline_id: int
    pipeline: str
    kind: str
    state_key: str
    execution_id: int | None
    at: AwareDatetime
    message: str
    measured: dict[str, Any]
    check_id: str
    resolved_at: AwareDatetime | None


class AlertPage(BaseModel):
    """Alerts of pipelines, newest first."""

    items: list[AlertView]
    next_cursor: str | None


class AnomalyRuleView(BaseModel):
    """A rule on a number of a pipeline's executions."""

    id: int
    pipeline_id: int
    metric_field: Metric
    z_threshold: float
    lookback_days: int
    minimum_executions: int
    active: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class AnomalyRuleList(RootModel[list[AnomalyRuleView]]):
    """Rules by id."""


class ComparisonNumbers(BaseModel):
    value: float
    mean: float
    deviation: float
    executions: int
    z: float | None = Field(description="null: the others were all the same, and this one is not")


class ComparisonView(BaseModel):
    """An execution beside earlier ones of its hour of the day."""

    pipeline_execution_id: int
    metric_field: Metric
    is_anomaly: bool
    numbers: ComparisonNumbers
    z_threshold: float
    detected_at: AwareDatetime
    unflagged_at: AwareDatetime | None
    unflagged_by: str | None


class ComparisonList(BaseModel):
    """What comparing an execution with others found, and the flags that stand."""

    flags: dict[str, bool]
    items: list[ComparisonView]


class AddressView(BaseModel):
    """A place that data is in."""

    id: int
    name: str
    address_type_id: int
    database_name: str | None
    schema_name: str | None
    table_name: str | None
    primary_key: str | None
    address_metadata: dict[str, Any] | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class AddressList(RootModel[list[AddressView]]):
    """Addresses by id."""


class AddressTypeView(BaseModel):
    """A kind of addresses."""

    id: int
    name: str
    group_name: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class AddressTypeList(RootModel[list[AddressTypeView]]):
    """Kinds of addresses by id."""


class LineageKept(BaseModel):
    """What became of a lineage."""

    pipeline_id: int
    lineage_relationships_created: int
    message: str


class LineagePipeline(BaseModel):
    id: int
    name: str
    owner: str | None
    active: bool


class LineageTable(BaseModel):
    id: int
    connection: str
    table: str
    status: str | None
    owner: str | None


class LineageNode(BaseModel):
    """An address on the way, the pipelines that lead there, and the monitored tables it is."""

    id: int
    name: str
    address_type: str
    group_name: str
    database_name: str | None
    schema_name: str | None
    table_name: str | None
    depth: int
    pipelines: list[LineagePipeline]
    tables: list[LineageTable]


class Lineage(BaseModel):
    """What a table is made from, or what is made from it, nearest first."""

    direction: str
    is_complete: bool = Field(description="false: there are more than could be shown")
    items: list[LineageNode]


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
