"""Tokens, and a trail of who changed or triggered what, to which one can only add.

Tables of their own and nothing else, so that an API of the version before can go on writing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _moment(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def upgrade() -> None:
    """Make the tables, and the triggers that keep the trail."""
    op.create_table(
        "access_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column(
            "tables", postgresql.JSONB(), comment="patterns of the tables it is for; null: all"
        ),
        sa.Column("secret_hash", sa.Text(), nullable=False, comment="SHA-256 of the secret"),
        _moment("created_at", server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _moment("expires_at", nullable=False),
        _moment("revoked_at"),
        sa.Column("revoked_by", sa.Text()),
        _moment("last_used_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("access_token_pkey")),
    )
    op.create_index(op.f("access_token_holder_idx"), "access_token", ["holder"])
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _moment("at", server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("remote_address", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_event_pkey")),
    )
    op.create_index(op.f("audit_event_at_idx"), "audit_event", ["at"])
    for field in ("actor", "subject", "action"):
        op.create_index(op.f(f"audit_event_{field}_id_idx"), "audit_event", [field, "id"])
    op.execute(
        """
        create function audit_is_append_only() returns trigger language plpgsql as $$
        begin
            raise exception 'the audit trail is append-only' using errcode = '42501';
        end $$
        """
    )
    op.execute(
        "create trigger audit_event_append_only before update or delete or truncate "
        "on audit_event for each statement execute function audit_is_append_only()"
    )


def downgrade() -> None:
    """Forget tokens and the trail."""
    op.drop_table("audit_event")
    op.execute("drop function audit_is_append_only()")
    op.drop_table("access_token")
