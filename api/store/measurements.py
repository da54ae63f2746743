"""What rules on history measured: one row for each rule and check, with its values by name.

Rows of one table, rule, definition and kind of scope are a series in time. They are written with
the outcome that they are of (`api.store.outcomes`), so each once. What other rules measured stands
with their results.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from api.store.paging import Page, fetch_page
from api.store.schema import rule_result
from quality.checks import Measure
from quality.history import Earlier, Reach

_OF_SERIES = """
            from measurement m
            where m.table_id = a.table_id and m.rule = a.rule
                and m.definition_hash = a.definition_hash and m.scope_hash = a.scope_hash
                and m.at >= a.since and (a.before_id is null or m.id < a.before_id)
"""
# From the newest value to the newest one of each bucket before, by the index: however often a table
# was checked, only the values that count are read. Weeks begin on Monday.
_EARLIER = text(
    f"""
    select a.place, found.at, found.measured
    from jsonb_to_recordset(cast(:asked as jsonb)) as a (place integer, table_id bigint, rule text,
        definition_hash text, scope_hash text, before_id bigint, bucket text, since timestamptz,
        until timestamptz, count integer)
    cross join lateral (
        with recursive step as (
            (select m.id, m.at, m.measured, 1 as number {_OF_SERIES} and m.at <= a.until
            order by m.at desc, m.id desc limit 1)
            union all
            select older.id, older.at, older.measured, step.number + 1
            from step cross join lateral (
                select m.id, m.at, m.measured {_OF_SERIES} and m.at < case a.bucket
                    when 'check' then step.at
                    else date_trunc(a.bucket, step.at at time zone 'UTC') at time zone 'UTC' end
                order by m.at desc, m.id desc limit 1
            ) older
            where step.number < a.count
        )
        select id, at, measured from step where a.count > 0
    ) found
    order by a.place, found.at, found.id
    """  # noqa: S608 only words of our own
)
_SUBJECTS = text(
    """
    select c.id, c.table_id, c.request -> 'scope' as scope, coalesce(
        (select v.rules from rule_version v
            where v.table_id = c.table_id and v.number = c.rules_version),
        (select jsonb_agg(r.definition) from rule r where r.table_id = c.table_id)
    ) as rules
    from check_run c where c.id = any(cast(:ids as text[]))
    """
)
_FORGET = text(
    """
    delete from measurement where id in (
        select id from measurement where measured_at < now() - make_interval(days => :days)
        order by measured_at limit :limit for update skip locked
    )
    """
)


@dataclass(frozen=True, slots=True)
class Place:
    """A series: whose values they are, and of which kind; with `before_id` up to that row."""

    table_id: int
    rule: str
    definition_hash: str
    scope_hash: str
    before_id: int | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Values that a rule measured; `at` is the moment that they are about."""

    rule: str
    definition_hash: str
    scope_hash: str
    at: datetime
    measured: dict[str, Measure]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule,
            "definition_hash": self.definition_hash,
            "scope_hash": self.scope_hash,
            "at": self.at.isoformat(),
            "measured": self.measured,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What a check was about: its table, the scope as it was asked for, and the rules of its
    version as they were written."""

    table_id: int | None
    scope: list[dict[str, Any]]
    rules: list[dict[str, Any]]


def subjects(db: Connection, check_ids: Sequence[str]) -> dict[str, Subject]:
    """What checks are about, by their ids; those of whom nothing is known are left out."""
    rows = db.execute(_SUBJECTS, {"ids": list(check_ids)})
    return {row.id: Subject(row.table_id, row.scope or [], row.rules or []) for row in rows}


def earlier(db: Connection, asked: Sequence[tuple[Place, Reach]]) -> list[list[Earlier]]:
    """What was measured before, for each series in the order of `asked`; oldest first."""
    documents = [
        {
            "place": number,
            "table_id": place.table_id,
            "rule": place.rule,
            "definition_hash": place.definition_hash,
            "scope_hash": place.scope_hash,
            "before_id": place.before_id,
            "bucket": reach.bucket,
            "since": reach.since.isoformat(),
            "until": reach.until.isoformat(),
            "count": reach.count,
        }
        for number, (place, reach) in enumerate(asked)
    ]
    found: list[list[Earlier]] = [[] for _ in asked]
    for row in db.execute(_EARLIER, {"asked": json.dumps(documents)}):
        found[row.place].append(Earlier(row.at, row.measured))
    return found


def page(
    db: Connection,
    table_id: int,
    *,
    rule: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """What the rules of a table measured, whatever their type, newest first: check_id, at, rule,
    type, status, failures, failing_rows, rows_tested and `measured`, values by name."""
    columns = rule_result.c
    query = select(
        columns.id,
        columns.check_id,
        columns.finished_at.label("at"),
        columns.rule,
        columns.type,
        columns.status,
        columns.failures,
        columns.failing_rows,
        columns.rows_tested,
        columns.measured,
    ).where(columns.table_id == table_id)
    if rule is not None:
        query = query.where(columns.rule == rule)
    if since is not None:
        query = query.where(columns.finished_at >= since)
    if until is not None:
        query = query.where(columns.finished_at < until)
    return fetch_page(db, query, [columns.id], limit=limit, cursor=cursor, descending=True)


def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
    """Drop at most so many rows that were written longer ago than that; how many they were."""
    return db.execute(_FORGET, {"days": older_than_days, "limit": limit}).rowcount
