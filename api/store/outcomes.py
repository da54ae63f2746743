"""Outcomes: storing what runs found, each check's once.

A batch is one statement however many results it has. Checks are locked in the order of their ids
and then tables in the order of theirs, so that batches cannot deadlock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, text

from quality.checks import CheckOutcome, RuleResult

_RESULTS: TypeAdapter[tuple[RuleResult, ...]] = TypeAdapter(tuple[RuleResult, ...])

# One statement is one transaction and one round trip. A row that another transaction changed while
# we waited for its lock is seen by `held` as it is then, so nothing is finished twice.
_STORE = text(
    """
    with item as materialized (
        select * from jsonb_to_recordset(cast(:items as jsonb)) as i (place integer, id text,
            fence integer, status text, rule_set_hash text, started_at timestamptz,
            finished_at timestamptz, duration_ms float8, counts jsonb, failing_rows bigint,
            error_code text, error text, results jsonb)
    ), held as materialized (
        select id, state, fence, table_id, source,
            request ?| array['select', 'scope'] as is_narrowed
        from check_run where id = any(cast(:ids as text[])) order by id for update
    ), fresh as materialized (
        select i.*, h.table_id, h.is_narrowed from item i
        join held h on h.id = i.id and h.fence = i.fence and h.state <> 'finished'
    ), finished as (
        update check_run c set state = 'finished', status = i.status, lease_until = null,
            rule_set_hash = i.rule_set_hash, started_at = i.started_at, finished_at = now(),
            duration_ms = i.duration_ms, counts = i.counts, failing_rows = i.failing_rows,
            error_code = i.error_code, error = i.error
        from fresh i where c.id = i.id
    ), judged as (
        insert into rule_result (check_id, table_id, finished_at, position, rule, type, column_name,
            dimension, kind, severity, status, failures, failing_rows, rows_tested, rows_estimated,
            measured, path, proof, duration_ms, message, sql)
        select i.id, i.table_id, i.finished_at, r.place - 1, r.rule, r.type, r.column_name,
            r.dimension, r.kind, r.severity, r.status, r.failures, r.failing_rows, r.rows_tested,
            r.rows_estimated, r.measured, r.path, r.proof, r.duration_ms, r.message, r.sql
        from fresh i cross join lateral rows from (jsonb_to_recordset(i.results) as (rule text,
            type text, "column" text, dimension text, kind text, severity text, status text,
            failures bigint, failing_rows bigint, rows_tested bigint, rows_estimated boolean,
            measured jsonb, path text, proof text, duration_ms float8, message text, sql text))
            with ordinality as r (rule, type, column_name, dimension, kind, severity, status,
            failures, failing_rows, rows_tested, rows_estimated, measured, path, proof,
            duration_ms, message, sql, place)
    ), newest as materialized (
        -- A check of some rules or some rows says nothing about the table as a whole.
        select distinct on (table_id) table_id, id, status from fresh
        where table_id is not null and not is_narrowed
        order by table_id, finished_at desc, place desc
    ), tables as materialized (
        select t.id from monitored_table t where t.id in (select table_id from newest)
        order by t.id for no key update
    ), verdicts as (
        update monitored_table t
        set last_check_id = newest.id, last_status = newest.status, last_finished_at = now()
        from tables join newest on newest.table_id = tables.id where t.id = tables.id
    )
    select id, state, fence, source from held
    """
)


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of a claimed check, with the fencing token of its claim."""

    id: str
    fence: int
    outcome: CheckOutcome


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one posted outcome: `stored`, `replayed`, `stale_fence` or `unknown`."""

    id: str
    result: str
    source: str = ""


def store(db: Connection, finished: list[Finished]) -> list[Stored]:
    """Store finished runs, each once: all of them or, where this fails, none; answers in order."""
    given: dict[tuple[str, int], tuple[int, Finished]] = {}
    for place, one in enumerate(finished):
        given.setdefault((one.id, one.fence), (place, one))
    items = ",".join(_item(place, one) for place, one in given.values())
    ids = list({one.id for one in finished})
    rows = {row.id: row for row in db.execute(_STORE, {"items": f"[{items}]", "ids": ids})}
    answers: list[Stored] = []
    stored: set[str] = set()
    for one in finished:
        row = rows.get(one.id)
        if row is None:
            answers.append(Stored(one.id, "unknown"))
        elif row.state == "finished" or one.id in stored:
            answers.append(Stored(one.id, "replayed", row.source))
        elif row.fence != one.fence:
            answers.append(Stored(one.id, "stale_fence", row.source))
        else:
            stored.add(one.id)
            answers.append(Stored(one.id, "stored", row.source))
    return answers


def _item(place: int, one: Finished) -> str:
    """As JSON, whose large part pydantic writes at once."""
    outcome = one.outcome
    head = json.dumps(
        {
            "place": place,
            "id": one.id,
            "fence": one.fence,
            "status": outcome.status,
            "rule_set_hash": outcome.rule_set_hash,
            "started_at": _moment(outcome.started_at),
            "finished_at": _moment(outcome.finished_at),
            "duration_ms": outcome.duration_ms,
            "counts": outcome.counts,
            "failing_rows": outcome.failing_rows,
            "error_code": outcome.error_code,
            "error": outcome.error,
        }
    )
    return f'{head[:-1]},"results":{_RESULTS.dump_json(outcome.results).decode()}}}'


def _moment(moment: datetime) -> str:
    """In UTC, because PostgreSQL takes offsets below 16 hours only; within what Python can read."""
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        nearest = datetime.min if moment.year == 1 else datetime.max
        return nearest.replace(tzinfo=UTC).isoformat()
