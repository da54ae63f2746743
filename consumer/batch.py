"""The worker: messages from parsing to stored results.

The order of operations is what makes results effectively-once: claim, run, store, and only then is
an offset done. A crash anywhere in between repeats work, never a result. A quick check may be run
before its claim is asked for, or meanwhile; the claim says whether that run counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from consumer.ahead import Ahead
from consumer.backoff import Backoff
from consumer.bodies import MAX_ITEMS
from consumer.breaker import Breaker
from consumer.claims import Claim, ClaimDesk, Judged, Ran
from consumer.dead_letters import Reason
from consumer.inbox import Inbox
from consumer.jobs import Job, Table
from consumer.lanes import Lanes
from consumer.memory import Memory
from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.patience import Stopping
from consumer.reading import Reader
from consumer.records import Delivery
from consumer.refusals import Refusals
from consumer.runs import Done, Runs
from quality.checks import CheckOutcome
from quality.errors import StringXError
from quality.logs import get_logger

log = get_logger(__name__)

POST_EVERY_S = 0.02
"""Where work has piled up, outcomes wait this long at most to be posted together."""
AHEAD_S = 0.01
"""So long a claim waits for a run that may go with it, where that took no longer the last time;
then both go on side by side."""
CANCELLED_S = 3.0
"""How long a run that was cancelled at the end may take to notice."""


@dataclass(slots=True)
class BatchWorker:
    """Takes messages, claims them, hands them to the runs and stores what comes of it.

    One thread; the runs have theirs, so that it never waits for a check.
    """

    desk: ClaimDesk
    memory: Memory
    reader: Reader
    runs: Runs
    inbox: Inbox
    lanes: Lanes
    tracker: OffsetTracker
    breaker: Breaker
    refusals: Refusals
    metrics: Metrics
    stopping: Callable[[], bool]
    aborted: Callable[[], bool]
    batch_size: int
    run_ahead_ms: float
    retry_max_s: float
    _done: list[Done] = field(default_factory=list)
    _backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self._backoff = Backoff(self.retry_max_s)

    def run(self) -> None:
        """Work until asked to stop; then what runs is finished and stored, unless it is aborted,
        and the rest is given back."""
        try:
            while not self.inbox.closed and not self.stopping():
                self.turn()
            self._finish()
        except Stopping:
            pass
        finally:
            self.desk.give_back()
            self._bury()

    def turn(self) -> None:
        """Wait for a message or an outcome, and take everything as far as it goes now."""
        deliveries = self.inbox.take(self.batch_size, self._wait_s)
        if deliveries:
            self.metrics.batch_size.observe(len(deliveries))
            self._read(deliveries)
        self._claim()
        self._done += self.runs.done()
        if self._is_due:
            self._store()
        self._bury()

    @property
    def is_idle(self) -> bool:
        """Nothing is in hand but what the inbox has."""
        return not self._done and self.runs.is_idle and not any(self.lanes.size)

    @property
    def _room(self) -> int:
        """How many claims more keep the runs going. Those behind a run of their own table do not
        count: however many they are, a thread that is free can only take another table."""
        return min(MAX_ITEMS, 2 * self.batch_size - self.runs.backlog)

    @property
    def _wait_s(self) -> float | None:
        """How long to wait for messages: not at all while there is something to do."""
        if self._is_due or (self._room > 0 and self.lanes.has_free):
            return 0.0
        if not self._done:
            return None
        return max(0.0, self._done[0].at + POST_EVERY_S - time.monotonic())

    @property
    def _is_due(self) -> bool:
        """Whether outcomes are to be posted now.

        They wait for others where work has piled up: where all threads are busy and tables wait, or
        where more of the same table is to come. A verdict does not wait for another table.
        """
        return bool(self._done) and (
            len(self._done) >= MAX_ITEMS
            or time.monotonic() - self._done[0].at >= POST_EVERY_S
            or (not self.runs.backlog and any(map(self._is_last, self._done)))
        )

    def _is_last(self, done: Done) -> bool:
        """Whether nothing more is to come of its table, or of its check by its deadline."""
        return done.is_partial or self.lanes.is_free(done.claim.job.table)

    def _read(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            with self._careful([delivery]):
                if not self.breaker.takes(delivery.record):
                    self.inbox.hold(delivery, self.breaker.wait_s(delivery.record))
                    continue
                delivery.attempts += 1
                found = self.reader.read(delivery)
                if isinstance(found, Job):
                    self.breaker.in_hand(delivery.record)
                    self.lanes.add(found)
                else:
                    self.refusals.add(delivery, found)

    def _claim(self) -> None:
        if self._room <= 0 or self.stopping():
            return
        jobs = self.lanes.take(self._room)
        if not jobs:
            return
        ahead = self._run_ahead(jobs)
        claims: dict[Table, list[Claim]] = {}
        try:
            claims = self._ask(jobs, ahead)
        finally:
            if ahead is not None:
                self.runs.settle(ahead, next(iter(claims.get(ahead.job.table, ())), None))
        if ahead is not None:
            return
        for table in {job.table: None for job in jobs}:
            if table in claims:
                self.runs.start(claims[table])
            else:
                self.lanes.free(table)

    def _run_ahead(self, jobs: list[Job]) -> Ahead | None:
        """Begin what a lone message asks for, if its claim can be foreseen.

        Not one that may have been read before: should it have taken a worker down, then it is the
        claim that knows of it.
        """
        if len(jobs) > 1 or not self.run_ahead_ms:
            return None
        if not all(read.is_new and read.attempts == 1 for read in jobs[0].deliveries):
            return None
        work = self.memory.foresee(jobs[0], self.run_ahead_ms)
        return None if work is None else self.runs.begin(jobs[0], work)

    def _found(self, ahead: Ahead) -> Ran | None:
        """What may go with the claim; waited for where it is to be expected soon, and nothing else
        waits."""
        is_soon = self.memory.expected_ms(ahead.job) < AHEAD_S * 1000 and not self._done
        return self.runs.found(ahead, AHEAD_S if is_soon else 0.0)

    def _ask(self, jobs: list[Job], ahead: Ahead | None) -> dict[Table, list[Claim]]:
        """The claims that are given, by table; other answers are dealt with. What was found `ahead`
        goes with the question, if it is there soon."""
        claims: dict[Table, list[Claim]] = {}
        with self._careful([delivery for job in jobs for delivery in job.deliveries], jobs):
            ran = None if ahead is None else self._found(ahead)
            for job, answer in self.desk.claim(jobs, ran):
                if isinstance(answer, StringXError):
                    self.refusals.add_job(job, Reason.of(answer, "claim"))
                elif isinstance(answer, Claim):
                    claims.setdefault(job.table, []).append(answer)
                elif isinstance(answer, Ran):
                    if ahead is not None:
                        ahead.is_stored = True
                    self._stored(job, answer.outcome, "stored")
                elif answer["outcome"] == "done":
                    self._finished(job, "replayed")
                    log.info("check_replayed", correlation_id=job.id, status=answer.get("status"))
                elif answer["outcome"] == "busy":
                    self._put_off(job, float(answer.get("retry_after_s") or 1.0))
                else:
                    code, message = str(answer.get("code")), str(answer.get("message"))
                    self.refusals.add_job(job, Reason("claim", code, message, "Rejected"))
            return claims
        return {}  # those that were given have been given back

    def _store(self) -> None:
        done, self._done = self._done, []
        self._store_partial(done)
        done = [one for one in done if not one.is_partial]
        jobs = [one.claim.job for one in done]
        with self._careful([delivery for job in jobs for delivery in job.deliveries], jobs):
            lost = [one.claim for one in done if one.outcome is None]
            for claim in lost:  # a new claim finds out who has it
                self.desk.forget(claim)
                self._put_off(claim.job, 1.0)
            finished = [Judged(one.claim, one.outcome) for one in done if one.outcome is not None]
            for (claim, outcome, _), answer in self.desk.store(finished):
                if isinstance(answer, StringXError):
                    self.refusals.add_job(claim.job, Reason.of(answer, "store"))
                elif answer in ("stored", "replayed"):
                    self._stored(claim.job, outcome, answer)
                else:
                    # stale_fence: another worker has it now, and may yet die; unknown: the API
                    # forgot it. A new claim finds out which, and the offset waits for the answer.
                    log.warning("outcome_not_taken", correlation_id=claim.job.id, result=answer)
                    self._put_off(claim.job, 1.0)

    def _store_partial(self, done: list[Done]) -> None:
        """Say what is known at deadlines. A claim that is another's by now is done with when the
        rest of it was run, or was not because of that."""
        whole = {one.claim.job.id for one in done if not one.is_partial}
        early = [
            Judged(one.claim, one.outcome, is_partial=True)
            for one in done
            if one.is_partial and one.outcome is not None and one.claim.job.id not in whole
        ]
        if not early:
            return
        with self._careful([]):
            for (claim, outcome, _), answer in self.desk.store(early):
                if answer in ("stored", "replayed"):
                    log.info(
                        "check_partial",
                        correlation_id=claim.job.id,
                        table=claim.job.request.table,
                        status=outcome.status,
                        late=len(outcome.late),
                    )
                    continue
                claim.is_lost = not isinstance(answer, StringXError)
                log.warning("outcome_not_taken", correlation_id=claim.job.id, result=str(answer))

    def _finish(self) -> None:
        """At the end: store what is run until nothing runs or it is to be aborted."""
        aborted_at: float | None = None
        while self.runs.running:
            if self.aborted() and aborted_at is None:
                aborted_at = time.monotonic()
            if aborted_at is not None and time.monotonic() - aborted_at > CANCELLED_S:
                break
            time.sleep(0.02)
            self._done += self.runs.done()
            if self._is_due:
                self._store()
        self._done += self.runs.done()
        if self._done:
            self._store()

    @contextmanager
    def _careful(self, deliveries: list[Delivery], jobs: list[Job] | None = None) -> Iterator[None]:
        """A fault of our own costs time, never a message: what it hit is taken up again later."""
        try:
            yield
        except Stopping:
            raise
        except Exception:
            log.exception("batch_failed", messages=len(deliveries))
            wait_s = self._backoff.next()
            if jobs is not None:
                self.desk.give_back(jobs)
            for delivery in deliveries:
                if not delivery.ticket.done:
                    self.inbox.put_off(delivery, wait_s)
        else:
            self._backoff.reset()

    def _stored(self, job: Job, outcome: CheckOutcome, result: str) -> None:
        self._finished(job, result)
        log.info(
            "check_finished",
            correlation_id=job.id,
            table=job.request.table,
            status=outcome.status,
            duration_ms=round(outcome.duration_ms, 1),
            result=result,
        )

    def _finished(self, job: Job, outcome: str) -> None:
        for number, delivery in enumerate(job.deliveries):
            self.metrics.messages.labels(outcome if number == 0 else "replayed").inc()
            self.tracker.finish(delivery.ticket)
            if self.breaker.good(delivery.record):
                place = delivery.record
                log.info("partition_goes_on", place=f"{place.topic}[{place.partition}]")
                self.inbox.release((place.topic, place.partition))

    def _put_off(self, job: Job, seconds: float) -> None:
        for delivery in job.deliveries:
            self.metrics.messages.labels("busy").inc()
            self.inbox.put_off(delivery, seconds)

    def _bury(self) -> None:
        refused = self.refusals.take()
        if refused:
            with self._careful([one.delivery for one in refused]):
                self.refusals.write(refused)
