"""Our own look at a target database: its catalogue, row counts, and whether a statement would run.

Every session is read-only and has the same limits as dbt's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from quality.errors import Unavailable
from quality.moments import relative
from quality.names import TableName
from quality.predicates import Operand, Predicate

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

    def relation(self, table: TableName) -> Relation | None:
        """The table as the catalogue has it, None where it has none of that name."""
        rows = self._connection.execute(_COLUMNS, (table.schema, table.table)).fetchall()
        if not rows:
            return None
        return Relation({name: kind for _, name, kind in rows if name is not None})

    def try_regex(self, regex: str) -> str | None:
        """None if it is a regular expression, otherwise the database's words."""
        return self._try(sql.SQL("select '' ~ {}").format(sql.Literal(regex)))

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


def _literal(value: Operand | None) -> sql.Composable:
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        if kind == "literal":
            return sql.Literal(text)
        type_ = "date" if kind == "date" else "timestamptz"
        return sql.SQL(f"{type_} '{text}'")  # checked: digits and signs of ISO 8601
    moment = relative(value) if isinstance(value, str) else None
    if moment is not None:
        return sql.SQL(moment.sql)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return sql.SQL(repr(value))  # bare: psycopg would add a type
    return sql.Literal(value)


def _words(error: psycopg.Error) -> str:
    return " ".join((error.diag.message_primary or str(error)).split())[:1000]
