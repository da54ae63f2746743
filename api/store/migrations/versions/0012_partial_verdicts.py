"""Verdicts at a deadline: a check that runs may have one already, and its decision says so.

An API of the version before makes none, and stores whole outcomes as it did. It cannot complete a
check that has a verdict so far: that is left to one of this version.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NAME = op.f("check_run_status_when_finished_check")


def upgrade() -> None:
    """Add the columns; a verdict may be there before its check is finished."""
    op.add_column(
        "check_run",
        sa.Column(
            "partial_at",
            sa.DateTime(timezone=True),
            comment="when the verdict was stored that the deadline cut short; null: it was not",
        ),
    )
    op.add_column(
        "gate_decision",
        sa.Column("is_partial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.drop_constraint(_NAME, "check_run", type_="check")
    op.create_check_constraint(
        _NAME,
        "check_run",
        "(state = 'finished') = (status is not null)"
        " or (state <> 'finished' and partial_at is not null)",
    )


def downgrade() -> None:
    """Verdicts of checks that are not finished are forgotten."""
    op.drop_constraint(_NAME, "check_run", type_="check")
    op.execute("update check_run set status = null where state <> 'finished'")
    op.execute(
        "delete from rule_result r using check_run c"
        " where c.id = r.check_id and c.state <> 'finished'"
    )
    op.create_check_constraint(_NAME, "check_run", "(state = 'finished') = (status is not null)")
    op.drop_column("gate_decision", "is_partial")
    op.drop_column("check_run", "partial_at")
