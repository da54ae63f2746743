"""The statement that stores outcomes: results, verdicts, decisions and what Kafka is told of them.

It is put together of parts, because most batches need few of them.
"""

from __future__ import annotations

from api.store.gate import HEADERS, KEY, VALUE
from api.store.statement import Statement

_EXTRAS = """
    ), sampled as (
        insert into rule_sample (check_id, position, rule, columns, rows, sql, is_capped)
        select i.id, s.position, s.rule, s.columns, s.rows, s.sql, s.is_capped
        from jsonb_to_recordset(cast(:samples as jsonb)) as s (place integer, position integer,
            rule text, columns jsonb, rows jsonb, sql text, is_capped boolean)
        join fresh i on i.place = s.place {emptied}
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
            error_code text, error text, basis text, reasons jsonb, is_partial boolean,
            results jsonb)
    ), held as materialized (
        select id, state, fence, table_id, connection, table_name, source, rules_version,
            rules_hash, where_hash, scope, traceparent, partial_at,
            request ?| array['select', 'scope'] as is_narrowed,
            -- Null where a decision would be about no rows that have a name.
            case when request ? 'select' then null when request ? 'scope' then scope_hash else ''
            end as subject
        from check_run where id = any(cast(:ids as text[])) order by id for update
    ), free as materialized (
        select i.*, h.table_id, h.connection, h.table_name, h.is_narrowed, h.rules_version,
            h.rules_hash, h.where_hash, h.scope, h.subject, h.traceparent, h.partial_at
        from item i
        join held h on h.id = i.id and h.fence = i.fence and h.state <> 'finished' and {may}
    ), tables as materialized (
        select * from monitored_table where id in (select table_id from free)
        order by id for no key update
    ), fresh as materialized (
        select i.*, now() + make_interval(secs => coalesce(t.gate_valid_for_s, :valid_for_s))
                as expires_at,
            coalesce(coalesce(t.gate_decisions, cast(:decisions as jsonb)) ->> i.basis, 'unknown')
                as decision
        from free i left join tables t on t.id = i.table_id
    {begun}), stored as (
        update check_run c set status = i.status, {state},
            rule_set_hash = i.rule_set_hash, started_at = i.started_at,
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
        from fresh i {emptied}
        cross join lateral rows from (jsonb_to_recordset(i.results) as (rule text, type text,
            "column" text, dimension text, kind text, severity text, status text,
            failures bigint, failing_rows bigint, rows_tested bigint, rows_estimated boolean,
            measured jsonb, path text, proof text, duration_ms float8, message text, sql text,
            groups jsonb, groups_left_out bigint, is_shadow boolean, weight float8))
            with ordinality as r (rule, type, column_name, dimension, kind, severity, status,
            failures, failing_rows, rows_tested, rows_estimated, measured, path, proof,
            duration_ms, message, sql, groups, groups_left_out, is_shadow, weight, place)
    {extras}), newest as materialized (
        -- A check of some rules or some rows says nothing about the table as a whole.
        select distinct on (table_id) * from fresh
        where table_id is not null and not is_narrowed {newest}
        order by table_id, finished_at desc, place desc
    ), gated as materialized (
        select distinct on (table_id, subject) * from fresh
        where table_id is not null and subject is not null {gated}
        order by table_id, subject, finished_at desc, place desc
    ), decided as (
        insert into gate_decision as g (table_id, scope_hash, decision, basis, verdict, reasons,
            scope, check_id, rule_set_hash, rules_version, traceparent, decided_at, expires_at,
            is_partial)
        select n.table_id, n.subject, n.decision, n.basis, n.status, n.reasons, n.scope, n.id,
            n.rule_set_hash, n.rules_version, n.traceparent, now(), n.expires_at, n.is_partial
        from gated n order by n.table_id, n.subject
        on conflict (table_id, scope_hash) do update set decision = excluded.decision,
            basis = excluded.basis, verdict = excluded.verdict, reasons = excluded.reasons,
            scope = excluded.scope, check_id = excluded.check_id,
            rule_set_hash = excluded.rule_set_hash, rules_version = excluded.rules_version,
            traceparent = excluded.traceparent, decided_at = excluded.decided_at,
            expires_at = excluded.expires_at, is_partial = excluded.is_partial
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
    select id, state, fence, source, partial_at is not null as is_begun from held
"""
# What else there is to do where a batch has checks with the verdict of their deadline: either that
# verdict is stored now, and the check goes on, or what was stored then is replaced by the whole.
# Meanwhile another check may have spoken of the same table or rows; what it said stands then,
# because it has seen newer ones.
_BEGUN = """
    ), standing as materialized (
        select g.table_id, g.scope_hash, g.check_id
        from gate_decision g join fresh i on i.table_id = g.table_id and i.subject = g.scope_hash
        where i.partial_at is not null for no key update of g
    ), erased as (
        delete from rule_result r using fresh i
        where r.check_id = i.id and i.partial_at is not null returning 1
    ), unsampled as (
        delete from rule_sample s using fresh i
        where s.check_id = i.id and i.partial_at is not null returning 1
    ), emptied as materialized (
        select (select count(*) from erased) + (select count(*) from unsampled)
"""
_WHOLES = {
    "may": "h.partial_at is null",
    "begun": "",
    "state": "state = 'finished', lease_until = null, finished_at = now()",
    "emptied": "",
    "newest": "",
    "gated": "",
}
_PARTS = {
    "may": "not (i.is_partial and h.partial_at is not null)",
    "begun": _BEGUN,
    "state": """
            state = case when i.is_partial then c.state else 'finished' end,
            lease_until = case when i.is_partial then c.lease_until end,
            finished_at = case when not i.is_partial then now() end,
            partial_at = case when i.is_partial then now() else c.partial_at end
    """,
    "emptied": "cross join emptied",  # so that rows go before others come in their places
    "newest": """
        and not is_partial and not exists (
            select from tables t
            where t.id = fresh.table_id and t.last_finished_at > fresh.partial_at
        )
    """,
    "gated": """
        and not exists (
            select from standing s
            where fresh.partial_at is not null and s.table_id = fresh.table_id
                and s.scope_hash = fresh.subject and s.check_id is distinct from fresh.id
        )
    """,
}


def _statement(parts: dict[str, str], *, with_extras: bool, is_announced: bool) -> Statement:
    extras = _EXTRAS.format(emptied=parts["emptied"]) if with_extras else ""
    return Statement(_WHOLE.format(extras=extras, announced=_ANNOUNCED * is_announced, **parts))


STATEMENTS = {
    (with_parts, with_extras, is_announced): _statement(
        _PARTS if with_parts else _WHOLES, with_extras=with_extras, is_announced=is_announced
    )
    for with_parts in (False, True)
    for with_extras in (False, True)
    for is_announced in (False, True)
}
"""By whether checks may have the verdict of a deadline (`with_parts`; without, they are passed
over), whether there are samples or measurements, and whether Kafka hears of decisions."""
