"""The tables of StringX's own database.

Results are append-only; times are UTC; a check's id is its request's id, so that one id leads from
the producer's message to the stored verdict.
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
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def _moment(name: str, **options: object) -> Column:
    return Column(name, DateTime(timezone=True), **options)


def _created() -> Column:
    return _moment("created_at", nullable=False, server_default=func.now())


connection = Table(
    "connection",
    metadata,
    Column("name", Text, primary_key=True),
    Column("target", Text, nullable=False, comment="output of the dbt profile"),
    Column("description", Text, nullable=False, server_default=""),
    Column("budget", JSONB(none_as_null=True), comment="of one check, at most"),
    _created(),
    _moment("updated_at", nullable=False, server_default=func.now()),
)

monitored_table = Table(
    "monitored_table",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("connection", Text, ForeignKey("connection.name"), nullable=False),
    Column("name", Text, nullable=False, comment="schema.table, canonical spelling"),
    Column("owner", Text),
    Column("description", Text, nullable=False, server_default=""),
    _created(),
    _moment("updated_at", nullable=False, server_default=func.now()),
    Column("last_check_id", Text, comment="the newest finished check"),
    Column("last_status", Text),
    _moment("last_finished_at"),
    Column(
        "rules_version",
        Uuid,
        nullable=False,
        server_default=func.gen_random_uuid(),
        comment="renewed by triggers with each change of the table's rules",
    ),
    Column(
        "version_number",
        Integer,
        nullable=False,
        server_default="0",
        comment="newest version of its rules; 0: none was ever written",
    ),
    Column("last_version", Integer, comment="version of the newest whole check"),
    Column("last_rules_hash", Text),
    Column("last_where_hash", Text),
    Column("rules_owner", Text, comment="of its rule set; null: the table's owner"),
    Column("gate_policy", JSONB, comment="as quality.gate.GatePolicy; null: the default one"),
    Column("gate_decisions", JSONB, comment="of that policy, by what they are made of"),
    Column("gate_valid_for_s", Float),
    UniqueConstraint("connection", "name"),
)

rule = Table(
    "rule",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column(
        "table_id", BigInteger, ForeignKey("monitored_table.id", ondelete="CASCADE"), nullable=False
    ),
    Column("name", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("definition", JSONB, nullable=False, comment="the whole rule, as quality.rules.Rule"),
    _created(),
    _moment("updated_at", nullable=False, server_default=func.now()),
    UniqueConstraint("table_id", "name"),
)

rule_version = Table(
    "rule_version",
    metadata,
    Column(
        "table_id",
        BigInteger,
        ForeignKey("monitored_table.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("author", Text),
    Column("reason", Text),
    _moment("created_at", nullable=False, server_default=func.clock_timestamp()),
    Column("rules", JSONB, nullable=False, comment="the whole set, as quality.rules.Rule"),
)

check_run = Table(
    "check_run",
    metadata,
    Column("id", Text, primary_key=True, comment="the request's id"),
    Column("connection", Text, nullable=False),
    Column("table_id", BigInteger, ForeignKey("monitored_table.id", ondelete="SET NULL")),
    Column("table_name", Text, nullable=False),
    Column("request", JSONB, nullable=False, comment="as received"),
    Column("payload_hash", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="received"),
    Column("status", Text),
    Column("traceparent", Text),
    _moment("received_at", nullable=False, server_default=func.now()),
    _moment("queued_at", nullable=False, server_default=func.now()),
    Column("worker", Text),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("lease_until"),
    Column("rule_set_hash", Text),
    _moment("started_at"),
    _moment("finished_at"),
    Column("duration_ms", Float),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'")),
    Column("failing_rows", BigInteger, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error", Text),
    Column("rules_version", Integer),
    Column("rules_hash", Text, comment="of what decides the verdict, but `where`"),
    Column("where_hash", Text, comment="of the rows that the rules look at"),
    Column("scope", JSONB, comment="with its relative times resolved; null: it has none"),
    Column("scope_hash", Text, comment="of the scope as it was asked for; null: it has none"),
    Column("decision", Text, comment="of the gate, made with the verdict"),
    _moment("decision_expires_at"),
    _moment(
        "partial_at",
        comment="when the verdict was stored that the deadline cut short; null: it was not",
    ),
    CheckConstraint("state in ('received', 'running', 'finished')", name="state"),
    CheckConstraint(
        "(state = 'finished') = (status is not null)"
        " or (state <> 'finished' and partial_at is not null)",
        name="status_when_finished",
    ),
    Index(None, "received_at", "id"),
    Index(None, "table_id", "received_at", "id"),
    Index("check_run_unfinished_idx", "queued_at", postgresql_where=text("state <> 'finished'")),
)

rule_result = Table(
    "rule_result",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("check_id", Text, ForeignKey("check_run.id", ondelete="CASCADE"), nullable=False),
    Column("table_id", BigInteger, ForeignKey("monitored_table.id", ondelete="SET NULL")),
    Column("position", Integer, nullable=False, comment="place in the rule set"),
    Column("rule", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("column_name", Text),
    Column("dimension", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("failures", BigInteger),
    Column("failing_rows", BigInteger),
    Column("rows_tested", BigInteger),
    Column("rows_estimated", Boolean, nullable=False, server_default=text("false")),
    Column("measured", JSONB, nullable=False, server_default=text("'{}'")),
    Column("path", Text, comment="how the rule was judged; null: by a version that did not say"),
    Column("proof", Text, comment="the constraint that proved the rule"),
    Column("duration_ms", Float, nullable=False),
    Column("message", Text),
    Column("sql", Text),
    _moment("finished_at", nullable=False),
    Column("is_shadow", Boolean, nullable=False, server_default=text("false")),
    Column("groups", JSONB, nullable=False, server_default=text("'[]'")),
    Column("groups_left_out", BigInteger, nullable=False, server_default="0"),
    Column("weight", Float, nullable=False, server_default="1"),
    UniqueConstraint("check_id", "position"),
    Index(None, "table_id", "rule", "id"),
    Index(None, "finished_at"),
)

rule_sample = Table(
    "rule_sample",
    metadata,
    Column("check_id", Text, ForeignKey("check_run.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, comment="place in the rule set"),
    Column("rule", Text, nullable=False),
    Column("columns", JSONB, nullable=False),
    Column("rows", JSONB, nullable=False),
    Column("sql", Text, nullable=False, comment="what shows these rows again"),
    Column("is_capped", Boolean, nullable=False),
    _created(),
    Index(None, "created_at"),
)

verdict_change = Table(
    "verdict_change",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column(
        "table_id", BigInteger, ForeignKey("monitored_table.id", ondelete="CASCADE"), nullable=False
    ),
    Column("check_id", Text, nullable=False),
    _moment("at", nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("before_check_id", Text),
    _moment("before_at"),
    Column("before_version", Integer),
    Column("after_version", Integer),
    Index(None, "table_id", "id"),
)

measurement = Table(
    "measurement",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column(
        "table_id", BigInteger, ForeignKey("monitored_table.id", ondelete="CASCADE"), nullable=False
    ),
    Column("check_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("definition_hash", Text, nullable=False, comment="of what decides what is measured"),
    Column("scope_hash", Text, nullable=False, comment="of the kind of rows"),
    _moment("at", nullable=False, comment="the moment that the values are about"),
    Column("measured", JSONB, nullable=False, comment="values by the name of the measure"),
    _moment("measured_at", nullable=False, server_default=func.now()),
    Index("measurement_series_idx", "table_id", "rule", "definition_hash", "scope_hash", "at"),
    Index(None, "measured_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("headers", JSONB, nullable=False, server_default=text("'{}'")),
    _created(),
    _moment("sent_at"),
    Index("outbox_unsent_idx", "id", postgresql_where=text("sent_at is null")),
)
