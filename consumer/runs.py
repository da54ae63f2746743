"""Runs of the engine, a few at a time: the claims of one table one after the other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from consumer.claims import Claim
from consumer.jobs import Table
from consumer.metrics import Metrics
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
        self._queue: queue.SimpleQueue[list[_Part]] = queue.SimpleQueue()
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
            shared.setdefault(claim.run_key, []).append(claim)
        with self._lock:
            self._waiting += len(claims)
            self._queued += len(claims)
        self._queue.put([_Part(held) for held in shared.values()])

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

    def _work(self) -> None:
        while True:
            parts = self._queue.get()
            with self._lock:
                self._free -= 1
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
        with self._lock:
            self._waiting -= len(part.claims)
            if self._stopping():
                return None
            self._running += 1
        lost = [claim for claim in part.claims if claim.is_lost]
        held = [claim for claim in part.claims if claim not in lost]
        outcome = self._outcome(held[0], part.first) if held else None
        is_partial = outcome is not None and bool(outcome.late)
        now = time.monotonic()
        with self._lock:
            self._running -= 1
            if self._aborted():
                return None
            self._done += [Done(claim, outcome, now, is_partial) for claim in held]
            self._done += [Done(claim, None, now) for claim in lost]
            if not is_partial:
                return None
            self._waiting += len(held)
        return _Part(held, outcome)

    def _outcome(self, claim: Claim, first: CheckOutcome | None) -> CheckOutcome:
        started_at, started = datetime.now(UTC), time.monotonic()
        try:
            if claim.rule_set is not None:
                rules, scope, budget = claim.rule_set, claim.scope, claim.budget
                if first is not None:
                    return self._engine.complete(rules, scope, first, budget=budget)
                limit_s = claim.time_limit_s
                return self._engine.run(rules, scope, deadline_s=limit_s, budget=budget)
            code, message = "rule_set_invalid", "the worker does not understand the rule set"
        except StringXError as error:
            log.error("engine_failed", correlation_id=claim.job.id, error=str(error))
            code, message = error.code, str(error)
        except Exception:
            log.exception("engine_failed", correlation_id=claim.job.id)
            code, message = "engine", "the engine failed; the worker's log says how"
        finally:
            self._metrics.engine_seconds.observe(time.monotonic() - started)
        now = datetime.now(UTC)
        failed = failed_outcome(claim.rule_set_hash, code, message, started_at, now)
        return failed if first is None else completed(first, failed)
