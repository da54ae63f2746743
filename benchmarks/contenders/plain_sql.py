"""Hand-written SQL over one open connection: `… plain_sql each` or `… plain_sql fused`.

`each` sends one query a check. `fused` is what an expert would write for one table: every row-level
check in one scan, uniqueness apart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.contenders.protocol import serve
from benchmarks.work import Check, Finding, Target, Work

Rows = list[tuple[Any, ...]]


class PlainSql:
    """See `Contender`."""

    starts_processes = False

    def __init__(self, *, fused: bool) -> None:
        self._fused = fused
        self._connection: psycopg.Connection[tuple[Any, ...]]
        self._queries: dict[str, list[sql.Composed]] = {}

    def open(self, target: Target, folder: Path) -> dict[str, str]:
        self._connection = psycopg.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            dbname=target.database,
            autocommit=True,
        )
        server = self._connection.info.server_version
        return {
            "psycopg": psycopg.__version__,
            "PostgreSQL": f"{server // 10000}.{server % 10000}",
        }

    def prepare(self, work: Work) -> None:
        self._queries[work.name] = _fused(work) if self._fused else _one_by_one(work)

    def run(self, work: Work) -> Rows:
        rows = []
        for query in self._queries[work.name]:
            row = self._connection.execute(query).fetchone()
            assert row is not None
            rows.append(row)
        return rows

    def findings(self, work: Work, found: Rows) -> Sequence[Finding]:
        if not self._fused:
            return [_finding(check, *row) for check, row in zip(work.checks, found, strict=True)]
        scanned, unique = iter(found[0]) if _scanned(work) else iter(()), iter(found)
        if _scanned(work):
            next(unique)
        return [
            _finding(check, *next(unique))
            if check.kind == "unique"
            else _finding(check, next(scanned))
            for check in work.checks
        ]

    def close(self) -> None:
        self._connection.close()


def _finding(check: Check, count: int, rows: int | None = None) -> Finding:
    """From one number, or from distinct values and their rows."""
    status = "fail" if count else "pass"
    if rows is not None:
        return Finding(check.name, status, failures=count, failing_rows=rows)
    failures = count if check.kind == "not_null" else None
    return Finding(check.name, status, failures=failures, failing_rows=count)


def _scanned(work: Work) -> list[Check]:
    return [check for check in work.checks if check.kind != "unique"]


def _one_by_one(work: Work) -> list[sql.Composed]:
    queries = []
    for check in work.checks:
        column, table = sql.Identifier(check.column), _table(work)
        if check.kind == "not_null":
            text = "select count(*) from {table} where {column} is null"
        elif check.kind == "unique":
            queries.append(_unique(check, table))
            continue
        else:
            text = (
                "select count(distinct {column}), count(*) from {table} "
                "where {column} not in ({values})"
            )
        queries.append(sql.SQL(text).format(table=table, column=column, values=_values(check)))
    return queries


def _fused(work: Work) -> list[sql.Composed]:
    counts = []
    for check in _scanned(work):
        if check.kind == "not_null":
            text = "count(*) - count({column})"
        else:
            text = "count(*) filter (where {column} not in ({values}))"
        counts.append(
            sql.SQL(text).format(column=sql.Identifier(check.column), values=_values(check))
        )
    table = _table(work)
    scan = sql.SQL("select {} from {}").format(sql.SQL(", ").join(counts), table)
    unique = [_unique(check, table) for check in work.checks if check.kind == "unique"]
    return [*([scan] if counts else []), *unique]


def _unique(check: Check, table: sql.Composable) -> sql.Composed:
    return sql.SQL(
        "select count(*), coalesce(sum(n), 0)::bigint from (select count(*) as n from {table} "
        "where {column} is not null group by {column} having count(*) > 1) as repeated"
    ).format(table=table, column=sql.Identifier(check.column))


def _table(work: Work) -> sql.Identifier:
    return sql.Identifier(work.schema, work.table)


def _values(check: Check) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Literal, check.values))


if __name__ == "__main__":
    serve(PlainSql(fused=sys.argv[1] == "fused"))
