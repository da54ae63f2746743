"""The table of expectations: when somebody should ask for a check of a table."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Table,
    Text,
    func,
)

from api.store.schema import metadata

expectation = Table(
    "expectation",
    metadata,
    Column(
        "table_id",
        BigInteger,
        ForeignKey("monitored_table.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("every_s", Integer),
    Column("cron", Text),
    Column("time_zone", Text),
    Column("grace_s", Integer, nullable=False),
    Column(
        "since",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="from here a cadence counts, and nothing before is missed",
    ),
    Column(
        "judged_until",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="slots that ended by then are judged",
    ),
    Column("last_missed_at", DateTime(timezone=True), comment="the newest slot that was missed"),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("(every_s is null) <> (cron is null)", name="cadence_or_cron"),
)
