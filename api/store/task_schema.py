"""The tables of tasks: recorded runs, and actions on verdicts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.store.schema import metadata


def _moment(name: str, **options: object) -> Column:
    return Column(name, DateTime(timezone=True), **options)


def _table(**options: object) -> Column:
    return Column(
        "table_id", BigInteger, ForeignKey("monitored_table.id", ondelete="CASCADE"), **options
    )


table_action = Table(
    "table_action",
    metadata,
    _table(primary_key=True, autoincrement=False),
    Column("on_fail", Text),
    Column("on_warn", Text),
    Column("on_error", Text),
    Column("on_recovery", Text),
    Column("state", Text, comment="the verdict that was seen last; null: none yet"),
    Column("last_change_id", BigInteger, nullable=False, server_default="0"),
    _moment("updated_at", nullable=False, server_default=func.now()),
)

action_run = Table(
    "action_run",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _table(nullable=False),
    Column("check_id", Text, nullable=False, comment="the check whose verdict it is about"),
    Column("event", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("variables", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begin_at", Integer, nullable=False, server_default="0", comment="position of a task"),
    _moment("next_at", nullable=False, server_default=func.now()),
    _moment("lease_until"),
    Column("error", Text),
    _moment("created_at", nullable=False, server_default=func.now()),
    _moment("started_at"),
    _moment("finished_at"),
    UniqueConstraint("table_id", "check_id"),
    Index(None, "table_id", "id"),
    Index(
        "action_run_open_idx",
        "next_at",
        postgresql_where=text("state in ('waiting', 'running')"),
    ),
)

task_run = Table(
    "task_run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("file", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("status", Text, nullable=False),
    _moment("started_at", nullable=False),
    _moment("finished_at", nullable=False),
    Column("duration_ms", Float, nullable=False),
    Column("tasks", JSONB, nullable=False),
    Column("reported_by", Text, nullable=False),
    Column("action_id", BigInteger, comment="the action that it is a run of"),
    _moment("received_at", nullable=False, server_default=func.now()),
    Index(None, "started_at", "id"),
    Index(None, "received_at"),
)
