"""The gate: policies of tables, the decision of each check, and the one that stands.

New columns are null: an API of the version before can go on writing, and makes no decisions. What
it stores meanwhile leaves the decision before to stand until it expires.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def _columns() -> dict[str, tuple[sa.Column, ...]]:
    """Made anew for each use, because a column belongs to one table."""
    return {
        "monitored_table": (
            sa.Column(
                "gate_policy", _JSON, comment="as quality.gate.GatePolicy; null: the default one"
            ),
            sa.Column("gate_decisions", _JSON, comment="of that policy, by what they are made of"),
            sa.Column("gate_valid_for_s", sa.Float()),
        ),
        "check_run": (
            sa.Column(
                "scope_hash",
                sa.Text(),
                comment="of the scope as it was asked for; null: it has none",
            ),
            sa.Column("decision", sa.Text(), comment="of the gate, made with the verdict"),
            sa.Column("decision_expires_at", sa.DateTime(timezone=True)),
        ),
    }


def upgrade() -> None:
    """Add the columns, and the table of the decisions that stand."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "gate_decision",
        sa.Column("table_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scope_hash", sa.Text(), comment="empty: the whole table", nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), comment="as quality.gate.Basis", nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reasons", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("scope", _JSON, comment="with relative times resolved; null: the whole table"),
        sa.Column("check_id", sa.Text(), comment="null: made without a check"),
        sa.Column("rule_set_hash", sa.Text()),
        sa.Column("rules_version", sa.Integer()),
        sa.Column("traceparent", sa.Text()),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("gate_decision_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("table_id", "scope_hash", name=op.f("gate_decision_pkey")),
        postgresql_with={"fillfactor": "60"},
    )
    op.create_index(
        "gate_decision_expired_idx",
        "gate_decision",
        ["expires_at"],
        postgresql_where=sa.text("scope_hash <> ''"),
    )


def downgrade() -> None:
    """Forget policies and decisions."""
    op.drop_table("gate_decision")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
