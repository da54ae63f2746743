"""Claims: taking requests into work, each by one worker at a time.

Every time that decides something is PostgreSQL's, so that clocks of workers do not matter. A batch
of new requests is one statement, any other a few, however large it is. New rows are inserted and
then old ones locked, each in the order of their ids, so that batches with the same ids cannot
deadlock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from api.store import outcomes
from api.store.checks import Request, id_reused
from api.store.outcomes import Finished
from api.store.rule_sets import RuleSets, Subject
from quality.checks import CheckOutcome, failed_outcome
from quality.errors import InvalidInput, NotFound, StringXError
from quality.rules import RuleSet

LONGEST_BUSY_S = 5.0

_NEW = """
    insert into check_run (id, connection, table_id, table_name, request, payload_hash, source,
        traceparent, state, worker, fence, attempts, lease_until)
    select i.id, i.connection, i.table_id, i.table_name, i.request, i.payload_hash, :source,
        i.traceparent, 'running', :worker, 1, 1, now() + make_interval(secs => :lease_s)
    from jsonb_to_recordset(cast(:items as jsonb)) as i (id text, connection text, table_id bigint,
        version uuid, target text, table_name text, request jsonb, payload_hash text,
        traceparent text)
    {still}
    order by i.id
    on conflict (id) do nothing
    returning id
"""
_INSERT = text(_NEW.format(still=""))
# A claim of a new request need not outlive a crash of the database: whoever asked asks again, as
# nothing was acknowledged. So its commit does not wait for the disk.
_INSERT_IF_STILL_SO = text(
    _NEW.format(
        still="""
    join monitored_table t on t.id = i.table_id and t.rules_version = i.version
    join connection c on c.name = t.connection and c.target = i.target
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
    update check_run set state = 'running', worker = :worker, fence = fence + 1,
        attempts = attempts + 1, lease_until = now() + make_interval(secs => :lease_s)
    where id = any(cast(:ids as text[])) returning id, fence
    """
)
_RENEW = text(
    """
    with held as (
        select c.id from check_run c
        join unnest(cast(:ids as text[]), cast(:fences as integer[])) as given (id, fence)
            on given.id = c.id and given.fence = c.fence
        where c.state = 'running' order by c.id for update of c
    )
    update check_run c set lease_until = now() + make_interval(secs => :lease_s)
    from held where c.id = held.id returning c.id
    """
)
_RELEASE = text(
    """
    with held as (
        select c.id from check_run c
        join unnest(cast(:ids as text[]), cast(:fences as integer[])) as given (id, fence)
            on given.id = c.id and given.fence = c.fence
        where c.state = 'running' order by c.id for update of c
    )
    update check_run c set state = 'received', worker = null, lease_until = null,
        attempts = attempts - 1, queued_at = now()
    from held where c.id = held.id
    """
)
_END = text(
    """
    update check_run c set state = 'finished', status = 'error', lease_until = null,
        finished_at = now(), error_code = i.code, error = i.message
    from jsonb_to_recordset(cast(:items as jsonb))
        as i (id text, payload_hash text, code text, message text)
    where c.id = i.id and c.payload_hash = i.payload_hash and c.state <> 'finished'
    """
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to one request of a batch.

    `claimed` comes with fencing token and rules; `done` with the stored status; `busy` with when to
    ask again; `rejected` with why. `given_up` is what was stored for a request that took its
    workers down each time.
    """

    id: str
    outcome: str
    fence: int = 0
    rule_set: RuleSet | None = None
    status: str | None = None
    retry_after_s: float | None = None
    error: StringXError | None = None
    given_up: CheckOutcome | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who takes requests, from which door they came, and for how long they are his."""

    worker: str
    source: str
    seconds: float
    max_attempts: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request that can be taken."""

    request: Request
    payload_hash: str
    subject: Subject
    rule_set: RuleSet


def claim_new(
    db: Connection, requests: list[Request], rule_sets: RuleSets, lease: Lease
) -> dict[int, Claim]:
    """Take, in one statement, those requests that are new and of tables whose rules are in memory.

    The statement itself sees to it that these are still the rules. Claims by their place in
    `requests`; all others are left for `claim`.
    """
    wanted: dict[str, _Wanted] = {}
    places: dict[str, int] = {}
    for place, request in enumerate(requests):
        subject = rule_sets.kept(request.body)
        if subject is None or request.id in wanted:
            continue
        try:
            rule_set = subject.rule_set(request.body.select)
        except InvalidInput:
            continue
        wanted[request.id] = _Wanted(request, request.body.payload_hash, subject, rule_set)
        places[request.id] = place
    taken = _insert(db, wanted, lease, _INSERT_IF_STILL_SO)
    return {places[check_id]: claim for check_id, claim in taken.items()}


