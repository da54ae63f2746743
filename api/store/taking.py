"""Taking requests: the rows that are inserted, locked and leased.

New rows are inserted and then old ones locked, each in the order of their ids, so that batches with
the same ids cannot deadlock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from api.store import outcomes
from api.store.checks import Request, id_reused, predicates_of
from api.store.gate import Gate
from api.store.leases import Claim, Lease
from api.store.outcomes import Finished
from api.store.rule_sets import Chosen, Subject
from api.store.statement import Statement
from quality.checks import failed_outcome
from quality.gate import scope_hash
from quality.predicates import Predicate, resolve

LONGEST_BUSY_S = 5.0
SUSPECTS_EVERY_S = 0.2

_NEW = """
    insert into check_run (id, connection, table_id, table_name, request, payload_hash, source,
        traceparent, scope, scope_hash, rules_version, rule_set_hash, rules_hash, where_hash, state,
        worker, fence, attempts, lease_until)
    select i.id, i.connection, i.table_id, i.table_name, i.request, i.payload_hash, :source,
        i.traceparent, i.scope, i.scope_hash, i.rules_version, i.rule_set_hash, i.rules_hash,
        i.where_hash, 'running', :worker, 1, 1, now() + make_interval(secs => :lease_s)
    from jsonb_to_recordset(cast(:items as jsonb)) as i (id text, connection text, table_id bigint,
        version uuid, target text, budget jsonb, table_name text, request jsonb, payload_hash text,
        traceparent text, scope jsonb, scope_hash text, rules_version integer, rule_set_hash text,
        rules_hash text, where_hash text, begins timestamptz, ends timestamptz)
    {still}
    order by i.id
    on conflict (id) do nothing
    returning id
"""
ANY_NEW = Statement(_NEW.format(still=""))
# A claim of a new request need not outlive a crash of the database: whoever asked asks again, as
# nothing was acknowledged. So its commit does not wait for the disk.
IF_STILL_SO = Statement(
    _NEW.format(
        still="""
    join monitored_table t on t.id = i.table_id and t.rules_version = i.version
        and now() >= coalesce(i.begins, '-infinity') and now() < coalesce(i.ends, 'infinity')
    join connection c on c.name = t.connection and c.target = i.target
        and c.budget is not distinct from i.budget
    cross join (select set_config('synchronous_commit', 'off', true)) as without_waiting
    """
    )
)
_LOCK = text(
    """
    select id, payload_hash, state, status, attempts, fence,
        extract(epoch from lease_until - clock_timestamp()) as left
    from check_run where id = any(cast(:ids as text[])) order by id for update
    """
)
_TAKE = text(
    """
    update check_run c set state = 'running', worker = :worker, fence = c.fence + 1,
        attempts = c.attempts + 1, lease_until = now() + make_interval(secs => :lease_s),
        rules_version = i.rules_version, rule_set_hash = i.rule_set_hash,
        rules_hash = i.rules_hash, where_hash = i.where_hash, scope = coalesce(c.scope, i.scope),
        scope_hash = i.scope_hash
    from jsonb_to_recordset(cast(:items as jsonb)) as i (id text, scope jsonb, scope_hash text,
        rules_version integer, rule_set_hash text, rules_hash text, where_hash text)
    where c.id = i.id returning c.id, c.fence, c.scope, c.partial_at is not null as is_begun
    """
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that can be taken."""

    request: Request
    payload_hash: str
    subject: Subject
    chosen: Chosen
    scope: tuple[Predicate, ...]


def wanted_of(request: Request, subject: Subject, now: datetime) -> Wanted:
    """What the request asks for at `now`; InvalidInput for a rule that the table has not."""
    chosen = subject.chosen(request.body.select, now)
    scope = resolve(request.body.scope, now)
    return Wanted(request, request.body.payload_hash, subject, chosen, scope)


