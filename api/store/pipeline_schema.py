"""The tables of pipelines, executions, lineage and what the clock found out about them.

Names of tables and columns that programs of the Watcher framework query by SQL are the framework's.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.store.schema import check_run, metadata


def _moment(name: str, **options: object) -> Column:
    return Column(name, DateTime(timezone=True), **options)


def _thresholds() -> list[Column]:
    return [
        Column("freshness_number", Integer),
        Column("freshness_datepart", Text),
        Column("mute_freshness_check", Boolean, nullable=False, server_default=text("false")),
        Column("timeliness_number", Integer),
        Column("timeliness_datepart", Text),
        Column("mute_timeliness_check", Boolean, nullable=False, server_default=text("false")),
    ]


def _times() -> list[Column]:
    return [
        _moment("created_at", nullable=False, server_default=func.now()),
        _moment("updated_at", nullable=False, server_default=func.now()),
    ]


def _of_pipeline(**options: object) -> Column:
    return Column(
        "pipeline_id",
        BigInteger,
        ForeignKey("pipeline.id", ondelete="CASCADE"),
        nullable=False,
        **options,
    )


pipeline_type = Table(
    "pipeline_type",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    *_thresholds(),
    *_times(),
)

pipeline = Table(
    "pipeline",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("pipeline_type_id", BigInteger, ForeignKey("pipeline_type.id"), nullable=False),
    Column("owner", Text),
    Column("watermark", Text),
    Column("next_watermark", Text),
    Column("pipeline_metadata", JSONB),
    Column("last_target_insert", DateTime(timezone=True)),
    Column("last_target_update", DateTime(timezone=True)),
    Column("last_target_soft_delete", DateTime(timezone=True)),
    *_thresholds(),
    Column("load_lineage", Boolean, nullable=False, server_default=text("true")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("cadence", Text, comment="when it has to run"),
    Column("cadence_grace_s", Integer, nullable=False, server_default="300"),
    Column("cadence_since", DateTime(timezone=True), comment="executions are due from then on"),
    Column("input_hash", Text, nullable=False, comment="SHA-256 of what its code declares"),
    Column(
        "has_followers",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="something is done after a successful end",
    ),
    *_times(),
    Index(None, "pipeline_type_id"),
    Index(None, "owner"),
)

pipeline_table = Table(
    "pipeline_table",
    metadata,
    _of_pipeline(primary_key=True),
    Column("connection", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("column_name", Text, comment="tells what an execution wrote"),
    Column("scoped_by", Text, nullable=False),
    Index(None, "table_name", "connection"),
)

pipeline_execution = Table(
    "pipeline_execution",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("parent_id", BigInteger, ForeignKey("pipeline_execution.id", ondelete="SET NULL")),
    Column("pipeline_id", BigInteger, ForeignKey("pipeline.id"), nullable=False),
    Column("start_date", DateTime(timezone=True), nullable=False),
    Column("hour_recorded", Integer, nullable=False, comment="of start_date, in UTC"),
    Column("end_date", DateTime(timezone=True)),
    Column("duration_seconds", Float),
    Column("completed_successfully", Boolean),
    Column("inserts", BigInteger),
    Column("updates", BigInteger),
    Column("soft_deletes", BigInteger),
    Column("total_rows", BigInteger),
    Column("watermark", Text),
    Column("next_watermark", Text),
    Column("execution_metadata", JSONB),
    Column("anomaly_flags", JSONB),
    Column("throughput", Numeric(24, 4), comment="rows a second"),
    Column("failure_reason", Text, comment="where the service itself ended it"),
    Column("started_by", Text, comment="the holder of the token"),
    Column("ended_by", Text, comment="the holder of the token"),
    CheckConstraint("end_date is null or end_date > start_date", name="ends_after_start"),
    Index(None, "start_date"),
    Index("pipeline_execution_pipeline_idx", "pipeline_id", "id"),
    Index(
        "pipeline_execution_parent_idx", "parent_id", postgresql_where=text("parent_id is not null")
    ),
    Index(
        "pipeline_execution_unfinished_idx",
        "pipeline_id",
        "start_date",
        postgresql_where=text("end_date is null"),
    ),
    Index(
        "pipeline_execution_hour_idx",
        "pipeline_id",
        "hour_recorded",
        "end_date",
        postgresql_where=text("completed_successfully"),
    ),
    Index(
        "pipeline_execution_ended_idx", "end_date", postgresql_where=text("end_date is not null")
    ),
)

pipeline_execution_closure = Table(
    "pipeline_execution_closure",
    metadata,
    Column(
        "parent_execution_id",
        BigInteger,
        ForeignKey("pipeline_execution.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "child_execution_id",
        BigInteger,
        ForeignKey("pipeline_execution.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("depth", Integer, nullable=False),
    Index(None, "child_execution_id", "depth"),
)

execution_follow_up = Table(
    "execution_follow_up",
    metadata,
    Column(
        "execution_id",
        BigInteger,
        ForeignKey("pipeline_execution.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("due_at", nullable=False, server_default=func.now()),
    Index(None, "due_at"),
)
"""Successful ends after which something is still to be done: checks, comparisons."""

pipeline_alert = Table(
    "pipeline_alert",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _of_pipeline(),
    Column("kind", Text, nullable=False, comment="freshness, timeliness, missing or anomaly"),
    Column("state_key", Text, nullable=False, comment="one alert for each"),
    Column("execution_id", BigInteger, ForeignKey("pipeline_execution.id", ondelete="SET NULL")),
    _moment("at", nullable=False),
    Column("message", Text, nullable=False),
    Column("measured", JSONB, nullable=False),
    Column("check_id", Text, nullable=False, comment="of the result"),
    Column("resolved_at", DateTime(timezone=True)),
    UniqueConstraint("pipeline_id", "kind", "state_key"),
    Index(None, "at"),
    Index(None, "execution_id"),
)

anomaly_detection_rule = Table(
    "anomaly_detection_rule",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _of_pipeline(),
    Column("metric_field", Text, nullable=False),
    Column("z_threshold", Float, nullable=False),
    Column("lookback_days", Integer, nullable=False),
    Column("minimum_executions", Integer, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    *_times(),
    UniqueConstraint("pipeline_id", "metric_field"),
)

anomaly_detection_result = Table(
    "anomaly_detection_result",
    metadata,
    Column(
        "pipeline_execution_id",
        BigInteger,
        ForeignKey("pipeline_execution.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("metric_field", Text, primary_key=True),
    Column("is_anomaly", Boolean, nullable=False),
    Column("numbers", JSONB, nullable=False, comment="value, mean, deviation, executions, z"),
    Column("z_threshold", Float, nullable=False),
    _moment("detected_at", nullable=False, server_default=func.now()),
    _moment("unflagged_at"),
    Column("unflagged_by", Text),
)

address_type = Table(
    "address_type",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("group_name", Text, nullable=False),
    *_times(),
)

address = Table(
    "address",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("address_type_id", BigInteger, ForeignKey("address_type.id"), nullable=False),
    Column("database_name", Text),
    Column("schema_name", Text),
    Column("table_name", Text),
    Column("primary_key", Text),
    Column("address_metadata", JSONB),
    *_times(),
    Index(None, "table_name"),
)

address_lineage = Table(
    "address_lineage",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _of_pipeline(),
    Column("source_address_id", BigInteger, ForeignKey("address.id"), nullable=False),
    Column("target_address_id", BigInteger, ForeignKey("address.id"), nullable=False),
    UniqueConstraint(
        "pipeline_id", "source_address_id", "target_address_id", name="address_lineage_edge_key"
    ),
    Index(None, "source_address_id"),
    Index(None, "target_address_id"),
)

Index(
    "check_run_execution_idx",
    text("((request ->> 'pipeline_execution_id'))"),
    postgresql_where=text("request ? 'pipeline_execution_id'"),
    _table=check_run,
)
