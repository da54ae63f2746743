"""What a check on a connection may cost, and who started and ended an execution.

Columns that may be empty, so that an API of the version before can go on writing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_WHO = ("started_by", "ended_by")


def upgrade() -> None:
    """Add the columns."""
    op.add_column("connection", sa.Column("budget", JSONB(), comment="of one check, at most"))
    for name in _WHO:
        column = sa.Column(name, sa.Text(), comment="the holder of the token")
        op.add_column("pipeline_execution", column)


def downgrade() -> None:
    """Forget budgets and actors."""
    for name in _WHO:
        op.drop_column("pipeline_execution", name)
    op.drop_column("connection", "budget")
