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

from api.store.gate import HEADERS, KEY, VALUE, Gate
from api.store.measurements import Measurement
from quality.checks import CheckOutcome, RuleResult
from quality.gate import basis_of, reasons_of

_RESULTS: TypeAdapter[tuple[RuleResult, ...]] = TypeAdapter(tuple[RuleResult, ...])

_SILENT = Gate()
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
_ANNOUNCED = f"""
    ), announced as (
        insert into outbox (topic, key, value, headers)
        select :topic, {KEY}, cast({VALUE} as text), {HEADERS}
        from (
            select n.*, n.subject as scope_hash, n.status as verdict, n.id as check_id,
                now() as decided_at
            from gated n
        ) d order by d.table_id, d.scope_hash
"""  # noqa: S608 made of the gate's constants
# One statement is one transaction and one round trip. A row that another transaction changed while
# we waited for its lock is seen by `held` as it is then, so nothing is finished twice; and so does
# `tables`, so that of each change of a verdict it is known what it was before, and that a policy
# decides which was not changed meanwhile.
_WHOLE = """
    with item as materialized (
        select * from jsonb_to_recordset(cast(:items as jsonb)) as i (place integer, id text,
            fence integer, status text, rule_set_hash text, started_at timestamptz,
            finished_at timestamptz, duration_ms float8, counts jsonb, failing_rows bigint,
            error_code text, error text, basis text, reasons jsonb, results jsonb)
    ), held as materialized (
        select id, state, fence, table_id, connection, table_name, source, rules_version,
            rules_hash, where_hash, scope, traceparent,
            request ?| array['select', 'scope'] as is_narrowed,
            -- Null where a decision would be about no rows that have a name.
            case when request ? 'select' then null when request ? 'scope' then scope_hash else ''
            end as subject
        from check_run where id = any(cast(:ids as text[])) order by id for update
    ), free as materialized (
        select i.*, h.table_id, h.connection, h.table_name, h.is_narrowed, h.rules_version,
            h.rules_hash, h.where_hash, h.scope, h.subject, h.traceparent
        from item i
        join held h on h.id = i.id and h.fence = i.fence and h.state <> 'finished'
    ), tables as materialized (
        select * from monitored_table where id in (select table_id from free)
        order by id for no key update
    ), fresh as materialized (
        select i.*, now() + make_interval(secs => coalesce(t.gate_valid_for_s, :valid_for_s))
                as expires_at,
            coalesce(coalesce(t.gate_decisions, cast(:decisions as jsonb)) ->> i.basis, 'unknown')
                as decision
        from free i left join tables t on t.id = i.table_id
    ), finished as (
        update check_run c set state = 'finished', status = i.status, lease_until = null,
            rule_set_hash = i.rule_set_hash, started_at = i.started_at, finished_at = now(),
            duration_ms = i.duration_ms, counts = i.counts, failing_rows = i.failing_rows,
            error_code = i.error_code, error = i.error, decision = i.decision,
            decision_expires_at = i.expires_at
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
    ), gated as materialized (
        select distinct on (table_id, subject) * from fresh
        where table_id is not null and subject is not null
        order by table_id, subject, finished_at desc, place desc
    ), decided as (
        insert into gate_decision as g (table_id, scope_hash, decision, basis, verdict, reasons,
            scope, check_id, rule_set_hash, rules_version, traceparent, decided_at, expires_at)
        select n.table_id, n.subject, n.decision, n.basis, n.status, n.reasons, n.scope, n.id,
            n.rule_set_hash, n.rules_version, n.traceparent, now(), n.expires_at
        from gated n order by n.table_id, n.subject
        on conflict (table_id, scope_hash) do update set decision = excluded.decision,
            basis = excluded.basis, verdict = excluded.verdict, reasons = excluded.reasons,
            scope = excluded.scope, check_id = excluded.check_id,
            rule_set_hash = excluded.rule_set_hash, rules_version = excluded.rules_version,
            traceparent = excluded.traceparent, decided_at = excluded.decided_at,
            expires_at = excluded.expires_at
    {announced}
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
# Most batches have no samples and no measurements, and need not pay for the parts that keep them;
# and without Kafka nobody hears of decisions.
_STATEMENTS = {
    (with_extras, is_announced): text(
        _WHOLE.format(
            extras=_EXTRAS if with_extras else "",
            announced=_ANNOUNCED if is_announced else "",
        )
    )
    for with_extras in (False, True)
    for is_announced in (False, True)
}


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


def store(db: Connection, finished: list[Finished], gate: Gate = _SILENT) -> list[Stored]:
    """Store finished runs, each once: all of them or, where this fails, none; answers in order.

    The decisions of the gate are made with them and put into the outbox, if `gate` has a topic.
    """
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
    values: dict[str, Any] = {
        "items": f"[{items}]",
        "ids": list({one.id for one in finished}),
        **gate.values(),
    }
    with_extras = bool(samples or measurements)
    statement = _STATEMENTS[with_extras, gate.topic is not None]
    if with_extras:
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
            "basis": basis_of(outcome),
            "reasons": reasons_of(outcome),
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
