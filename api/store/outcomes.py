"""Outcomes: storing what runs found, each check's once.

A batch is one statement however many results it has. Checks are locked in the order of their ids
and then tables in the order of theirs, so that batches cannot deadlock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, text

from api.store.measurements import Measurement
from quality.checks import CheckOutcome, RuleResult

_RESULTS: TypeAdapter[tuple[RuleResult, ...]] = TypeAdapter(tuple[RuleResult, ...])

_EXTRAS = """
    ), sampled as (
        insert into rule_sample (check_id, position, rule, columns, rows, sql, is_capped)
        select i.id, s.position, s.rule, s.columns, s.rows, s.sql, s.is_capped
        from jsonb_to_recordset(cast(:samples as jsonb)) as s (place integer, position integer,
            rule text, columns jsonb, rows jsonb, sql text, is_capped boolean)
        join fresh i on i.place = s.place
    ), kept as (
        insert into measurement (table_id, check_id, rule, definition_hash, scope_hash, at,
            measured)
        select i.table_id, i.id, m.rule, m.definition_hash, m.scope_hash, m.at, m.measured
        from jsonb_to_recordset(cast(:measurements as jsonb)) as m (place integer, rule text,
            definition_hash text, scope_hash text, at timestamptz, measured jsonb)
        join fresh i on i.place = m.place where i.table_id is not null
"""
# One statement is one transaction and one round trip. A row that another transaction changed while
# we waited for its lock is seen by `held` as it is then, so nothing is finished twice; and so does
# `tables`, so that of each change of a verdict it is known what it was before.
_WHOLE = """
    with item as materialized (
        select * from jsonb_to_recordset(cast(:items as jsonb)) as i (place integer, id text,
            fence integer, status text, rule_set_hash text, started_at timestamptz,
            finished_at timestamptz, duration_ms float8, counts jsonb, failing_rows bigint,
            error_code text, error text, results jsonb)
    ), held as materialized (
        select id, state, fence, table_id, source, rules_version, rules_hash, where_hash,
            request ?| array['select', 'scope'] as is_narrowed
        from check_run where id = any(cast(:ids as text[])) order by id for update
    ), fresh as materialized (
        select i.*, h.table_id, h.is_narrowed, h.rules_version, h.rules_hash, h.where_hash
        from item i
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
            measured, path, proof, duration_ms, message, sql, groups, groups_left_out, is_shadow,
            weight)
        select i.id, i.table_id, i.finished_at, r.place - 1, r.rule, r.type, r.column_name,
            r.dimension, r.kind, r.severity, r.status, r.failures, r.failing_rows, r.rows_tested,
            r.rows_estimated, r.measured, r.path, r.proof, r.duration_ms, r.message, r.sql,
            r.groups, r.groups_left_out, r.is_shadow, r.weight
        from fresh i cross join lateral rows from (jsonb_to_recordset(i.results) as (rule text,
            type text, "column" text, dimension text, kind text, severity text, status text,
            failures bigint, failing_rows bigint, rows_tested bigint, rows_estimated boolean,
            measured jsonb, path text, proof text, duration_ms float8, message text, sql text,
            groups jsonb, groups_left_out bigint, is_shadow boolean, weight float8))
            with ordinality as r (rule, type, column_name, dimension, kind, severity, status,
            failures, failing_rows, rows_tested, rows_estimated, measured, path, proof,
            duration_ms, message, sql, groups, groups_left_out, is_shadow, weight, place)
    {extras}), newest as materialized (
        -- A check of some rules or some rows says nothing about the table as a whole.
        select distinct on (table_id) * from fresh
        where table_id is not null and not is_narrowed
        order by table_id, finished_at desc, place desc
    ), tables as materialized (
        select * from monitored_table where id in (select table_id from newest)
        order by id for no key update
    ), turned as (
        insert into verdict_change (table_id, check_id, at, before, after, cause, before_check_id,
            before_at, before_version, after_version)
        select t.id, n.id, now(), t.last_status, n.status,
            case
                when t.last_rules_hash <> n.rules_hash then 'rules'
                when t.last_where_hash <> n.where_hash then 'scope'
                when 'error' in (t.last_status, n.status) then 'error'
                else 'data'
            end,
            t.last_check_id, t.last_finished_at, t.last_version, n.rules_version
        from tables t join newest n on n.table_id = t.id where t.last_status <> n.status
    ), verdicts as (
        update monitored_table t
        set last_check_id = newest.id, last_status = newest.status, last_finished_at = now(),
            last_version = newest.rules_version, last_rules_hash = newest.rules_hash,
            last_where_hash = newest.where_hash
        from tables join newest on newest.table_id = tables.id where t.id = tables.id
    )
    select id, state, fence, source from held
"""
# Most batches have no samples and no measurements, and need not pay for the parts that keep them.
_STORE = text(_WHOLE.format(extras=""))
_STORE_WITH_EXTRAS = text(_WHOLE.format(extras=_EXTRAS))


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of a claimed check, with the fencing token of its claim.

    `measurements` are kept with it, for later ones to be compared with.
    """

    id: str
    fence: int
    outcome: CheckOutcome
    measurements: tuple[Measurement, ...] = ()


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
    samples = [sample for place, one in given.values() for sample in _samples(place, one)]
    measurements = [
        {"place": place, **measurement.document()}
        for place, one in given.values()
        for measurement in one.measurements
    ]
    values: dict[str, Any] = {"items": f"[{items}]", "ids": list({one.id for one in finished})}
    statement = _STORE
    if samples or measurements:
        statement = _STORE_WITH_EXTRAS
        values |= {"samples": json.dumps(samples), "measurements": json.dumps(measurements)}
    rows = {row.id: row for row in db.execute(statement, values)}
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
    results = _RESULTS.dump_json(outcome.results, exclude={"__all__": {"sample"}})
    return f'{head[:-1]},"results":{results.decode()}}}'


def _samples(place: int, one: Finished) -> Iterator[dict[str, Any]]:
    for position, result in enumerate(one.outcome.results):
        if result.sample is not None:
            sample = result.sample.model_dump(mode="json")
            yield {"place": place, "position": position, "rule": result.rule, **sample}


def _moment(moment: datetime) -> str:
    """In UTC, because PostgreSQL takes offsets below 16 hours only; within what Python can read."""
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        nearest = datetime.min if moment.year == 1 else datetime.max
        return nearest.replace(tzinfo=UTC).isoformat()
