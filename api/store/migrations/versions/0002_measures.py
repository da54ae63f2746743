"""Results say how they were found: failing rows, measures, path and proof.

Every column is null or has a default, so that an API of the version before can go on writing while
the new one starts.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; constant defaults do not rewrite the table."""
    for column in (
        sa.Column("failing_rows", sa.BigInteger(), nullable=True),
        sa.Column("rows_estimated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "measured",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "path",
            sa.Text(),
            nullable=True,
            comment="how the rule was judged; null: by a version that did not say",
        ),
        sa.Column("proof", sa.Text(), nullable=True, comment="the constraint that proved the rule"),
    ):
        op.add_column("rule_result", column)
