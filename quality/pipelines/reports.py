"""What programs report: pipelines, their types, and the start and end of executions.

Unknown fields are passed over, as the Watcher framework does.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from quality.documents import canonical_json
from quality.names import ConnectionName, Identifier, Owner, TableText
from quality.pipelines.cadence import cadence_text
from quality.pipelines.intervals import MAX_NUMBER, DatePart
from quality.pipelines.texts import Folded, Metadata, Moment, Name, Stripped, Watermark

Id = Annotated[int, Field(ge=1, lt=2**63)]
Number = Annotated[int, Field(gt=0, le=MAX_NUMBER)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Part = Annotated[DatePart, Folded]


class Report(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class FilledTable(BaseModel):
    """A table that a pipeline fills, and how what one execution wrote is known: rows whose `column`
    has the time of the execution, its watermarks (after the old, up to the new) or its id.

    Without a column the whole table is checked after each execution.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connection: ConnectionName = "demo"
    table: TableText
    column: Identifier | None = None
    by: Literal["time", "watermark", "execution"] = "time"


class Thresholds(Report):
    freshness_number: Number | None = None
    freshness_datepart: Part | None = None
    timeliness_number: Number | None = None
    timeliness_datepart: Part | None = None


class CompleteThresholds(Thresholds):
    @model_validator(mode="after")
    def _both_or_none(self) -> CompleteThresholds:
        for kind in ("freshness", "timeliness"):
            number, part = getattr(self, f"{kind}_number"), getattr(self, f"{kind}_datepart")
            if (number is None) != (part is None):
                raise ValueError(f"{kind}_number and {kind}_datepart go together: send both")
        return self


class Extensions(Report):
    """What StringX knows of a pipeline beyond the framework; left out, it stays as it is."""

    owner: Annotated[Owner, Stripped] | None = None
    tables: Annotated[tuple[FilledTable, ...], Field(max_length=100)] | None = None
    cadence: (
        Annotated[str, Stripped, Field(min_length=1, max_length=120), AfterValidator(cadence_text)]
        | None
    ) = Field(default=None, description="when it has to run: a cron expression or 30m, 1h, 1d")
    cadence_grace_s: Annotated[int, Field(ge=0, le=31_536_000)] = Field(
        default=300, description="how late an execution may start before it is missing"
    )


class PipelineReport(CompleteThresholds, Extensions):
    """A pipeline as its code declares it."""

    name: Name
    pipeline_type_name: Name
    next_watermark: Watermark = None
    pipeline_metadata: Metadata | None = None

    @property
    def extensions(self) -> dict[str, Any]:
        """Those that were sent."""
        sent = self.model_fields_set & Extensions.model_fields.keys()
        return self.model_dump(mode="json", include=sent)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what was declared; where the pipeline stands is no part of it."""
        declared = self.model_dump(
            mode="json", exclude={"next_watermark", *Extensions.model_fields}
        )
        document = canonical_json({**declared, **self.extensions})
        return hashlib.sha256(document).hexdigest()


class PipelineChange(Thresholds, Extensions):
    """What to change of a pipeline; what is left out stays. `pipeline_id` is taken for `id`."""

    id: Id | None = Field(default=None, validation_alias=AliasChoices("id", "pipeline_id"))
    name: Name | None = None
    pipeline_type_id: Id | None = None
    watermark: Watermark = None
    next_watermark: Watermark = None
    pipeline_metadata: Metadata | None = None
    mute_freshness_check: bool = False
    mute_timeliness_check: bool = False
    load_lineage: bool = True
    active: bool = True

    @model_validator(mode="after")
    def _which(self) -> PipelineChange:
        if self.id is None and self.name is None:
            raise ValueError("name the pipeline: send id or name")
        return self


class TypeReport(CompleteThresholds):
    """A kind of pipelines; its thresholds serve those that have none."""

    name: Name
    mute_freshness_check: bool = False
    mute_timeliness_check: bool = False


class TypeChange(Thresholds):
    """What to change of a pipeline type; what is left out stays."""

    id: Id | None = None
    name: Name | None = None
    mute_freshness_check: bool = False
    mute_timeliness_check: bool = False

    @model_validator(mode="after")
    def _which(self) -> TypeChange:
        if self.id is None and self.name is None:
            raise ValueError("name the pipeline type: send id or name")
        return self


class StartReport(Report):
    """The start of an execution. `parent_execution_id` is taken for `parent_id`."""

    pipeline_id: Id
    start_date: Moment | None = None
    watermark: Watermark = None
    next_watermark: Watermark = None
    parent_id: Id | None = Field(
        default=None, validation_alias=AliasChoices("parent_id", "parent_execution_id")
    )


class EndReport(Report):
    """The end of an execution."""

    id: Id
    end_date: Moment
    completed_successfully: bool
    inserts: Count | None = None
    updates: Count | None = None
    soft_deletes: Count | None = None
    total_rows: Count | None = None
    execution_metadata: Metadata | None = None


ShortText = Annotated[str, Folded, Field(max_length=63)]


class AddressReport(Report):
    """A place that data is in: a table, a file, a topic … with its type and the group of that."""

    name: Name
    address_type_name: Name
    address_type_group_name: Name
    database_name: ShortText | None = None
    schema_name: ShortText | None = None
    table_name: ShortText | None = None
    primary_key: ShortText | None = None
    address_metadata: Metadata | None = None


class AddressChange(Report):
    """What to change of an address; what is left out stays."""

    id: Id | None = None
    name: Name | None = None
    address_type_id: Id | None = None
    database_name: ShortText | None = None
    schema_name: ShortText | None = None
    table_name: ShortText | None = None
    primary_key: ShortText | None = None

    @model_validator(mode="after")
    def _which(self) -> AddressChange:
        if self.id is None and self.name is None:
            raise ValueError("name the address: send id or name")
        return self


class AddressTypeReport(Report):
    """A kind of addresses, and the group that it belongs to."""

    name: Name
    group_name: Name


class AddressTypeChange(Report):
    """What to change of a kind of addresses; what is left out stays."""

    id: Id | None = None
    name: Name | None = None
    group_name: Name | None = None

    @model_validator(mode="after")
    def _which(self) -> AddressTypeChange:
        if self.id is None and self.name is None:
            raise ValueError("name the address type: send id or name")
        return self


class LineageReport(Report):
    """All addresses that a pipeline reads and writes; each target is made from each source."""

    pipeline_id: Id
    source_addresses: Annotated[tuple[AddressReport, ...], Field(max_length=200)]
    target_addresses: Annotated[tuple[AddressReport, ...], Field(max_length=200)]
