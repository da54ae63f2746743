"""Leases: what a claim answers, and how its holder keeps it or gives it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from api.store.gate import Gate
from api.store.statement import Statement
from quality.budgets import UNLIMITED, Budget
from quality.checks import CheckOutcome
from quality.errors import StringXError
from quality.predicates import Predicate
from quality.rules import RuleSet

_RENEW = Statement(
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


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to one request of a batch.

    `claimed` comes with fencing token, rules and the scope, its relative times those of when the
    request was taken; `done` with the stored status; `busy` with when to ask again; `rejected` with
    why; `stored`: what was run before it is its outcome now. `is_begun`: it has the verdict of its
    deadline, and only the whole of it is asked for, however long that takes. `given_up` is what was
    stored for a request that took its workers down each time.
    """

    id: str
    outcome: str
    fence: int = 0
    rule_set: RuleSet | None = None
    scope: tuple[Predicate, ...] = ()
    budget: Budget = UNLIMITED
    status: str | None = None
    retry_after_s: float | None = None
    error: StringXError | None = None
    given_up: CheckOutcome | None = None
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """Who takes requests, from which door they came, and for how long they are his."""

    worker: str
    source: str
    seconds: float
    max_attempts: int
    gate: Gate = field(default_factory=Gate)
    """For what is given up when it is taken."""


def renew(db: Connection, claims: list[tuple[str, int]], lease_s: float) -> set[str]:
    """Extend the leases of (id, fence); the ids of those that are still theirs who ask."""
    return {row.id for row in _RENEW.rows(db, {**_given(claims), "lease_s": lease_s})}


def release(db: Connection, claims: list[tuple[str, int]]) -> int:
    """Give (id, fence) back, for whoever comes next; the attempt does not count. How many."""
    return db.execute(_RELEASE, _given(claims)).rowcount


def _given(claims: list[tuple[str, int]]) -> dict[str, Any]:
    return {"ids": [one[0] for one in claims], "fences": [one[1] for one in claims]}
