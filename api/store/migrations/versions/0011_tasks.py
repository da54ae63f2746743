"""Runs of tasks, and actions on verdicts.

Tables of their own and nothing else, so that an API of the version before can go on writing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _moment(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "table_action",
        sa.Column("table_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(f"on_{event}", sa.Text()) for event in ("fail", "warn", "error", "recovery")),
        sa.Column("state", sa.Text(), comment="the verdict that was seen last; null: none yet"),
        sa.Column("last_change_id", sa.BigInteger(), server_default="0", nullable=False),
        _moment("updated_at", server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("table_action_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("table_id", name=op.f("table_action_pkey")),
    )
    op.create_table(
        "action_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "check_id", sa.Text(), nullable=False, comment="the check whose verdict it is about"
        ),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("variables", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "begin_at",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="position of a task",
        ),
        _moment("next_at", server_default=sa.text("now()"), nullable=False),
        _moment("lease_until"),
        sa.Column("error", sa.Text()),
        _moment("created_at", server_default=sa.text("now()"), nullable=False),
        _moment("started_at"),
        _moment("finished_at"),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("action_run_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("action_run_pkey")),
        sa.UniqueConstraint("table_id", "check_id", name=op.f("action_run_table_id_check_id_key")),
    )
    op.create_index(op.f("action_run_table_id_id_idx"), "action_run", ["table_id", "id"])
    op.create_index(
        "action_run_open_idx",
        "action_run",
        ["next_at"],
        postgresql_where=sa.text("state in ('waiting', 'running')"),
    )
    op.create_table(
        "task_run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        _moment("started_at", nullable=False),
        _moment("finished_at", nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.Column("tasks", postgresql.JSONB(), nullable=False),
        sa.Column("reported_by", sa.Text(), nullable=False),
        sa.Column("action_id", sa.BigInteger(), comment="the action that it is a run of"),
        _moment("received_at", server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("task_run_pkey")),
    )
    op.create_index(op.f("task_run_started_at_id_idx"), "task_run", ["started_at", "id"])
    op.create_index(op.f("task_run_received_at_idx"), "task_run", ["received_at"])


def downgrade() -> None:
    """Forget runs and actions."""
    for table in ("task_run", "action_run", "table_action"):
        op.drop_table(table)
