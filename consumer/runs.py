"""Runs of the engine, a few at a time: the claims of one table one after the other.

A run may begin ahead of its claim, by what the claim will most likely say. What it found goes with
the claim or, where it takes longer, whichever ends last, the run or the claim, sees whether it
counts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from consumer.ahead import Ahead
from consumer.claims import Claim, Ran
from consumer.jobs import Job, Table
from consumer.metrics import Metrics
from consumer.work import Work
from quality.budgets import Budget
from quality.checks import CheckOutcome, completed, failed_outcome
from quality.errors import StringXError
from quality.logs import get_logger
from quality.predicates import Predicate
from quality.rules import RuleSet

log = get_logger(__name__)


class Engine(Protocol):
    """What of `quality.engine` is used here."""

    def run(
        self,
        rule_set: RuleSet,
        scope: Sequence[Predicate],
        *,
        deadline_s: float | None,
        budget: Budget,
    ) -> CheckOutcome: ...

    def complete(
        self,
        rule_set: RuleSet,
        scope: Sequence[Predicate],
        first: CheckOutcome,
        *,
        budget: Budget,
    ) -> CheckOutcome: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A claim that was run; without an outcome, one that was not (its lease was lost).

    `is_partial`: the outcome is that of the deadline, and the whole follows.
    """

    claim: Claim
    outcome: CheckOutcome | None
    at: float
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """Claims that share a run: all of it up to their deadline or, with `first`, what that left."""

    claims: list[Claim]
    first: CheckOutcome | None = None