def claim(
    db: Connection, requests: list[Request], rule_sets: RuleSets, lease: Lease
) -> list[Claim]:
    """Take requests into work; answers in the order of `requests`.

    A request whose id stands in the batch before is busy or done, as if it came a moment later.
    """
    subjects = rule_sets.subjects(db, [request.body for request in requests])
    answers: list[Claim] = []
    wanted: dict[str, _Wanted] = {}
    rejected: list[dict[str, str]] = []
    for request in requests:
        subject = subjects[request.body.connection, request.body.table]
        payload_hash = request.body.payload_hash
        try:
            if isinstance(subject, StringXError):
                raise subject
            one = _Wanted(request, payload_hash, subject, subject.rule_set(request.body.select))
        except (NotFound, InvalidInput) as error:
            words = {"id": request.id, "payload_hash": payload_hash}
            rejected.append({**words, "code": error.code, "message": str(error)})
            answers.append(Claim(request.id, "rejected", error=error))
            continue
        first = wanted.setdefault(request.id, one)
        if first is one:
            answers.append(Claim(request.id, ""))  # answered below
        elif first.payload_hash == payload_hash:
            answers.append(Claim(request.id, "again"))
        else:
            answers.append(Claim(request.id, "rejected", error=id_reused(request.id)))
    taken = _take(db, wanted, [one["id"] for one in rejected], lease)
    if rejected:  # requests stored before that nobody can take any more, such as of a deleted table
        db.execute(_END, {"items": json.dumps(rejected)})
    return [_answer(answer, taken) for answer in answers]


def renew(db: Connection, claims: list[tuple[str, int]], lease_s: float) -> set[str]:
    """Extend the leases of (id, fence); the ids of those that are still theirs who ask."""
    return set(db.scalars(_RENEW, {**_given(claims), "lease_s": lease_s}))


def release(db: Connection, claims: list[tuple[str, int]]) -> int:
    """Give (id, fence) back, for whoever comes next; the attempt does not count. How many."""
    return db.execute(_RELEASE, _given(claims)).rowcount


def _given(claims: list[tuple[str, int]]) -> dict[str, Any]:
    return {"ids": [one[0] for one in claims], "fences": [one[1] for one in claims]}


def _answer(answer: Claim, taken: dict[str, Claim]) -> Claim:
    if answer.outcome == "":
        return taken[answer.id]
    if answer.outcome != "again":
        return answer
    first = taken[answer.id]
    if first.outcome == "claimed":
        return Claim(answer.id, "busy", retry_after_s=LONGEST_BUSY_S)
    return replace(first, given_up=None)


def _take(
    db: Connection, wanted: dict[str, _Wanted], rejected: list[str], lease: Lease
) -> dict[str, Claim]:
    """Claims by id; the rows of `rejected` are locked with those that were stored before."""
    taken = _insert(db, wanted, lease, _INSERT)
    old = [check_id for check_id in (*wanted, *rejected) if check_id not in taken]
    free, poison = [], []
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
        else:
            free.append(row.id)
    if free:
        given = {"ids": free, "worker": lease.worker, "lease_s": lease.seconds}
        for row in db.execute(_TAKE, given):
            rules = wanted[row.id].rule_set
            taken[row.id] = Claim(row.id, "claimed", fence=row.fence, rule_set=rules)
    if poison:
        taken |= _give_up(db, poison, wanted)
    return taken


def _insert(
    db: Connection, wanted: dict[str, _Wanted], lease: Lease, statement: TextClause
) -> dict[str, Claim]:
    if not wanted:
        return {}
    values = {
        "items": json.dumps([_row(one) for one in wanted.values()]),
        "source": lease.source,
        "worker": lease.worker,
        "lease_s": lease.seconds,
    }
    return {
        check_id: Claim(check_id, "claimed", fence=1, rule_set=wanted[check_id].rule_set)
        for check_id in db.scalars(statement, values)
    }


def _row(one: _Wanted) -> dict[str, Any]:
    request = one.request
    return {
        "id": request.id,
        "connection": request.body.connection,
        "table_id": one.subject.table_id,
        "version": one.subject.version,
        "target": one.subject.target,
        "table_name": request.body.table,
        "request": request.message,
        "payload_hash": one.payload_hash,
        "traceparent": request.traceparent,
    }


def _give_up(db: Connection, rows: list[Any], wanted: dict[str, _Wanted]) -> dict[str, Claim]:
    """Requests that take their worker down each time end as errors instead of going round."""
    now = datetime.now(UTC)
    ended = []
    for row in rows:
        words = f"given up after {row.attempts} attempts that ended without a result"
        outcome = failed_outcome(wanted[row.id].rule_set.hash, "poison", words, now, now)
        ended.append(Finished(row.id, row.fence, outcome))
    outcomes.store(db, ended)
    return {
        one.id: Claim(one.id, "done", status=one.outcome.status, given_up=one.outcome)
        for one in ended
    }
