"""Check requests: received once, and sent again when their worker or their message was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, null, select, text
from sqlalchemy.dialects.postgresql import insert

from api.store.rule_sets import RuleSets
from api.store.schema import check_run
from quality.checks import CheckRequest
from quality.documents import strictly
from quality.errors import Conflict, StringXError
from quality.predicates import Predicate, resolve

_LEFT_OVER = text(
    """
    select id, request, traceparent from check_run
    where state <> 'finished' and partial_at is not null
        and (state = 'received' or lease_until < now())
    order by queued_at limit 1
    """
)


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


def receive(db: Connection, request: Request, rule_sets: RuleSets, source: str) -> bool:
    """Store the request as `received`; False where its id was stored before.

    Raises NotFound for a table or connection that is not configured, InvalidInput for a rule that
    the table has not, and Conflict where the id was used for something else.
    """
    subjects, now = rule_sets.subjects(db, [request.body])
    [subject] = subjects.values()
    if isinstance(subject, StringXError):
        raise subject
    chosen = subject.chosen(request.body.select, now)
    scope = [predicate.document() for predicate in resolve(request.body.scope, now)]
    statement = (
        insert(check_run)
        .values(
            id=request.id,
            connection=request.body.connection,
            table_id=subject.table_id,
            table_name=request.body.table,
            request=request.message,
            payload_hash=request.body.payload_hash,
            source=source,
            traceparent=request.traceparent,
            scope=scope or null(),
            rules_version=chosen.version,
            rule_set_hash=chosen.rule_set.hash,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(check_run.c.id)
    )
    if db.scalar(statement) is not None:
        return True
    stored = db.scalar(select(check_run.c.payload_hash).where(check_run.c.id == request.id))
    if stored != request.body.payload_hash:
        raise id_reused(request.id)
    return False


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


def left_over(db: Connection) -> Request | None:
    """The oldest request with the verdict of its deadline that nobody has in hand any more."""
    row = db.execute(_LEFT_OVER).first()
    if row is None:
        return None
    return Request(row.id, strictly(CheckRequest, row.request), row.traceparent)


def predicates_of(stored: list[dict[str, Any]]) -> tuple[Predicate, ...]:
    """A scope as it was stored."""
    return tuple(strictly(Predicate, document) for document in stored)


def id_reused(check_id: str) -> Conflict:
    """The refusal of an id that stands for another request."""
    return Conflict(
        f'the id "{check_id}" was used for another request; take a new id',
        code="idempotency_key_reused",
    )
