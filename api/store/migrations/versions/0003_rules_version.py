"""A table knows which version of its rules stands: a new one with each change, whoever makes it.

What is kept in memory of a table's rules is good for as long as the table shows the same version.
Triggers see to it, so that it holds for an API of the version before and for a change by hand; the
versions are random, so that a restored database cannot show an old one for other rules.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the version and the triggers that renew it."""
    op.add_column(
        "monitored_table",
        sa.Column(
            "rules_version",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="renewed by triggers with each change of the table's rules",
        ),
    )
    op.execute(
        """
        create function rules_changed() returns trigger language plpgsql as $$
        begin
            update monitored_table set rules_version = gen_random_uuid()
            where id in (select table_id from changed);
            return null;
        end $$
        """
    )
    for event, kind in (
        ("insert", "new"),
        ("update", "old"),  # with the next one, for a rule that moves to another table
        ("update", "new"),
        ("delete", "old"),
    ):
        op.execute(
            f"create trigger rule_{event}_{kind} after {event} on rule "
            f"referencing {kind} table as changed for each statement "
            "execute function rules_changed()"
        )
