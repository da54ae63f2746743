"""The table of dead letters: what the dead-letter topic holds, to be looked at and sent again."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.store.schema import metadata

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Text, primary_key=True, comment="follows from origin and content"),
    Column("state", Text, nullable=False, server_default="open"),
    Column("code", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="class of the error"),
    Column("request_id", Text),
    Column("table_name", Text),
    Column("origin_topic", Text, nullable=False),
    Column("origin_partition", BigInteger, nullable=False),
    Column("origin_offset", BigInteger, nullable=False),
    Column("original_at", DateTime(timezone=True), comment="timestamp of the original"),
    Column("letter_topic", Text, nullable=False),
    Column("letter_partition", BigInteger, nullable=False),
    Column("letter_offset", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("replays", Integer, nullable=False),
    Column("failed_at", DateTime(timezone=True), nullable=False),
    Column("consumer_group", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("payload_bytes", BigInteger, nullable=False),
    Column("payload_sha256", Text, nullable=False),
    Column("is_truncated", Boolean, nullable=False),
    Column("is_redrivable", Boolean, nullable=False, comment="sending it again can help"),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSONB, nullable=False, comment="[name, base64 or null] each"),
    Column("redriven_at", DateTime(timezone=True)),
    Column("redriven_by", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("state in ('open', 'redriven')", name="state"),
    Index(None, "failed_at", "id"),
    Index(None, "code", "failed_at"),
    Index(None, "table_name", "failed_at"),
)
