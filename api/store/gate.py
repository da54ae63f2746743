"""Decisions of the gate: what stands now, and those that are made without a check.

Those of checks are made where outcomes are stored, in the same statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, text, update

from api.store.schema import monitored_table, rule_result
from api.store.tables import no_table
from quality.gate import Basis, Cause, GatePolicy, reasons

_DEFAULTS = json.dumps(GatePolicy().decisions())

# What Kafka is told of a row `d` that has the columns of gate_decision and the table's names. The
# keys of compacted messages: what is said of some rows does not replace what is said of the table.
KEY = """
    d.connection || '/' || d.table_name
        || case when d.scope_hash = '' then '' else '#' || left(d.scope_hash, 16) end
"""
VALUE = """
    jsonb_build_object('connection', d.connection, 'table', d.table_name, 'decision', d.decision,
        'verdict', d.verdict, 'reasons', d.reasons, 'scope', coalesce(d.scope, '[]'),
        'scope_hash', nullif(d.scope_hash, ''), 'rule_set_hash', d.rule_set_hash,
        'rules_version', d.rules_version, 'check_id', d.check_id, 'decided_at', d.decided_at,
        'expires_at', d.expires_at, 'traceparent', d.traceparent, 'is_partial', d.is_partial)
"""
HEADERS = """
    jsonb_strip_nulls(
        jsonb_build_object('content-type', 'application/json', 'traceparent', d.traceparent))
"""
_COLUMNS = """
    table_id, scope_hash, decision, basis, verdict, reasons, scope, check_id, rule_set_hash,
    rules_version, traceparent, decided_at, expires_at, is_partial
