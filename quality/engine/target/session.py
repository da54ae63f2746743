"""Our own look at a target database: its catalogue, row counts, and whether a statement would run.

Every session is read-only and has the same limits as dbt's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from quality.engine.settings import EngineSettings
from quality.errors import Unavailable
from quality.names import TableName
from quality.predicates import Predicate, Scalar

_COLUMNS = """
select c.oid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_attribute a
    on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view: its columns, name → type as the database spells it, in their order."""

    columns: dict[str, str]


class Session:
    """An open connection to a target; each statement is its own transaction."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def cancel(self) -> None:
        """End the statement that runs now, from another thread."""
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=2.0)

    def relation(self, table: TableName) -> Relation | None:
        """The table as the catalogue has it, None where it has none of that name."""
        rows = self._connection.execute(_COLUMNS, (table.schema, table.table)).fetchall()
        if not rows:
            return None
        return Relation({name: kind for _, name, kind in rows if name is not None})

    def explain(self, statement: str) -> str | None:
        """None if the database would run it, otherwise its words."""
        return self._try(b"explain " + statement.encode())

    def try_regex(self, regex: str) -> str | None:
        """None if it is a regular expression, otherwise the database's words."""
        return self._try(sql.SQL("select '' ~ {}").format(sql.Literal(regex)))

    def count(
        self, table: TableName, predicates: tuple[Predicate, ...], columns: list[str]
    ) -> tuple[int, dict[str, int]] | None:
        """Rows, and non-NULL values by column, where the predicates hold; None on any error."""
        counted = [
            sql.SQL("count(*)"),
            *(sql.SQL("count({})").format(sql.Identifier(column)) for column in columns),
        ]
        statement = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(counted), sql.Identifier(table.schema, table.table)
        )
        if predicates:
            conditions = sql.SQL(" and ").join(condition(predicate) for predicate in predicates)
            statement += sql.SQL(" where ") + conditions
        try:
            row = self._connection.execute(statement).fetchone()
        except psycopg.Error:
            return None
        assert row is not None  # noqa: S101 an aggregate has one row
        return row[0], dict(zip(columns, row[1:], strict=True))

    def _try(self, statement: bytes | sql.Composed) -> str | None:
        try:
            self._connection.execute(statement)
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            raise Unavailable(f"the target is too busy to say: {_words(error)}") from None
        except psycopg.OperationalError as error:
            if self._connection.broken:
                raise Unavailable(
                    "the target closed the connection", code="target_unreachable"
                ) from None
            return _words(error)
        except psycopg.Error as error:
            return _words(error)
        return None


@contextmanager
def open_session(
    credentials: dict[str, Any], settings: EngineSettings, statement_timeout_s: float
) -> Iterator[Session]:
    """Connect; raises Unavailable with code `target_unreachable`, without any secret."""
    options = settings.server_options
    limit = min(statement_timeout_s, settings.statement_timeout_s)
    optional = ("sslmode", "sslcert", "sslkey", "sslrootcert", "keepalives_idle")
    try:
        connection = psycopg.connect(
            host=credentials["host"],
            port=credentials["port"],
            user=credentials["user"],
            password=credentials["password"],
            dbname=credentials["database"],
            application_name="stringx",
            connect_timeout=max(1, min(int(limit) or 1, settings.connect_timeout_s)),
            options=f"{options} -c statement_timeout={max(1, round(limit * 1000))}",
            autocommit=True,
            **{name: credentials[name] for name in optional if credentials.get(name)},
        )
        if credentials.get("role"):
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(credentials["role"])))
    except psycopg.Error as error:
        password = str(credentials["password"] or "")
        words = _words(error).replace(password, "***") if password else _words(error)
        raise Unavailable(
            f"the target cannot be reached: {words}", code="target_unreachable"
        ) from None
    try:
        yield Session(connection)
    finally:
        connection.close()


def condition(predicate: Predicate) -> sql.Composable:
    """A predicate as SQL, literals typed by their own type and texts left to the database."""
    column = sql.Identifier(predicate.column)
    value = predicate.value
    if predicate.op == "is_null":
        return sql.SQL("{} is null").format(column)
    if predicate.op == "is_not_null":
        return sql.SQL("{} is not null").format(column)
    if predicate.op == "in":
        values = value if isinstance(value, list) else []
        return sql.SQL("{} in ({})").format(column, sql.SQL(", ").join(map(_literal, values)))
    if predicate.op == "between":
        low, high = value if isinstance(value, list) else (None, None)
        return sql.SQL("{} between {} and {}").format(column, _literal(low), _literal(high))
    operator = sql.SQL(f" {predicate.op} ")  # one of a fixed set
    return column + operator + _literal(value if not isinstance(value, list) else None)


def _literal(value: Scalar | None) -> sql.Composable:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return sql.SQL(repr(value))  # bare: psycopg would add a type
    return sql.Literal(value)


def _words(error: psycopg.Error) -> str:
    return " ".join((error.diag.message_primary or str(error)).split())[:1000]
