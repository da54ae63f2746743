"""Users, teams, and the owner of a rule set.

Tables of their own and a column that may be empty, so that an API of the version before can go on
writing. Who owned what keeps it: an owner that is no user yet is shown as unknown.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the column."""
    op.create_table(
        "owner",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("blocked_at", sa.DateTime(timezone=True)),
        sa.Column("blocked_by", sa.Text()),
        sa.Column("block_reason", sa.Text()),
        sa.CheckConstraint("kind in ('user', 'team')", name=op.f("owner_kind_check")),
        sa.CheckConstraint(
            "kind = 'user' or blocked_at is null", name=op.f("owner_only_users_are_blocked_check")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("owner_pkey")),
    )
    op.create_table(
        "team_member",
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["team"], ["owner.name"], name=op.f("team_member_team_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member"], ["owner.name"], name=op.f("team_member_member_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("team", "member", name=op.f("team_member_pkey")),
    )
    op.create_index(op.f("team_member_member_idx"), "team_member", ["member"])
    op.add_column(
        "monitored_table",
        sa.Column("rules_owner", sa.Text(), comment="of its rule set; null: the table's owner"),
    )


def downgrade() -> None:
    """Forget users and teams; owners stay, as names."""
    op.drop_column("monitored_table", "rules_owner")
    op.drop_table("team_member")
    op.drop_table("owner")
