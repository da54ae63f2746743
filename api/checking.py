"""Checks as use cases: the database, the engine and the outbox together."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api import audit
from api.drafts import busy
from api.judging import complete
from api.metrics import Metrics
from api.rests import Rest, Rests
from api.store import checks, claims, leases, outbox, outcomes, results
from api.store.checks import Request
from api.store.database import Database
from api.store.gate import Gate
from api.store.leases import Claim, Lease
from api.store.outcomes import Finished, Stored
from api.store.rule_sets import RuleSets
from quality.budgets import Budget
from quality.checks import CheckOutcome, completed, failed_outcome
from quality.engine import Engine, EngineBusy
from quality.engine.cancellation import Cancellation
from quality.errors import InvalidInput, StringXError, Unavailable
from quality.logs import bind_correlation, get_logger
from quality.rules import RuleSet
from quality.settings import ApiSettings, KafkaSettings

log = get_logger(__name__)

WORKER = f"api@{socket.gethostname()}"

SPARE_LEASE_S = 10.0
"""How much longer than its time limit a synchronous check holds its claim."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A check as it stands; `is_replayed`: its request was there before, and nothing was done."""

    check: dict[str, Any]
    is_replayed: bool = False


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was found before there was a claim: by the rules that its outcome names, and within a
    budget."""

    outcome: CheckOutcome
    budget: Budget

    def answers(self, request: Request, claim: Claim) -> bool:
        """Whether it is what the claim asks for, and all of it: what was kept from its verdict is
        run again."""
        if self.outcome.late or self.outcome.error_code is not None:
            return False
        if any(result.status == "error" for result in self.outcome.results):
            return False
        return (
            claim.rule_set is not None
            and claim.rule_set.hash == self.outcome.rule_set_hash
            and claim.scope == request.body.scope
            and claim.budget == self.budget
            and not claim.is_begun
        )


@dataclass(frozen=True, slots=True)
class Checking:
    """What routes and relay call; one per process, safe to share between threads."""

    database: Database
    engine: Engine
    metrics: Metrics
    settings: ApiSettings
    kafka: KafkaSettings
    rule_sets: RuleSets
    slots: threading.BoundedSemaphore
    """Synchronous checks at a time: fewer than threads, so that health and claims get through."""
    rests: Rests | None = None
    """Who goes on with what a deadline left; None: nobody in this process."""

    @property
    def gate(self) -> Gate:
        """How decisions are made and told here."""
        topic = self.kafka.decision_topic if self.kafka.bootstrap_servers else None
        return Gate(self.settings.gate_valid_for_s, topic)

    def perform(self, request: Request) -> Answered:
        """Run a check now and answer it finished; one that was run before is not run again.

        A check that another worker has in hand is answered as it stands (state `running`), and so
        is one whose deadline left rules: it has a verdict, and goes on after the answer.
        """
        bind_correlation(request.id)
        if not self.slots.acquire(timeout=self.settings.sync_wait_s):
            raise busy()
        limit_s, asked_ms = self.settings.sync_time_limit_s, request.body.deadline_ms
        deadline_s = None if asked_ms is None else asked_ms / 1000
        try:
            # Nobody renews this lease: it lasts longer than the check may.
            lease_s = max(self.settings.lease_s, limit_s + SPARE_LEASE_S)
            [claim] = self.claim([request], WORKER, "http", lease_s)
            if claim.error is not None:
                raise claim.error
            if claim.outcome != "claimed" or claim.rule_set is None:
                return Answered(self.show(request.id), is_replayed=True)
            with self.database.connect() as db:  # the commit of the outcome covers it
                _record(db, request, "sync", is_awaited=False)
            if claim.is_begun:  # its deadline was yesterday's
                deadline_s = None
            rule_set, scope, budget = claim.rule_set, claim.scope, claim.budget
            outcome = self._run(
                rule_set,
                lambda: self.engine.run(
                    rule_set, scope, time_limit_s=limit_s, deadline_s=deadline_s, budget=budget
                ),
            )
            if outcome.error_code == EngineBusy.code:  # it never got its turn: no verdict
                with self.database.begin() as db:
                    leases.release(db, [(request.id, claim.fence)])
                raise busy()
            is_partial = bool(outcome.late)
            finished = Finished(request.id, claim.fence, outcome, is_partial=is_partial)
            with self.database.connect() as db:
                [finished] = complete(db, [finished])
                [stored] = outcomes.store(db, [finished], self.gate)
                if stored.result == "unknown":  # a crash of the database took the claim along
                    raise Unavailable("the check was lost; ask again", code="check_lost")
                shown = results.check(db, request.id)
                self._wake_relay(db)
            self._count([stored], [finished])
            if is_partial and stored.result == "stored":
                self._go_on(Rest(request, claim.fence, rule_set, scope, outcome, budget))
            return Answered(shown)
        finally:
            self.slots.release()

    def finish(self, rest: Rest, cancellation: Cancellation, is_ended: Callable[[], bool]) -> None:
        """Judge and store the rest of a check; once `is_ended`, give it back instead."""
        rule_set, scope, first = rest.rule_set, rest.scope, rest.first
        limits: dict[str, Any] = {"cancellation": cancellation, "budget": rest.budget}

        def judged() -> CheckOutcome:
            if first is None:
                return self.engine.run(rule_set, scope, **limits)
            return self.engine.complete(rule_set, scope, first, **limits)

        outcome = self._run(rule_set, judged, first)
        if is_ended():
            self._give_back(rest)
        else:
            self.store([Finished(rest.request.id, rest.fence, outcome)])

    def left_over(self) -> Rest | None:
        """A check with the verdict of its deadline that nobody has in hand, taken."""
        with self.database.connect() as db:
            request = checks.left_over(db)
        if request is None:
            return None
        [claim] = self.claim([request], WORKER, "http", self.settings.lease_s)
        if claim.outcome != "claimed" or claim.rule_set is None:
            return None
        return Rest(request, claim.fence, claim.rule_set, claim.scope, budget=claim.budget)

    def trigger(self, request: Request) -> Answered:
        """Store a request and its message to Kafka in one transaction; answers it as `received`."""
        bind_correlation(request.id)
        if not self.kafka.bootstrap_servers:
            raise Unavailable(
                "no Kafka is configured (STRINGX_KAFKA_BOOTSTRAP_SERVERS); use mode sync",
                code="kafka_not_configured",
            )
        size, limit = len(_message(request.message).encode()), self.kafka.max_message_bytes
        if size > limit:  # no worker would take it
            raise InvalidInput(
                f"the request has {size} bytes as a message, and workers take {limit} "
                "(STRINGX_KAFKA_MAX_MESSAGE_BYTES); narrow it by fewer values, or use mode sync",
                code="message_too_large",
            )
        with self.database.begin() as db:
            if outbox.pending(db, self.kafka.request_topic) >= self.settings.outbox_limit:
                raise Unavailable(
                    "too many requests wait for Kafka; try again later", code="queue_full"
                )
            is_new = checks.receive(db, request, self.rule_sets, "http")
            if is_new:
                self.enqueue(db, request.message, request.traceparent)
                _record(db, request, "async")
                log.info("check_received", table=request.body.table)
        return Answered(self.show(request.id), is_replayed=not is_new)

    def show(self, check_id: str) -> dict[str, Any]:
        with self.database.connect() as db:
            return results.check(db, check_id)

    def claim(
        self, requests: list[Request], worker: str, source: str, lease_s: float
    ) -> list[Claim]:
        """Take a batch into work; answers in the order of `requests`."""
        lease = Lease(worker, source, lease_s, self.settings.max_attempts, self.gate)
        with self.database.connect() as db:
            taken = claims.claim_new(db, requests, self.rule_sets, lease)
        rest = [place for place in range(len(requests)) if place not in taken]
        try:
            if rest:
                with self.database.begin() as db:
                    others = [requests[place] for place in rest]
                    found = claims.claim(db, others, self.rule_sets, lease)
                taken |= dict(zip(rest, found, strict=True))
        except SQLAlchemyError:  # who asked never hears of those that were taken
            with suppress(SQLAlchemyError), self.database.connect() as db:
                leases.release(db, [(claim.id, claim.fence) for claim in taken.values()])
            raise
        answers = [taken[place] for place in range(len(requests))]
        for claim in answers:
            if claim.given_up is not None:
                given_up = Finished(claim.id, claim.fence, claim.given_up)
                self._count([Stored(claim.id, "stored", source)], [given_up])
        return answers

    def store_ahead(
        self, requests: Sequence[Request], claims: list[Claim], ahead: Sequence[Ahead | None]
    ) -> list[Claim]:
        """Store what was run before these claims and is what they ask for: those are `stored`.

        Where that cannot be stored now, the claims stand: who has them tries again.
        """
        finished = [
            Finished(claim.id, claim.fence, run.outcome)
            for request, claim, run in zip(requests, claims, ahead, strict=True)
            if run is not None and run.answers(request, claim)
        ]
        if not finished:
            return claims
        try:
            answers = self.store(finished)
        except Exception as error:
            log.warning("not_stored_with_claims", count=len(finished), error=type(error).__name__)
            return claims
        stored = {one.id for one in answers if one.result == "stored"}
        return [
            Claim(claim.id, "stored")
            if claim.rule_set is not None and claim.id in stored
            else claim
            for claim in claims
        ]

    def store(self, finished: list[Finished]) -> list[Stored]:
        """Store a batch of outcomes, each once, all of them or none; then count them."""
        with self.database.connect() as db:
            finished = complete(db, finished)
            answers = outcomes.store(db, finished, self.gate)
            self._wake_relay(db)
        self._count(answers, finished)
        return answers

    def requeue_overdue(self) -> int:
        """Send the messages of requests again whose worker or message was lost; how many."""
        with self.database.begin() as db:
            lost = checks.overdue(db, requeue_after_s=self.settings.requeue_after_s)
            for document in lost:
                self.enqueue(db, document, None)
            outbox.forget_sent(db, older_than_s=7 * 86_400)
        if lost:
            log.warning("checks_requeued", count=len(lost))
        return len(lost)

    def _go_on(self, rest: Rest) -> None:
        """Have the rest of a check judged here or, where there is no room, by whoever has some."""
        if self.rests is None or not self.rests.take(rest):
            self._give_back(rest)

    def _give_back(self, rest: Rest) -> None:
        request = rest.request
        with self.database.begin() as db:
            is_ours = leases.release(db, [(request.id, rest.fence)])
            if is_ours and self.kafka.bootstrap_servers:
                self.enqueue(db, request.message, request.traceparent)

    def enqueue(self, db: Any, document: dict[str, Any], traceparent: str | None) -> None:
        headers = {"content-type": "application/json"}
        if traceparent is not None:
            headers["traceparent"] = traceparent
        outbox.add(db, self.kafka.request_topic, document["table"], _message(document), headers)

    def _wake_relay(self, db: Connection) -> None:
        """Have decisions sent now. Apart from what stores them: a transaction that notifies commits
        alone (PostgreSQL has one queue for all), and would make all others wait for its disk."""
        if self.kafka.bootstrap_servers:
            outbox.wake(db)

    def _count(self, answers: list[Stored], finished: list[Finished]) -> None:
        for stored, one in zip(answers, finished, strict=True):
            if stored.result != "stored":
                continue
            outcome = one.outcome
            if one.is_partial:
                self.metrics.partial_verdicts.labels(stored.source).inc()
                late = len(outcome.late)
                log.info(
                    "check_partial", correlation_id=stored.id, status=outcome.status, late=late
                )
                continue
            self.metrics.count_outcome(outcome, stored.source)
            log.info(
                "check_finished",
                correlation_id=stored.id,
                status=outcome.status,
                duration_ms=round(outcome.duration_ms, 1),
                failing_rows=outcome.failing_rows,
                error_code=outcome.error_code,
            )

    def _run(
        self,
        rule_set: RuleSet,
        judged: Callable[[], CheckOutcome],
        first: CheckOutcome | None = None,
    ) -> CheckOutcome:
        started_at = datetime.now(UTC)
        try:
            return judged()
        except StringXError as error:
            code, message = error.code, str(error)
        except Exception:  # a claimed check must end: its lease would only hide the fault
            log.exception("engine_failed")
            code, message = "engine", "the engine failed; the service's log has the details"
        failed = failed_outcome(rule_set.hash, code, message, started_at, datetime.now(UTC))
        return failed if first is None else completed(first, failed)


def _message(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _record(db: Connection, request: Request, mode: str, *, is_awaited: bool = True) -> None:
    """Requests from Kafka are not recorded one by one: each has its `requested_by`."""
    table = f"{request.body.connection}/{request.body.table}"
    detail = {"table": table, "mode": mode}
    audit.record(db, "check.triggered", f"check {request.id}", detail, is_awaited=is_awaited)
