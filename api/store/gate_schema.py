"""The table of the gate: what was decided last. Policies are columns of `monitored_table`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.store.schema import metadata

gate_decision = Table(
    "gate_decision",
    metadata,
    Column(
        "table_id",
        BigInteger,
        ForeignKey("monitored_table.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("scope_hash", Text, primary_key=True, comment="empty: the whole table"),
    Column("decision", Text, nullable=False),
    Column("basis", Text, nullable=False, comment="as quality.gate.Basis"),
    Column("verdict", Text, nullable=False),
    Column("reasons", JSONB, nullable=False, server_default=text("'[]'")),
    Column("scope", JSONB, comment="with relative times resolved; null: the whole table"),
    Column("check_id", Text, comment="null: made without a check"),
    Column("rule_set_hash", Text),
    Column("rules_version", Integer),
    Column("traceparent", Text),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("is_partial", Boolean, nullable=False, server_default=text("false")),
    Index("gate_decision_expired_idx", "expires_at", postgresql_where=text("scope_hash <> ''")),
    # Each verdict writes its row anew; with room on the page the index need not grow for it.
    postgresql_with={"fillfactor": "60"},
)
