"""Versions of rule sets, verdict changes with their cause, samples, groups and shadow rules.

Every change of a table's rules makes one version, in the transaction of the change. A trigger that
waits for the commit sees to it, so that it holds for an API of the version before and for a change
by hand, and so that a replaced set of many rules is one version. New columns are null or have a
default: an API of the version before can go on writing while the new one starts.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_VERSIONED = """
create function rules_versioned() returns trigger language plpgsql as $$
declare
    found record;
    made integer;
begin
    select coalesce(jsonb_agg(r.document order by r.id), '[]') as rules,
        encode(sha256(convert_to(coalesce(
            string_agg(cast(r.document as text), ',' order by r.name collate "C"), ''), 'UTF8')),
            'hex') as hash
    into found
    from (
        select id, name, definition || jsonb_build_object('is_active', is_active) as document
        from rule where table_id = new.id
    ) r;
    if found.hash is distinct from (
        select hash from rule_version where table_id = new.id order by number desc limit 1
    ) then
        update monitored_table set version_number = version_number + 1 where id = new.id
        returning version_number into made;
        if made is not null then  -- otherwise the table was deleted meanwhile
            insert into rule_version (table_id, number, hash, author, reason, rules)
            values (new.id, made, found.hash, nullif(current_setting('stringx.author', true), ''),
                nullif(current_setting('stringx.reason', true), ''), found.rules);
        end if;
    end if;
    return null;
end $$
"""


def _columns() -> dict[str, tuple[sa.Column, ...]]:
    """Made anew for each use, because a column belongs to one table."""
    return {
        "monitored_table": (
            sa.Column(
                "version_number",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="newest version of its rules; 0: none was ever written",
            ),
            sa.Column("last_version", sa.Integer(), comment="version of the newest whole check"),
            sa.Column("last_rules_hash", sa.Text()),
            sa.Column("last_where_hash", sa.Text()),
        ),
        "check_run": (
            sa.Column("rules_version", sa.Integer()),
            sa.Column("rules_hash", sa.Text(), comment="of what decides the verdict, but `where`"),
            sa.Column("where_hash", sa.Text(), comment="of the rows that the rules look at"),
            sa.Column(
                "scope", _JSON, comment="with its relative times resolved; null: it has none"
            ),
        ),
        "rule_result": (
            sa.Column("is_shadow", sa.Boolean(), server_default=sa.text("false"), nullable=False),
            sa.Column("groups", _JSON, server_default=sa.text("'[]'"), nullable=False),
            sa.Column("groups_left_out", sa.BigInteger(), server_default="0", nullable=False),
            sa.Column("weight", sa.Float(), server_default="1", nullable=False),
        ),
    }


def upgrade() -> None:
    """Add tables and columns, make version 1 of what stands, and keep versions from here on."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "rule_version",
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("rules", _JSON, nullable=False, comment="the whole set, as quality.rules.Rule"),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("rule_version_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("table_id", "number", name=op.f("rule_version_pkey")),
    )
    op.create_table(
        "verdict_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("table_id", sa.BigInteger(), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("before_check_id", sa.Text(), nullable=True),
        sa.Column("before_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("before_version", sa.Integer(), nullable=True),
        sa.Column("after_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["table_id"],
            ["monitored_table.id"],
            name=op.f("verdict_change_table_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("verdict_change_pkey")),
    )
    op.create_index(
        op.f("verdict_change_table_id_id_idx"), "verdict_change", ["table_id", "id"], unique=False
    )
    op.create_table(
        "rule_sample",
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="place in the rule set"),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("columns", _JSON, nullable=False),
        sa.Column("rows", _JSON, nullable=False),
        sa.Column("sql", sa.Text(), nullable=False, comment="what shows these rows again"),
        sa.Column("is_capped", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["check_id"],
            ["check_run.id"],
            name=op.f("rule_sample_check_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("check_id", "position", name=op.f("rule_sample_pkey")),
    )
    op.create_index(op.f("rule_sample_created_at_idx"), "rule_sample", ["created_at"], unique=False)
    op.execute(_VERSIONED)
    op.execute(
        "create constraint trigger rules_versioned after update of rules_version"
        " on monitored_table deferrable initially deferred"
        " for each row execute function rules_versioned()"
    )
    op.execute("select set_config('stringx.reason', 'as it stood when versions began', true)")
    op.execute("update monitored_table set rules_version = gen_random_uuid()")
    op.execute("set constraints rules_versioned immediate")
    op.execute("select set_config('stringx.reason', '', true)")


def downgrade() -> None:
    """Forget versions, verdict changes, samples and groups; rules and results stay."""
    op.execute("drop trigger rules_versioned on monitored_table")
    op.execute("drop function rules_versioned()")
    for table in ("rule_sample", "verdict_change", "rule_version"):
        op.drop_table(table)
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
