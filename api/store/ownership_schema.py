"""The tables of ownership: users and teams; what they own is with the things themselves."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Table, Text, func

from api.store.schema import metadata

owner = Table(
    "owner",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("blocked_at", DateTime(timezone=True)),
    Column("blocked_by", Text),
    Column("block_reason", Text),
    CheckConstraint("kind in ('user', 'team')", name="kind"),
    CheckConstraint("kind = 'user' or blocked_at is null", name="only_users_are_blocked"),
)

team_member = Table(
    "team_member",
    metadata,
    Column("team", Text, ForeignKey("owner.name", ondelete="CASCADE"), primary_key=True),
    Column("member", Text, ForeignKey("owner.name", ondelete="CASCADE"), primary_key=True),
    Index(None, "member"),
)
