"""The tables that are checked, and what is true of them.

One table is 40 columns wide, as a sales table might be. It is made from its row numbers by hashes,
so it is the same on every machine. `clean` has nothing wrong; `dirty` has about 1 % NULL in every
column, 0.5 % of the values outside their list, and repeated values in the unique columns, twice or
three times each, so that tools which count rows and tools which count values can be told apart;
`declared` is `clean` with its NOT NULL and UNIQUE constraints declared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal, get_args

import psycopg
from psycopg import sql

from benchmarks.database import SCHEMA
from benchmarks.work import Check, Work

Condition = Literal["clean", "dirty", "declared"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)

# Expressions over {i}, the row's number, and {h}, a hash of it for this column (0 to 2^63 - 1).
UNIQUE = {
    "id": "{i}::bigint",
    "reference": "'R' || lpad(to_hex(({i} * 2654435761) % 4294967296), 8, '0')",
    "order_key": "md5('k' || {i})::uuid",
    "barcode": "4000000000000 + ({i} * 2246822519) % 4294967296",
    "invoice": "'INV-' || {i}",
}
LISTED: dict[str, tuple[str, ...]] = {
    "status": ("new", "paid", "shipped", "delivered", "returned"),
    "currency": ("EUR", "USD", "GBP", "JPY", "CHF", "SEK"),
    "channel": ("web", "shop", "phone", "partner"),
    "country": ("NL", "DE", "FR", "BE", "US", "GB", "JP", "CH", "SE", "IN", "BR", "CA"),
    "priority": ("low", "normal", "high"),
}
PLAIN = {
    **{f"quantity_{n}": "({h} % 1000)::integer" for n in range(8)},
    **{f"amount_{n}": "(({h} % 10000000)::numeric / 100)::numeric(12, 2)" for n in range(6)},
    **{f"ratio_{n}": "({h} % 1000003) / 1000003.0::double precision" for n in range(4)},
    **{f"day_{n}": "date '2020-01-01' + ({h} % 2000)::integer" for n in range(4)},
    **{
        f"moment_{n}": "timestamptz '2024-01-01 00:00Z' + ({h} % 50000000) * interval '1 second'"
        for n in range(3)
    },
    **{f"note_{n}": "'note ' || to_hex({h} % 1000000)" for n in range(4)},
    "is_gift": "({h} % 2 = 0)",
}
COLUMNS = (*UNIQUE, *LISTED, *PLAIN)

# For some rows the unique columns are made of an earlier row's number: 7 repeats 6, 8 repeats 6 …
_REPEATED = "case when i % 500 = 7 then i - 1 when i % 5000 = 8 then i - 2 else i end"


def work_of(condition: Condition, rows: int, checks: int) -> Work:
    """The 10 or 50 checks of a table: mostly not_null, and a tenth each of the other kinds."""
    tenth = checks // 10
    filled = COLUMNS[:: len(COLUMNS) // (checks - 2 * tenth)][: checks - 2 * tenth]
    listed, unique = list(LISTED)[:tenth], list(UNIQUE)[:tenth]
    found = [Check(f"{name}_known", "not_null", name) for name in filled]
    found += [Check(f"{name}_listed", "accepted_values", name, LISTED[name]) for name in listed]
    found += [Check(f"{name}_unique", "unique", name) for name in unique]
    return Work(SCHEMA, table_name(condition, rows), tuple(found))


def table_name(condition: Condition, rows: int) -> str:
    """The table's name within the schema."""
    return f"{condition}_{rows}"


def make_table(url: str, condition: Condition, rows: int, say: Callable[[str], None]) -> None:
    """Make the table unless it is there already, whole; `url` is its owner's."""
    name = table_name(condition, rows)
    with psycopg.connect(url, autocommit=True) as connection:
        if _comment(connection, name):
            return
        say(f"making {SCHEMA}.{name}")
        table = sql.Identifier(SCHEMA, name)
        connection.execute(sql.SQL("drop table if exists {}").format(table))
        connection.execute(
            sql.SQL("create unlogged table {} as {}").format(
                table, sql.SQL(_select(condition == "dirty", rows))
            )
        )
        if condition == "declared":
            _declare(connection, table)
        connection.execute(sql.SQL("vacuum (freeze, analyze) {}").format(table))
        truth = json.dumps(_truth(connection, table))
        # The last step, so that a table with a comment is a whole one.
        connection.execute(sql.SQL("comment on table {} is {}").format(table, sql.Literal(truth)))