def take(
    db: Connection, wanted: dict[str, Wanted], rejected: list[str], lease: Lease
) -> dict[str, Claim]:
    """Claims by id; the rows of `rejected` are locked with those that were stored before."""
    taken = insert(db, wanted, lease, ANY_NEW)
    old = [check_id for check_id in (*wanted, *rejected) if check_id not in taken]
    free, suspects, poison = [], [], []
    for row in db.execute(_LOCK, {"ids": old}) if old else ():
        if row.id not in wanted:
            continue
        if row.payload_hash != wanted[row.id].payload_hash:
            taken[row.id] = Claim(row.id, "rejected", error=id_reused(row.id))
        elif row.state == "finished":
            taken[row.id] = Claim(row.id, "done", status=row.status)
        elif row.state == "running" and row.left is not None and row.left > 0:
            wait_s = max(0.1, min(LONGEST_BUSY_S, float(row.left)))
            taken[row.id] = Claim(row.id, "busy", retry_after_s=wait_s)
        elif row.attempts >= lease.max_attempts:
            poison.append(row)
        elif 0 < row.attempts == lease.max_attempts - 1:
            suspects.append(row.id)
        else:
            free.append(row.id)
    if suspects:
        # One request that takes its worker down ends the attempts of all that the worker has in
        # hand. So each has its last attempt without the others, which come back soon.
        put_off, free = [*suspects[1:], *free], suspects[:1]
        for check_id in put_off:
            taken[check_id] = Claim(check_id, "busy", retry_after_s=SUSPECTS_EVERY_S)
    if free:
        items = json.dumps([_named(wanted[check_id]) for check_id in free])
        given = {"items": items, "worker": lease.worker, "lease_s": lease.seconds}
        for row in db.execute(_TAKE, given):
            claimed = _claimed(wanted[row.id], row.fence, row.scope)
            taken[row.id] = replace(claimed, is_begun=row.is_begun)
    if poison:
        taken |= _give_up(db, poison, wanted, lease.gate)
    return taken


def insert(
    db: Connection, wanted: dict[str, Wanted], lease: Lease, statement: Statement
) -> dict[str, Claim]:
    """Claims by id of those that were new, by one of the statements above."""
    if not wanted:
        return {}
    values = {
        "items": json.dumps([_row(one) for one in wanted.values()]),
        "source": lease.source,
        "worker": lease.worker,
        "lease_s": lease.seconds,
    }
    return {row.id: _claimed(wanted[row.id], 1, None) for row in statement.rows(db, values)}


def _claimed(one: Wanted, fence: int, stored: list[Any] | None) -> Claim:
    """`stored` is the scope of a request that was taken before."""
    scope = one.scope if stored is None else predicates_of(stored)
    budget = one.request.body.budget.within(one.subject.budget)
    return Claim(one.request.id, "claimed", fence, one.chosen.rule_set, scope, budget)


def _named(one: Wanted) -> dict[str, Any]:
    """What a check is to be known by afterwards: its rules and its rows."""
    chosen = one.chosen
    return {
        "id": one.request.id,
        "scope": [predicate.document() for predicate in one.scope] or None,
        "scope_hash": scope_hash(one.request.body.scope) or None,
        "rules_version": chosen.version,
        "rule_set_hash": chosen.rule_set.hash,
        "rules_hash": chosen.rules_hash,
        "where_hash": chosen.where_hash,
    }


def _row(one: Wanted) -> dict[str, Any]:
    request = one.request
    return {
        **_named(one),
        "connection": request.body.connection,
        "table_id": one.subject.table_id,
        "version": one.subject.version,
        "target": one.subject.target,
        "budget": one.subject.budget.document() or None,
        "table_name": request.body.table,
        "request": request.message,
        "payload_hash": one.payload_hash,
        "traceparent": request.traceparent,
        "begins": _moment(one.chosen.begins),
        "ends": _moment(one.chosen.ends),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _give_up(
    db: Connection, rows: list[Any], wanted: dict[str, Wanted], gate: Gate
) -> dict[str, Claim]:
    """Requests that take their worker down each time end as errors instead of going round."""
    now = datetime.now(UTC)
    ended = []
    for row in rows:
        words = f"given up after {row.attempts} attempts that ended without a result"
        outcome = failed_outcome(wanted[row.id].chosen.rule_set.hash, "poison", words, now, now)
        ended.append(Finished(row.id, row.fence, outcome))
    outcomes.store(db, ended, gate)
    return {
        one.id: Claim(one.id, "done", status=one.outcome.status, given_up=one.outcome)
        for one in ended
    }
