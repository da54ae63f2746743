"""What rules on history measured, kept to compare later values with.

A table of its own and nothing else, so that an API of the version before can go on writing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "measurement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column(
            "definition_hash", sa.Text(), nullable=False, comment="of what decides what is measured"
        ),
        sa.Column("scope_hash", sa.Text(), nullable=False, comment="of the kind of rows"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the moment that the values are about",
        ),
        sa.Column(
            "measured",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="values by the name of the measure",
        ),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("measurement_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("measurement_pkey")),
    )
    op.create_index(
        "measurement_series_idx",
        "measurement",
        ["table_id", "rule", "definition_hash", "scope_hash", "at"],
        unique=False,
    )
    op.create_index(op.f("measurement_measured_at_idx"), "measurement", ["measured_at"])


def downgrade() -> None:
    """Forget what was measured; results stay."""
    op.drop_table("measurement")
