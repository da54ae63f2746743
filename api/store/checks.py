"""Checks from received to finished: requests, claims, outcomes.

Every time that decides something (leases, order) is PostgreSQL's `now()`, so that clocks of workers
do not matter. Rows are locked in the order of their ids, so that batches cannot deadlock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from api.store import tables
from api.store.schema import check_run, connection, monitored_table, rule, rule_result
from quality.checks import CheckOutcome, CheckRequest, failed_outcome
from quality.errors import Conflict, Fault, InvalidInput, NotFound, StringXError
from quality.names import TableName
from quality.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Request:
    """A check request with its id, ready to be stored."""

    id: str
    body: CheckRequest
    traceparent: str | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The request as it is stored and sent."""
        return {**self.body.document(), "id": self.id}


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to one request of a batch.

    `claimed` comes with fencing token, rules and scope; `done` with the stored status; `busy` with
    when to ask again; `rejected` with why. `given_up` is what was stored for a request that took
    its workers down each time.
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
class Stored:
    """What became of one posted outcome: `stored`, `replayed`, `stale_fence` or `unknown`."""

    id: str
    result: str
    source: str = ""


def receive(db: Connection, request: Request, source: str) -> bool:
    """Store the request as `received`; False where its id was stored before.

    Raises NotFound for a table or connection that is not configured, and Conflict where the id was
    used for something else.
    """
    table_id, _ = _table_of(db, request.body)
    _known_rules(db, table_id, request.body)
    statement = (
        insert(check_run)
        .values(
            id=request.id,
            connection=request.body.connection,
            table_id=table_id,
            table_name=request.body.table,
            request=request.message,
            payload_hash=request.body.payload_hash,
            source=source,
            traceparent=request.traceparent,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(check_run.c.id)
    )
    if db.scalar(statement) is not None:
        return True
    stored = db.scalar(select(check_run.c.payload_hash).where(check_run.c.id == request.id))
    if stored != request.body.payload_hash:
        raise Conflict(
            f'the id "{request.id}" was used for another request; take a new id',
            code="idempotency_key_reused",
        )
    return False


def claim(
    db: Connection,
    requests: list[Request],
    *,
    worker: str,
    source: str,
    lease_s: float,
    max_attempts: int,
) -> list[Claim]:
    """Take requests into work, each exactly once at a time; answers in the order of `requests`."""
    answers: dict[int, Claim] = {}
    for place, request in sorted(enumerate(requests), key=lambda item: item[1].id):
        try:
            receive(db, request, source)
            answers[place] = _claim_stored(db, request, worker, lease_s, max_attempts)
        except (NotFound, Conflict, InvalidInput) as error:
            if not isinstance(error, Conflict):
                _end_unclaimed(db, request.id, error)
            answers[place] = Claim(request.id, "rejected", error=error)
    return [answers[place] for place in range(len(requests))]


def store_outcome(db: Connection, check_id: str, fence: int, outcome: CheckOutcome) -> Stored:
    """Store one finished run, once: verdict and results in this transaction or not at all."""
    row = db.execute(
        select(
            check_run.c.state,
            check_run.c.fence,
            check_run.c.table_id,
            check_run.c.source,
            check_run.c.request,
        )
        .where(check_run.c.id == check_id)
        .with_for_update()
    ).first()
    if row is None:
        return Stored(check_id, "unknown")
    if row.state == "finished":
        return Stored(check_id, "replayed", row.source)
    if row.fence != fence:
        return Stored(check_id, "stale_fence", row.source)
    db.execute(
        update(check_run)
        .where(check_run.c.id == check_id)
        .values(
            state="finished",
            status=outcome.status,
            lease_until=None,
            rule_set_hash=outcome.rule_set_hash,
            started_at=outcome.started_at,
            finished_at=func.now(),
            duration_ms=outcome.duration_ms,
            counts=outcome.counts,
            failing_rows=outcome.failing_rows,
            error_code=outcome.error_code,
            error=outcome.error,
        )
    )
    if outcome.results:
        db.execute(
            insert(rule_result),
            [
                {
                    **result.model_dump(exclude={"column"}),
                    "column_name": result.column,
                    "check_id": check_id,
                    "table_id": row.table_id,
                    "position": position,
                    "finished_at": outcome.finished_at,
                }
                for position, result in enumerate(outcome.results)
            ],
        )
    # A check of some rules or some rows says nothing about the table as a whole.
    is_whole = not {"select", "scope"} & row.request.keys()
    if row.table_id is not None and is_whole:
        db.execute(
            update(monitored_table)
            .where(monitored_table.c.id == row.table_id)
            .values(last_check_id=check_id, last_status=outcome.status, last_finished_at=func.now())
        )
    return Stored(check_id, "stored", row.source)


def release(db: Connection, check_id: str, fence: int) -> bool:
    """Give a claimed check back, for whoever comes next; the attempt does not count."""
    statement = (
        update(check_run)
        .where(
            check_run.c.id == check_id, check_run.c.fence == fence, check_run.c.state == "running"
        )
        .values(
            state="received",
            worker=None,
            lease_until=None,
            attempts=check_run.c.attempts - 1,
            queued_at=func.now(),
        )
    )
    return bool(db.execute(statement).rowcount)


def overdue(db: Connection, *, requeue_after_s: float, limit: int = 500) -> list[dict[str, Any]]:
    """Requests whose worker died or whose message was lost: marked as queued anew and returned.

    Those are running ones whose lease has run out, and received ones that nobody claimed for
    `requeue_after_s`. Who calls sends their messages again.
    """
    rows = db.execute(
        text(
            """
            update check_run set state = 'received', lease_until = null, queued_at = now()
            where id in (
                select id from check_run
                where state <> 'finished' and (
                    (state = 'running' and lease_until < now())
                    or (state = 'received'
                        and queued_at < now() - make_interval(secs => :requeue_after_s))
                )
                order by id limit :limit for update skip locked
            )
            returning request
            """
        ),
        {"requeue_after_s": requeue_after_s, "limit": limit},
    )
    return [row.request for row in rows]


def _claim_stored(
    db: Connection, request: Request, worker: str, lease_s: float, max_attempts: int
) -> Claim:
    row = db.execute(
        select(
            check_run.c.state,
            check_run.c.status,
            check_run.c.attempts,
            check_run.c.fence,
            func.extract("epoch", check_run.c.lease_until - func.clock_timestamp()).label("left"),
        )
        .where(check_run.c.id == request.id)
        .with_for_update()
    ).one()
    if row.state == "finished":
        return Claim(request.id, "done", status=row.status)
    if row.state == "running" and row.left is not None and row.left > 0:
        return Claim(request.id, "busy", retry_after_s=max(0.1, min(5.0, float(row.left))))
    table_id, target = _table_of(db, request.body)
    rules = tables.active_rules(db, [table_id])[table_id]
    chosen = tuple(found for found in rules if request.body.select.takes(found))
    rule_set = RuleSet(target, TableName.parse(request.body.table), chosen)
    if row.attempts >= max_attempts:
        return _give_up(db, request.id, row.attempts, row.fence, rule_set.hash)
    fence = db.scalar(
        update(check_run)
        .where(check_run.c.id == request.id)
        .values(
            state="running",
            worker=worker,
            fence=check_run.c.fence + 1,
            attempts=check_run.c.attempts + 1,
            lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s),
        )
        .returning(check_run.c.fence)
    )
    return Claim(request.id, "claimed", fence=fence or 0, rule_set=rule_set)


