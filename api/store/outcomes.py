"""Outcomes: storing what runs found, each check's once.

A batch costs the same few statements however many results it has. Checks are locked in the order
of their ids and then tables in the order of theirs, so that batches cannot deadlock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, text

from quality.checks import CheckOutcome, RuleResult

_RESULTS: TypeAdapter[tuple[RuleResult, ...]] = TypeAdapter(tuple[RuleResult, ...])

_LOCK = text(
    """
    select id, state, fence, table_id, source, request ?| array['select', 'scope'] as is_narrowed
    from check_run where id = any(cast(:ids as text[])) order by id for update
    """
)
_FINISH = text(
    """
    update check_run c set state = 'finished', status = i.status, lease_until = null,
        rule_set_hash = i.rule_set_hash, started_at = i.started_at, finished_at = now(),
        duration_ms = i.duration_ms, counts = i.counts, failing_rows = i.failing_rows,
        error_code = i.error_code, error = i.error
    from jsonb_to_recordset(cast(:items as jsonb)) as i (id text, status text, rule_set_hash text,
        started_at timestamptz, duration_ms float8, counts jsonb, failing_rows bigint,
        error_code text, error text)
    where c.id = i.id
    """
)
_INSERT = text(
    """
    insert into rule_result (check_id, table_id, finished_at, position, rule, type, column_name,
        dimension, kind, severity, status, failures, failing_rows, rows_tested, rows_estimated,
        measured, path, proof, duration_ms, message, sql)
    select i.id, i.table_id, i.finished_at, r.place - 1, r.rule, r.type, r.column_name,
        r.dimension, r.kind, r.severity, r.status, r.failures, r.failing_rows, r.rows_tested,
        r.rows_estimated, r.measured, r.path, r.proof, r.duration_ms, r.message, r.sql
    from jsonb_to_recordset(cast(:items as jsonb))
        as i (id text, table_id bigint, finished_at timestamptz, results jsonb)
    cross join lateral rows from (jsonb_to_recordset(i.results) as (rule text, type text,
        "column" text, dimension text, kind text, severity text, status text, failures bigint,
        failing_rows bigint, rows_tested bigint, rows_estimated boolean, measured jsonb, path text,
        proof text, duration_ms float8, message text, sql text)) with ordinality
        as r (rule, type, column_name, dimension, kind, severity, status, failures, failing_rows,
        rows_tested, rows_estimated, measured, path, proof, duration_ms, message, sql, place)
    """
)
_VERDICTS = text(
    """
    with newest as (
        select i.* from jsonb_to_recordset(cast(:items as jsonb))
            as i (table_id bigint, check_id text, status text)
    ), locked as (
        select t.id from monitored_table t where t.id in (select table_id from newest)
        order by t.id for no key update
    )
    update monitored_table t
    set last_check_id = newest.check_id, last_status = newest.status, last_finished_at = now()
    from locked join newest on newest.table_id = locked.id
    where t.id = locked.id
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
    """Store finished runs, each once: all in this transaction or nothing; answers in order."""
    rows = {row.id: row for row in db.execute(_LOCK, {"ids": [one.id for one in finished]})}
    answers: list[Stored] = []
    fresh: dict[str, Finished] = {}
    for one in finished:
        row = rows.get(one.id)
        if row is None:
            answers.append(Stored(one.id, "unknown"))
        elif row.state == "finished" or one.id in fresh:
            answers.append(Stored(one.id, "replayed", row.source))
        elif row.fence != one.fence:
            answers.append(Stored(one.id, "stale_fence", row.source))
        else:
            fresh[one.id] = one
            answers.append(Stored(one.id, "stored", row.source))
    if fresh:
        _write(db, list(fresh.values()), rows)
    return answers


def _write(db: Connection, fresh: list[Finished], rows: dict[str, Any]) -> None:
    db.execute(_FINISH, {"items": json.dumps([_verdict(one) for one in fresh])})
    judged = [one for one in fresh if one.outcome.results]
    if judged:
        parts = [_results(one, rows[one.id].table_id) for one in judged]
        db.execute(_INSERT, {"items": f"[{','.join(parts)}]"})
    newest: dict[int, Finished] = {}
    for one in fresh:
        row = rows[one.id]
        # A check of some rules or some rows says nothing about the table as a whole.
        if row.table_id is not None and not row.is_narrowed:
            before = newest.get(row.table_id)
            if before is None or one.outcome.finished_at >= before.outcome.finished_at:
                newest[row.table_id] = one
    if newest:
        verdicts = [
            {"table_id": table_id, "check_id": one.id, "status": one.outcome.status}
            for table_id, one in newest.items()
        ]
        db.execute(_VERDICTS, {"items": json.dumps(verdicts)})


def _verdict(one: Finished) -> dict[str, Any]:
    outcome = one.outcome
    return {
        "id": one.id,
        "status": outcome.status,
        "rule_set_hash": outcome.rule_set_hash,
        "started_at": outcome.started_at.isoformat(),
        "duration_ms": outcome.duration_ms,
        "counts": outcome.counts,
        "failing_rows": outcome.failing_rows,
        "error_code": outcome.error_code,
        "error": outcome.error,
    }


def _results(one: Finished, table_id: int | None) -> str:
    """As JSON, whose large part pydantic writes at once."""
    head = json.dumps(
        {
            "id": one.id,
            "table_id": table_id,
            "finished_at": one.outcome.finished_at.isoformat(),
        }
    )
    results = _RESULTS.dump_json(one.outcome.results).decode()
    return f'{head[:-1]},"results":{results}}}'
