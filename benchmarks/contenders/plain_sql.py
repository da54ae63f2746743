"""Hand-written SQL over one open connection: `… plain_sql each` or `… plain_sql fused`.

`each` sends one query a check. `fused` is what an expert would write for one table.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.contenders.protocol import serve
from benchmarks.work import Check, Finding, Status, Target, Work

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
        return {"psycopg": psycopg.__version__}

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
        counts = [number for row in found for number in row]
        return [_counted(check, n) for check, n in zip(_in_order(work), counts, strict=True)]

    def close(self) -> None:
        self._connection.close()


def _finding(check: Check, count: int, rows: int | None = None) -> Finding:
    """From a count of rows, or of distinct values with their rows."""
    status: Status = "fail" if count else "pass"
    return Finding(check.name, status, count, failing_rows=count if rows is None else rows)


def _counted(check: Check, count: int) -> Finding:
    """From one number: rows, or for unique the rows beyond the first of each value."""
    status: Status = "fail" if count else "pass"
    if check.kind == "unique":
        return Finding(check.name, status, surplus_rows=count)
    return Finding(check.name, status, failing_rows=count)


def _one_by_one(work: Work) -> list[sql.Composed]:
    """With dbt's counts, so that each check could take the place of dbt's."""
    texts = {
        "not_null": "select count(*) from {table} where {column} is null",
        "accepted_values": (
            "select count(distinct {column}), count(*) from {table} "
            "where {column} not in ({values})"
        ),
        "unique": (
            "select count(*), coalesce(sum(n), 0)::bigint from (select count(*) as n from {table} "
            "where {column} is not null group by {column} having count(*) > 1) as repeated"
        ),
    }
    return [_filled(texts[check.kind], check, work) for check in work.checks]


def _fused(work: Work) -> list[sql.Composed]:
    """Two scans: the second apart, because count(distinct) keeps PostgreSQL from a parallel plan.

    On a million rows one scan for all unique columns was faster than one each, and either two to
    three times faster than grouping (PostgreSQL 18, C collation).
    """
    texts = {
        "not_null": "count(*) filter (where {column} is null)",
        "accepted_values": "count(*) filter (where {column} not in ({values}))",
        "unique": "count({column}) - count(distinct {column})",
    }
    scans: dict[bool, list[sql.Composed]] = {}
    for check in _in_order(work):
        counted = _filled(texts[check.kind], check, work)
        scans.setdefault(check.kind == "unique", []).append(counted)
    table = sql.Identifier(work.schema, work.table)
    return [
        sql.SQL("select {} from {}").format(sql.SQL(", ").join(counts), table)
        for counts in scans.values()
    ]


def _in_order(work: Work) -> list[Check]:
    """Row-level checks first, those of uniqueness last."""
    return sorted(work.checks, key=lambda check: check.kind == "unique")


def _filled(text: str, check: Check, work: Work) -> sql.Composed:
    return sql.SQL(text).format(
        table=sql.Identifier(work.schema, work.table),
        column=sql.Identifier(check.column),
        values=sql.SQL(", ").join(map(sql.Literal, check.values)),
    )


if __name__ == "__main__":
    serve(PlainSql(fused=sys.argv[1] == "fused"))
