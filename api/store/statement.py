"""Statements that are executed with every request, by the driver itself.

To get a statement and its result ready takes SQLAlchemy as long as PostgreSQL takes to execute it.
The pool, transactions and the classes of errors are still SQLAlchemy's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

# As in SQLAlchemy's `text`: a colon and a name, but no cast by two colons.
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)(?!:)")


class Statement:
    """SQL with named parameters (`:name`), for a connection of `Database`.

    Rows are named tuples. Raises what SQLAlchemy raises.
    """

    def __init__(self, sql: str) -> None:
        self._names: list[str] = []

        def number(found: re.Match[str]) -> str:
            name = found[1]
            if name not in self._names:
                self._names.append(name)
            return f"${self._names.index(name) + 1}"

        # Numbered as PostgreSQL has it, so that nothing is looked for in it when it is executed.
        self._sql = _PARAMETER.sub(number, sql).encode()

    @classmethod
    def of(cls, query: Select[Any]) -> Statement:
        """That of a query of SQLAlchemy's, with parameters written `literal_column(":name")`."""
        return cls(str(query.compile(dialect=postgresql.dialect(paramstyle="named"))))

    def rows(self, db: Connection, values: Mapping[str, Any]) -> list[Any]:
        """All rows that it answers."""
        with self._executed(db, values) as cursor:
            return cursor.fetchall()

    def first(self, db: Connection, values: Mapping[str, Any]) -> Any:
        """The first row, or None where there is none."""
        with self._executed(db, values) as cursor:
            return cursor.fetchone()

    def run(self, db: Connection, values: Mapping[str, Any]) -> None:
        """Execute what answers no rows."""
        self._executed(db, values).close()

    def _executed(self, db: Connection, values: Mapping[str, Any]) -> psycopg.RawCursor[Any]:
        connection: Any = db.connection.driver_connection
        cursor: psycopg.RawCursor[Any] = psycopg.RawCursor(connection, row_factory=namedtuple_row)
        try:
            return cursor.execute(self._sql, [values[name] for name in self._names])
        except psycopg.Error as error:
            if connection.closed:
                db.exec_driver_sql("select 1")  # finds it lost as well, and renews the whole pool
            raise DBAPIError.instance(
                self._sql.decode(),
                None,
                error,
                psycopg.Error,
                hide_parameters=True,
                dialect=db.dialect,
            ) from error