"""
_ANNOUNCE = f"""
    ), announced as (
        insert into outbox (topic, key, value, headers)
        select :topic, {KEY}, cast({VALUE} as text), {HEADERS}
        from (
            select made.*, t.connection, t.name as table_name
            from made join monitored_table t on t.id = made.table_id
        ) d order by d.table_id, d.scope_hash
"""  # noqa: S608 made of the constants above
_MAKE = """
    with made as (
        insert into gate_decision as g (table_id, scope_hash, decision, basis, verdict, reasons,
            check_id, decided_at, expires_at)
        select t.id, '',
            coalesce(coalesce(t.gate_decisions, cast(:decisions as jsonb)) ->> :basis, 'unknown'),
            :basis, :verdict, cast(:reasons as jsonb), :check_id, now(),
            now() + make_interval(secs => coalesce(t.gate_valid_for_s, :valid_for_s))
        from monitored_table t where t.id = :table_id for no key update of t
        on conflict (table_id, scope_hash) do update set decision = excluded.decision,
            basis = excluded.basis, verdict = excluded.verdict, reasons = excluded.reasons,
            scope = null, check_id = excluded.check_id, rule_set_hash = null, rules_version = null,
            traceparent = null, decided_at = excluded.decided_at, expires_at = excluded.expires_at,
            is_partial = false
        returning *
    {announced})
    select decision from made
"""
_REMAKE = """
    with made as (
        update gate_decision g
        set decision = coalesce(cast(:decisions as jsonb) ->> g.basis, 'unknown'),
            expires_at = g.decided_at + make_interval(secs => :valid_for_s)
        where g.table_id = :table_id returning *
    {announced})
    select decision from made
"""
_STANDING = text(
    f"""
    select t.id, d.*, now() as now
    from (select 1) as one
    left join monitored_table t on t.connection = :connection and t.name = :table
    left join (select {_COLUMNS} from gate_decision) d
        on d.table_id = t.id and d.scope_hash = :scope_hash
    """  # noqa: S608 made of the constants above
)
_OF_CHECK = text(
    """
    select c.id, c.connection, c.table_name, c.state, c.status as verdict, c.decision,
        c.decision_expires_at as expires_at, coalesce(c.finished_at, c.partial_at) as decided_at,
        c.scope, c.scope_hash, c.rule_set_hash, c.rules_version, c.traceparent, c.error_code,
        c.state <> 'finished' and c.partial_at is not null as is_partial, now() as now,
        request ? 'select' as is_selected
    from check_run c where c.id = :check_id
    """
)
_LOCK_TABLE = text("select from monitored_table where id = :table_id for update")
_TAKE_BACK = text(
    f"""
    insert into outbox (topic, key, value)
    select :topic, {KEY}, '' from (
        select g.table_id, g.scope_hash, t.connection, t.name as table_name
        from gate_decision g join monitored_table t on t.id = g.table_id where t.id = :table_id
    ) d order by d.table_id, d.scope_hash
    """  # noqa: S608 made of the constants above
)
_FORGET = text(
    """
    delete from gate_decision where (table_id, scope_hash) in (
        select table_id, scope_hash from gate_decision
        where scope_hash <> '' and expires_at < now() - make_interval(days => :days)
        order by table_id, scope_hash limit :limit for update skip locked
    )
    """
)


@dataclass(frozen=True, slots=True)
class Gate:
    """How decisions are made: for how long where no policy says it (seconds), and on which topic
    they are told; None where there is no Kafka."""

    valid_for_s: float = 86_400
    topic: str | None = None

    def values(self) -> dict[str, Any]:
        """What the statements of decisions take."""
        values = {"decisions": _DEFAULTS, "valid_for_s": float(self.valid_for_s)}
        return values if self.topic is None else {**values, "topic": self.topic}


def make(
    db: Connection,
    table_id: int,
    basis: Basis,
    why: Sequence[str],
    gate: Gate,
    *,
    check_id: str | None = None,
) -> str | None:
    """Decide on a whole table without a check of it, by its policy; the decision.

    For what is known without looking at rows: no event came, or what it is made of is late.
    None where the table was deleted. `check_id` is a check that says more, if there is one.
    """
    statement = _MAKE.format(announced=_announced(gate))
    values = {
        "table_id": table_id,
        "basis": basis,
        "verdict": "fail" if basis == "fail_and_error" else basis,
        "reasons": json.dumps(list(why)),
        "check_id": check_id,
        **gate.values(),
    }
    return db.scalar(text(statement), values)


def standing(db: Connection, connection: str, table: str, scope_hash: str) -> dict[str, Any]:
    """The decision as it is stored (null where there is none), `id` of the table, and `now`."""
    given = {"connection": connection, "table": table, "scope_hash": scope_hash}
    return dict(db.execute(_STANDING, given).mappings().one())


def of_check(db: Connection, check_id: str) -> dict[str, Any] | None:
    """What was decided on one check; None where there is no such check."""
    row = db.execute(_OF_CHECK, {"check_id": check_id}).mappings().first()
    return None if row is None else dict(row)


def reasons_of_check(db: Connection, check_id: str, status: str, code: str | None) -> Sequence[str]:
    """Why a finished check decided what it did."""
    columns = (rule_result.c[name] for name in Cause._fields)
    query = select(*columns).where(
        rule_result.c.check_id == check_id,
        rule_result.c.status != "pass",
        ~rule_result.c.is_shadow,
    )
    found = db.execute(query.order_by(rule_result.c.position))
    return reasons(status, code, (Cause(*row) for row in found))


def policy(db: Connection, table_id: int) -> GatePolicy:
    """The policy of a table; NotFound with code `table_not_configured`."""
    query = select(monitored_table.c.gate_policy).where(monitored_table.c.id == table_id)
    row = db.execute(query).first()
    if row is None:
        raise no_table(str(table_id))
    return GatePolicy(**row.gate_policy) if row.gate_policy is not None else GatePolicy()


def put_policy(db: Connection, table_id: int, new: GatePolicy, gate: Gate) -> None:
    """Set the policy of a table, and decide anew on the verdicts that stand; NotFound as above."""
    decisions = new.decisions()
    changed = db.execute(
        update(monitored_table)
        .where(monitored_table.c.id == table_id)
        .values(
            gate_policy=new.model_dump(mode="json"),
            gate_decisions=decisions,
            gate_valid_for_s=new.valid_for_s,
        )
    )
    if not changed.rowcount:
        raise no_table(str(table_id))
    given = gate.values() | {
        "table_id": table_id,
        "decisions": json.dumps(decisions),
        "valid_for_s": float(new.valid_for_s or gate.valid_for_s),
    }
    db.execute(text(_REMAKE.format(announced=_announced(gate))), given)


def take_back(db: Connection, table_id: int, how: Gate) -> None:
    """Have the topic forget what was decided on a table, in the transaction that deletes it.

    Nothing is decided on it meanwhile: its row is locked until then.
    """
    if how.topic is not None:
        db.execute(_LOCK_TABLE, {"table_id": table_id})
        db.execute(_TAKE_BACK, {"table_id": table_id, "topic": how.topic})


def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
    """Drop decisions on some rows of tables that expired so long ago; how many."""
    return db.execute(_FORGET, {"days": older_than_days, "limit": limit}).rowcount


def _announced(gate: Gate) -> str:
    return "" if gate.topic is None else _ANNOUNCE
