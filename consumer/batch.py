"""A batch of messages from parsing to stored results.

The order of operations is what makes results effectively-once: claim, run, store, and only then is
an offset done. A crash anywhere in between repeats work, never a result.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from consumer.backoff import Backoff
from consumer.claims import Claim, ClaimDesk, Job
from consumer.dead_letters import Reason
from consumer.inbox import Inbox
from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.patience import Stopping
from consumer.records import Delivery, Record
from quality.checks import CheckOutcome, failed_outcome
from quality.documents import canonical_json
from quality.errors import InvalidInput, MalformedDocument, StringXError
from quality.identity import derived_request_id
from quality.logs import get_logger
from quality.messages import read_request
from quality.predicates import Predicate, Predicates
from quality.rules import RuleSet

log = get_logger(__name__)

POST_EVERY_S = 1.0
"""Outcomes wait no longer than this for others to be posted with."""

_SCOPE: TypeAdapter[tuple[Predicate, ...]] = TypeAdapter(Predicates)


class Engine(Protocol):
    """What of `quality.engine` is used here."""

    def run(
        self, rule_set: RuleSet, scope: tuple[Predicate, ...], time_limit_s: float | None
    ) -> CheckOutcome: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Letter:
    delivery: Delivery
    reason: Reason


@dataclass(slots=True)
class BatchWorker:
    """Works batches off, one at a time, in one thread."""

    desk: ClaimDesk
    engine: Engine
    inbox: Inbox
    tracker: OffsetTracker
    metrics: Metrics
    stopping: Callable[[], bool]
    aborted: Callable[[], bool]
    write_letters: Callable[[list[tuple[Record, Reason, int]]], list[str | None]]
    cluster_id: Callable[[], str]
    max_message_bytes: int
    retry_max_s: float
    _letters: list[_Letter] = field(default_factory=list)

    def work(self, deliveries: list[Delivery]) -> None:
        """Take one batch as far as it goes now; what cannot go on is put off.

        Raises Stopping when the process ends meanwhile: claims in hand have been given back then,
        and the offsets of what was not stored are not done.
        """
        self.metrics.batch_size.observe(len(deliveries))
        self._letters = []
        jobs = self._jobs(deliveries)
        try:
            self._check(self._claimed(jobs))
        except Stopping:
            self.desk.give_back()
            raise
        finally:
            self._bury()

    def _jobs(self, deliveries: list[Delivery]) -> list[Job]:
        """Readable requests in order; equal ones with the same id become one job."""
        jobs: dict[str, Job] = {}
        for delivery in deliveries:
            delivery.attempts += 1
            record = delivery.record
            try:
                request = read_request(
                    record.value, record.headers, max_bytes=self.max_message_bytes
                )
            except InvalidInput as error:
                unreadable = isinstance(error, MalformedDocument)
                reason = Reason.of(error, "decode" if unreadable else "validate")
                self._letters.append(_Letter(delivery, reason))
                continue
            request_id = request.id or derived_request_id(
                self.cluster_id(),
                record.topic,
                record.partition,
                record.offset,
                record.timestamp_ms or 0,
                record.value or b"",
            )
            if record.key not in (None, b"", request.table.encode()):
                log.debug("key_mismatch", correlation_id=request_id, table=request.table)
            job = jobs.get(request_id)
            if job is None:
                jobs[request_id] = Job(request_id, request, record.traceparent, [delivery])
            elif job.request.payload_hash == request.payload_hash:
                job.deliveries.append(delivery)
            else:  # the API refuses it by its stored payload, once the first is claimed
                self.inbox.put_off(delivery, 0.0)
        return list(jobs.values())

    def _claimed(self, jobs: list[Job]) -> list[Claim]:
        claimed = []
        for job, answer in self.desk.claim(jobs):
            if isinstance(answer, StringXError):
                self._reject(job, Reason.of(answer, "claim"))
            elif isinstance(answer, Claim):
                claimed.append(answer)
            elif answer["outcome"] == "done":
                self._done(job, "replayed")
                log.info("check_replayed", correlation_id=job.id, status=answer.get("status"))
            elif answer["outcome"] == "busy":
                self._put_off(job, float(answer.get("retry_after_s") or 1.0))
            else:
                code, message = str(answer.get("code")), str(answer.get("message"))
                self._reject(job, Reason("claim", code, message, "Rejected"))
        return claimed

    def _check(self, claims: list[Claim]) -> None:
        """Run what was claimed; claims with equal rules, scope and time limit share a run."""
        finished: list[tuple[Claim, CheckOutcome]] = []
        waiting = claims
        posted_at = time.monotonic()
        # A claim whose lease runs short could be taken over in the middle of its run.
        while waiting and not waiting[0].lease_is_short and not self.stopping():
            key = waiting[0].run_key
            shared = [claim for claim in waiting if claim.run_key == key]
            waiting = [claim for claim in waiting if claim.run_key != key]
            outcome = self._run(shared[0])
            if self.aborted():  # what a cancelled run says is not about the data
                break
            finished += [(claim, outcome) for claim in shared]
            if time.monotonic() - posted_at >= POST_EVERY_S:
                self._store(finished)
                finished, posted_at = [], time.monotonic()
        self._store(finished)
        if self.stopping():
            raise Stopping
        self._renew(waiting)

    def _run(self, claim: Claim) -> CheckOutcome:
        started_at, started = datetime.now(UTC), time.monotonic()
        try:
            rule_set = RuleSet.from_document(claim.rule_set)
            scope = _SCOPE.validate_python(claim.scope)
            return self.engine.run(rule_set, scope, claim.time_limit_s)
        except ValidationError as error:
            log.error("rule_set_not_understood", correlation_id=claim.job.id, faults=str(error))
            code, message = "rule_set_invalid", "the worker does not understand the rule set"
        except StringXError as error:
            log.error("engine_failed", correlation_id=claim.job.id, error=str(error))
            code, message = error.code, str(error)
        except Exception:
            log.exception("engine_failed", correlation_id=claim.job.id)
            code, message = "engine", "the engine failed; the worker's log says how"
        finally:
            self.metrics.engine_seconds.observe(time.monotonic() - started)
        return failed_outcome(_hash(claim.rule_set), code, message, started_at, datetime.now(UTC))

    def _store(self, finished: list[tuple[Claim, CheckOutcome]]) -> None:
        for claim, outcome, answer in self.desk.store(finished):
            if isinstance(answer, StringXError):
                self._reject(claim.job, Reason.of(answer, "store"))
            elif answer in ("stored", "replayed"):
                self._done(claim.job, answer)
                log.info(
                    "check_finished",
                    correlation_id=claim.job.id,
                    table=claim.job.request.table,
                    status=outcome.status,
                    duration_ms=round(outcome.duration_ms, 1),
                    result=answer,
                )
            else:
                # stale_fence: another worker has it now, and may yet die; unknown: the API forgot
                # it. A new claim finds out which, and the offset waits for the answer.
                log.warning("outcome_not_taken", correlation_id=claim.job.id, result=answer)
                self._put_off(claim.job, 1.0)

    def _renew(self, claims: list[Claim]) -> None:
        self.desk.release(claims)
        for claim in claims:
            for delivery in claim.job.deliveries:
                self.inbox.put_off(delivery, 0.0)

    def _done(self, job: Job, outcome: str) -> None:
        for number, delivery in enumerate(job.deliveries):
            self.metrics.messages.labels(outcome if number == 0 else "replayed").inc()
            self.tracker.finish(delivery.ticket)

    def _put_off(self, job: Job, seconds: float) -> None:
        for delivery in job.deliveries:
            self.metrics.messages.labels("busy").inc()
            self.inbox.put_off(delivery, seconds)

    def _reject(self, job: Job, reason: Reason) -> None:
        named = Reason(
            reason.stage, reason.code, reason.message, reason.kind, job.id, job.request.table
        )
        self._letters += [_Letter(delivery, named) for delivery in job.deliveries]

    def _bury(self) -> None:
        """Write the dead letters; one that is not taken is put off, never dropped."""
        letters, self._letters = self._letters, []
        if not letters:
            return
        faults = self.write_letters(
            [
                (letter.delivery.record, letter.reason, letter.delivery.attempts)
                for letter in letters
            ]
        )
        for letter, fault in zip(letters, faults, strict=True):
            place = letter.delivery.record
            where = f"{place.topic}[{place.partition}]@{place.offset}"
            if fault is None:
                self.metrics.messages.labels("dead_letter").inc()
                self.metrics.dead_letters.labels(letter.reason.code).inc()
                self.tracker.finish(letter.delivery.ticket)
                log.warning(
                    "message_dead_lettered",
                    code=letter.reason.code,
                    error=letter.reason.message,
                    place=where,
                )
            else:
                wait_s = Backoff(self.retry_max_s, letter.delivery.attempts).next()
                log.error("dead_letter_not_taken", error=fault, place=where, retry_s=wait_s)
                self.inbox.put_off(letter.delivery, wait_s)


def _hash(rule_set: dict[str, Any]) -> str:
    """The rule set's hash; of the document itself where it is none."""
    try:
        return RuleSet.from_document(rule_set).hash
    except (ValueError, KeyError, TypeError):
        return hashlib.sha256(canonical_json(rule_set)).hexdigest()
