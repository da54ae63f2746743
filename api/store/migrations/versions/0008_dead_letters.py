"""Dead letters to be looked at and sent again, and when checks of a table are expected.

Tables of their own and nothing else, so that an API of the version before can go on writing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _moment(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **more)


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.Text(), nullable=False, comment="follows from origin and content"),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="class of the error"),
        sa.Column("request_id", sa.Text()),
        sa.Column("table_name", sa.Text()),
        sa.Column("origin_topic", sa.Text(), nullable=False),
        sa.Column("origin_partition", sa.BigInteger(), nullable=False),
        sa.Column("origin_offset", sa.BigInteger(), nullable=False),
        _moment("original_at", comment="timestamp of the original"),
        sa.Column("letter_topic", sa.Text(), nullable=False),
        sa.Column("letter_partition", sa.BigInteger(), nullable=False),
        sa.Column("letter_offset", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("replays", sa.Integer(), nullable=False),
        _moment("failed_at", nullable=False),
        sa.Column("consumer_group", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("payload_bytes", sa.BigInteger(), nullable=False),
        sa.Column("payload_sha256", sa.Text(), nullable=False),
        sa.Column("is_truncated", sa.Boolean(), nullable=False),
        sa.Column(
            "is_redrivable", sa.Boolean(), nullable=False, comment="sending it again can help"
        ),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column(
            "headers",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="[name, base64 or null] each",
        ),
        _moment("redriven_at"),
        sa.Column("redriven_by", sa.Text()),
        _moment("created_at", server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('open', 'redriven')", name=op.f("dead_letter_state_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("dead_letter_pkey")),
    )
    for columns in (["failed_at", "id"], ["code", "failed_at"], ["table_name", "failed_at"]):
        op.create_index(op.f(f"dead_letter_{'_'.join(columns)}_idx"), "dead_letter", columns)
    op.create_table(
        "expectation",
        sa.Column("table_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("every_s", sa.Integer()),
        sa.Column("cron", sa.Text()),
        sa.Column("time_zone", sa.Text()),
        sa.Column("grace_s", sa.Integer(), nullable=False),
        _moment(
            "since",
            server_default=sa.text("now()"),
            nullable=False,
            comment="from here a cadence counts, and nothing before is missed",
        ),
        _moment(
            "judged_until",
            server_default=sa.text("now()"),
            nullable=False,
            comment="slots that ended by then are judged",
        ),
        _moment("last_missed_at", comment="the newest slot that was missed"),
        _moment("updated_at", server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(every_s is null) <> (cron is null)", name=op.f("expectation_cadence_or_cron_check")
        ),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("expectation_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("table_id", name=op.f("expectation_pkey")),
    )


def downgrade() -> None:
    """Forget them; the topic still has the letters."""
    op.drop_table("expectation")
    op.drop_table("dead_letter")
