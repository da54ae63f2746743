"""The shapes of pipelines and their types."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, RootModel

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
