"""The shapes of rules on executions, and of what comparing them found."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from quality.pipelines.anomalies import Metric


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
