"""The tables of access: tokens, and who changed or triggered what."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from api.store.schema import metadata

access_token = Table(
    "access_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("scopes", JSONB, nullable=False),
    Column("tables", JSONB, comment="patterns of the tables it is for; null: all"),
    Column("secret_hash", Text, nullable=False, comment="SHA-256 of the secret"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Text),
    Column("last_used_at", DateTime(timezone=True)),
    Index(None, "holder"),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("actor", Text, nullable=False),
    Column("token_id", Text),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("request_id", Text),
    Column("remote_address", Text),
    Index(None, "at"),
    Index(None, "actor", "id"),
    Index(None, "subject", "id"),
    Index(None, "action", "id"),
)