def make_copies(url: str, condition: Condition, rows: int, count: int) -> list[str]:
    """Copies of a table that is there, under names of their own: `schema.table` of each."""
    original = table_name(condition, rows)
    names = [f"{original}_copy_{number:04}" for number in range(count)]
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            if not _comment(connection, name):
                table = sql.Identifier(SCHEMA, name)
                source = sql.Identifier(SCHEMA, original)
                for statement in (
                    "drop table if exists {0}",
                    "create unlogged table {0} as table {1}",
                    "vacuum (freeze, analyze) {0}",
                    "comment on table {0} is 'copy'",
                ):
                    connection.execute(sql.SQL(statement).format(table, source))
    return [f"{SCHEMA}.{name}" for name in names]


def truth_of(url: str, condition: Condition, rows: int) -> dict[str, dict[str, int]]:
    """What is true of the table: by check, each count that a contender may give (see Finding)."""
    with psycopg.connect(url) as connection:
        truth: dict[str, dict[str, int]] = json.loads(
            _comment(connection, table_name(condition, rows)) or "{}"
        )
    return truth


def _comment(connection: psycopg.Connection, name: str) -> str | None:
    row = connection.execute(
        "select obj_description(to_regclass(%s), 'pg_class')", (f"{SCHEMA}.{name}",)
    ).fetchone()
    return row[0] if row else None


def _select(dirty: bool, rows: int) -> str:
    columns = []
    for number, name in enumerate(COLUMNS):
        hashed = f"(hashint8extended(i, {number}) & 9223372036854775807)"
        if name in LISTED:
            values = LISTED[name]
            array = ", ".join(f"'{value}'" for value in values)
            value = f"(array[{array}])[1 + {hashed} % {len(values)}]"
            if dirty:
                odd = f"hashint8extended(i, {200 + number}) % 200 = 0"
                value = f"case when {odd} then 'odd ' || {hashed} % 3 else {value} end"
        else:
            source = "j" if dirty and name in UNIQUE else "i"
            value = {**UNIQUE, **PLAIN}[name].format(i=source, h=hashed)
        if dirty:
            value = f"case when hashint8extended(i, {100 + number}) % 100 <> 0 then {value} end"
        columns.append(f"{value} as {name}")
    series = f"select i::bigint, ({_REPEATED})::bigint as j from generate_series(1, {rows}) as i"
    return f"select {', '.join(columns)} from ({series}) as numbered"


def _declare(connection: psycopg.Connection, table: sql.Identifier) -> None:
    changes = [
        sql.SQL("alter column {} set not null").format(sql.Identifier(name)) for name in COLUMNS
    ]
    changes += [sql.SQL("add unique ({})").format(sql.Identifier(name)) for name in UNIQUE]
    connection.execute(sql.SQL("alter table {} {}").format(table, sql.SQL(", ").join(changes)))


def _truth(connection: psycopg.Connection, table: sql.Identifier) -> dict[str, dict[str, int]]:
    """Counted the plain way, apart from any contender."""
    truth = {}
    for name in COLUMNS:
        query = sql.SQL("select count(*) from {} where {} is null")
        (nulls,) = _row(connection, query.format(table, sql.Identifier(name)))
        truth[f"{name}_known"] = {"failures": nulls, "failing_rows": nulls}
    for name, values in LISTED.items():
        query = sql.SQL("select count(distinct {0}), count(*) from {1} where {0} <> all ({2})")
        column, listed = sql.Identifier(name), sql.Literal(list(values))
        distinct, rows = _row(connection, query.format(column, table, listed))
        truth[f"{name}_listed"] = {"failures": distinct, "failing_rows": rows}
    for name in UNIQUE:
        query = sql.SQL(
            "select count(*), coalesce(sum(n), 0)::bigint from "
            "(select count({0}) as n from {1} group by {0} having count({0}) > 1) as repeated"
        )
        repeated, rows = _row(connection, query.format(sql.Identifier(name), table))
        truth[f"{name}_unique"] = {
            "failures": repeated,
            "failing_rows": rows,
            "surplus_rows": rows - repeated,
        }
    return truth


def _row(connection: psycopg.Connection, query: sql.Composed) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row
