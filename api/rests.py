"""The rest of checks that their deadline cut short, judged once who asked has been answered.

A check keeps its claim until the whole of it is stored. So what this process has in hand when it
dies is taken by another one when the lease is over: from Kafka where there is one, to which its
request is sent again, and else by whoever looks for it here.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from api.store import leases
from api.store.checks import Request
from api.store.database import Database
from quality.budgets import UNLIMITED, Budget
from quality.checks import CheckOutcome
from quality.engine.cancellation import Cancellation
from quality.logs import get_logger
from quality.predicates import Predicate
from quality.rules import RuleSet
from quality.settings import ApiSettings

log = get_logger(__name__)

_RENEWALS = 3
"""In the time of a lease."""
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Rest:
    """A claimed check with what was known at its deadline.

    `first` is None where another process knew it: then all rules are judged.
    """

    request: Request
    fence: int
    rule_set: RuleSet
    scope: tuple[Predicate, ...]
    first: CheckOutcome | None = None
    budget: Budget = UNLIMITED


class Judge(Protocol):
    """What is done with a rest; see `api.checking.Checking`."""

    def finish(self, rest: Rest, cancellation: Cancellation, is_ended: Callable[[], bool]) -> None:
        """Judge and store it; once `is_ended`, give it back instead."""

    def left_over(self) -> Rest | None:
        """One that nobody has in hand, taken; None where there is none."""


class Rests:
    """Threads that judge rests, at most `STRINGX_REST_CHECKS` at a time."""

    def __init__(self, database: Database, settings: ApiSettings, *, looks: bool) -> None:
        """`looks`: nobody else takes what other processes left."""
        self._database = database
        self._settings = settings
        self._looks = looks
        self._queue: queue.SimpleQueue[Rest | None] = queue.SimpleQueue()
        self._free = threading.BoundedSemaphore(settings.rest_checks)
        self._held: dict[tuple[str, int], Cancellation] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, judge: Judge) -> None:
        """Begin; a process does it once."""
        for number in range(self._settings.rest_checks):
            name = f"rest-{number}"
            self._threads.append(
                threading.Thread(target=self._work, args=(judge,), name=name, daemon=True)
            )
        self._threads.append(threading.Thread(target=self._renew, name="rests", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End what is being judged and give it back."""
        self._stopping.set()
        with self._lock:
            for cancellation in self._held.values():
                cancellation.cancel()
        for _ in range(self._settings.rest_checks):
            self._queue.put(None)  # nobody waits for more
        for thread in self._threads:
            thread.join(timeout=_END_S)

    def take(self, rest: Rest) -> bool:
        """Judge it in the background; False where as many as there may be are in hand."""
        if not self._threads or self._stopping.is_set() or not self._free.acquire(blocking=False):
            return False
        self._hold(rest)
        self._queue.put(rest)
        return True

    def _work(self, judge: Judge) -> None:
        while not self._stopping.is_set():
            try:
                rest = self._next(judge)
                if rest is not None:
                    self._judge(judge, rest)
            except SQLAlchemyError as error:  # its lease ends, and it is taken again
                log.warning("rest_retried", error=type(error).__name__)
            except Exception:
                log.exception("rest_failed")

    def _next(self, judge: Judge) -> Rest | None:
        try:
            return self._queue.get(timeout=self._settings.rest_poll_s)
        except queue.Empty:
            if not self._looks or not self._free.acquire(blocking=False):
                return None
        rest = None
        try:
            rest = judge.left_over()
        finally:
            if rest is None:
                self._free.release()
        if rest is not None:
            self._hold(rest)
        return rest

    def _hold(self, rest: Rest) -> None:
        with self._lock:
            self._held[rest.request.id, rest.fence] = Cancellation()

    def _judge(self, judge: Judge, rest: Rest) -> None:
        claim = rest.request.id, rest.fence
        try:
            judge.finish(rest, self._held[claim], self._stopping.is_set)
        finally:
            with self._lock:
                del self._held[claim]
            self._free.release()

    def _renew(self) -> None:
        """Keep the leases of what is in hand; one that was lost is found out when it is stored."""
        while not self._stopping.wait(self._settings.lease_s / _RENEWALS):
            with self._lock:
                held = list(self._held)
            if not held:
                continue
            try:
                with self._database.begin() as db:
                    leases.renew(db, held, self._settings.lease_s)
            except SQLAlchemyError as error:
                log.warning("leases_not_renewed", error=type(error).__name__)