class Runs:
    """Threads that run claims; what they found is fetched by `done`. They end with the process."""

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        *,
        threads: int,
        stopping: Callable[[], bool],
        aborted: Callable[[], bool],
        on_done: Callable[[], None],
        on_free: Callable[[Table], None],
    ) -> None:
        """`on_free` hears of each table whose claims are all run, `on_done` of every run.

        Once `stopping`, no run begins; what ends once `aborted` was cancelled and says nothing
        about the data.
        """
        self._engine = engine
        self._metrics = metrics
        self._stopping = stopping
        self._aborted = aborted
        self._on_done = on_done
        self._on_free = on_free
        self._queue: queue.SimpleQueue[list[_Part] | Ahead] = queue.SimpleQueue()
        self._done: list[Done] = []
        self._waiting = 0
        self._running = 0
        self._queued = 0
        self._free = threads
        self._lock = threading.Lock()
        for number in range(threads):
            threading.Thread(target=self._work, name=f"run-{number}", daemon=True).start()

    def start(self, claims: list[Claim]) -> None:
        """Run the claims of one table; those that ask for the same share a run.

        What a deadline left is judged once each of them has a verdict, and before the table is
        free: so the checks of a table are stored in their order.
        """
        shared: dict[bytes, list[Claim]] = {}
        for claim in claims:
            shared.setdefault(claim.work.key, []).append(claim)
        with self._lock:
            self._waiting += len(claims)
        self._put([_Part(held) for held in shared.values()])

    def begin(self, job: Job, work: Work) -> Ahead | None:
        """Run this while the claim of the job is asked for; None where no thread is free now.

        The table is at work until the run is over and `settle` was called.
        """
        with self._lock:
            if self._free <= self._queue.qsize():
                return None
            self._waiting += 1
        ahead = Ahead(job, work)
        self._queue.put(ahead)
        return ahead

    def found(self, ahead: Ahead, within_s: float) -> Ran | None:
        """What may go with the claim: a whole check that is over in time."""
        if not ahead.over.wait(within_s) or self._aborted():
            return None
        outcome = ahead.outcome
        if outcome is None or outcome.late or not ahead.is_usable:
            return None
        return Ran(ahead.work, outcome)

    def settle(self, ahead: Ahead, claim: Claim | None) -> None:
        """What the claim was answered with: the run counts if the claim asks for the same, another
        one is made if it asks for something else, and there is nothing to do without it."""
        with self._lock:
            ahead.claim, ahead.is_settled = claim, True
            if not ahead.over.is_set():
                return
        self._conclude(ahead)

    def done(self) -> list[Done]:
        """What was run since the last call, in the order in which it ended."""
        with self._lock:
            done, self._done = self._done, []
        return done

    @property
    def is_idle(self) -> bool:
        """Nothing waits or runs, and everything that was run was fetched."""
        with self._lock:
            return not (self._waiting or self._running or self._done)

    @property
    def backlog(self) -> int:
        """Claims of tables that no thread is free for; those behind a run of their own table do not
        count. What ends it is heard of by `on_done`."""
        with self._lock:
            return self._queued if self._queue.qsize() > self._free else 0

    @property
    def running(self) -> int:
        """Runs that go on now."""
        with self._lock:
            return self._running

    def _put(self, parts: list[_Part]) -> None:
        with self._lock:
            self._queued += sum(len(part.claims) for part in parts)
        self._queue.put(parts)

    def _work(self) -> None:
        while True:
            given = self._queue.get()
            with self._lock:
                self._free -= 1
            if isinstance(given, Ahead):
                self._run_ahead(given)
            else:
                self._run_all(given)

    def _run_all(self, parts: list[_Part]) -> None:
        with self._lock:
            self._queued -= sum(len(part.claims) for part in parts)
        table = parts[0].claims[0].job.table
        while parts:
            rest = self._run(parts.pop(0))
            if rest is not None:
                parts.append(rest)
            if not parts:
                with self._lock:
                    self._free += 1
                self._on_free(table)
            self._on_done()

    def _run(self, part: _Part) -> _Part | None:
        """Run a part; what its deadline left to be run, if there is any."""
        if not self._may_begin(len(part.claims)):
            return None
        lost = [claim for claim in part.claims if claim.is_lost]
        held = [claim for claim in part.claims if claim not in lost]
        outcome = self._outcome(held[0].work, held[0].job, part.first) if held else None
        return self._ended(held, outcome, lost)

    def _run_ahead(self, ahead: Ahead) -> None:
        with self._lock:
            is_in_vain = ahead.is_settled and not ahead.is_foreseen
            self._waiting -= is_in_vain
        if not is_in_vain and self._may_begin(1):
            ahead.outcome = self._outcome(ahead.work, ahead.job)
        with self._lock:
            self._free += 1
            ahead.ended_at = time.monotonic()
            ahead.over.set()
            if not ahead.is_settled:
                return
        self._conclude(ahead)

    def _conclude(self, ahead: Ahead) -> None:
        """Of a run that is over and a claim that is answered: called by whoever comes last."""
        claim, outcome, rest = ahead.claim, ahead.outcome, None
        is_used = ahead.is_stored or (ahead.is_foreseen and ahead.is_usable)
        if claim is not None and not is_used:
            with self._lock:
                self._waiting += 1
            rest = _Part([claim])
        if outcome is not None:
            rest = self._ended([claim] if claim is not None and is_used else [], outcome) or rest
            self._metrics.runs_ahead.labels("used" if is_used else "dropped").inc()
        if rest is not None:
            self._put([rest])
        else:
            self._on_free(ahead.job.table)
        self._on_done()

    def _may_begin(self, claims: int) -> bool:
        """Whether to run what waited, which then counts as running until `_ended`."""
        with self._lock:
            self._waiting -= claims
            if self._stopping():
                return False
            self._running += 1
            return True

    def _ended(
        self, held: list[Claim], outcome: CheckOutcome | None, lost: Sequence[Claim] = ()
    ) -> _Part | None:
        """Have `done` say what became of claims; what a deadline left of them to be run."""
        is_partial = outcome is not None and bool(outcome.late)
        now = time.monotonic()
        with self._lock:
            self._running -= 1
            if self._aborted():
                return None
            self._done += [Done(claim, outcome, now, is_partial) for claim in held]
            self._done += [Done(claim, None, now) for claim in lost]
            if not held or not is_partial:
                return None
            self._waiting += len(held)
        return _Part(held, outcome)

    def _outcome(self, work: Work, job: Job, first: CheckOutcome | None = None) -> CheckOutcome:
        started_at, started = datetime.now(UTC), time.monotonic()
        try:
            if work.rule_set is not None:
                rules, scope, budget = work.rule_set, work.scope, work.budget
                if first is not None:
                    return self._engine.complete(rules, scope, first, budget=budget)
                limit_s = work.time_limit_s
                return self._engine.run(rules, scope, deadline_s=limit_s, budget=budget)
            code, message = "rule_set_invalid", "the worker does not understand the rule set"
        except StringXError as error:
            log.error("engine_failed", correlation_id=job.id, error=str(error))
            code, message = error.code, str(error)
        except Exception:
            log.exception("engine_failed", correlation_id=job.id)
            code, message = "engine", "the engine failed; the worker's log says how"
        finally:
            self._metrics.engine_seconds.observe(time.monotonic() - started)
        now = datetime.now(UTC)
        failed = failed_outcome(work.rule_set_hash, code, message, started_at, now)
        return failed if first is None else completed(first, failed)