def _give_up(db: Connection, check_id: str, attempts: int, fence: int, rules: str) -> Claim:
    """A request that takes its worker down each time ends as an error instead of going round."""
    now = datetime.now(UTC)
    words = f"given up after {attempts} attempts that ended without a result"
    outcome = failed_outcome(rules, "poison", words, now, now)
    store_outcome(db, check_id, fence, outcome)
    return Claim(check_id, "done", status=outcome.status, given_up=outcome)


def _end_unclaimed(db: Connection, check_id: str, error: StringXError) -> None:
    """End a stored request that nobody can take any more, such as one of a deleted table."""
    db.execute(
        update(check_run)
        .where(check_run.c.id == check_id, check_run.c.state != "finished")
        .values(
            state="finished",
            status="error",
            lease_until=None,
            finished_at=func.now(),
            error_code=error.code,
            error=str(error),
        )
    )


def _known_rules(db: Connection, table_id: int, body: CheckRequest) -> None:
    """Refuse the selection of a rule that the table has not: it would be a check of nothing."""
    if not body.select.rules:
        return
    known = set(db.scalars(select(rule.c.name).where(rule.c.table_id == table_id)))
    for place, name in enumerate(body.select.rules):
        if name not in known:
            words = f'the table has no rule "{name}"'
            fault = Fault(f"select.rules[{place}]", "rule_unknown", words)
            raise InvalidInput(words, code="rule_unknown", faults=[fault])


def _table_of(db: Connection, body: CheckRequest) -> tuple[int, str]:
    row = db.execute(
        select(monitored_table.c.id, connection.c.target)
        .join(connection, connection.c.name == monitored_table.c.connection)
        .where(
            monitored_table.c.connection == body.connection, monitored_table.c.name == body.table
        )
    ).first()
    if row is not None:
        return row.id, row.target
    known = db.scalar(select(connection.c.name).where(connection.c.name == body.connection))
    if known is None:
        raise NotFound(
            f'connection "{body.connection}" is not configured', code="connection_unknown"
        )
    raise NotFound(
        f"table {body.table} is not configured on connection {body.connection}",
        code="table_not_configured",
    )
