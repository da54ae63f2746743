"""Open connections to one target, shared by the checks that run at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from quality.engine.engine import EngineBusy
from quality.engine.target.wire import Wire
from quality.errors import Unavailable

SILENCE_S = 1.0
"""A target that could not be reached after so long gives no answer; others refuse at once."""


@dataclass(slots=True)
class _Idle:
    wire: Wire
    since: float


class Pool:
    """At most `size` connections, opened when they are needed and closed after `idle_s` unused.

    Connections are opened in the thread that asks, so that it gets the reason where that fails.
    A target that gives no answer is tried by one thread at a time; the others get its reason at
    once, so that checks of other targets do not wait for threads that only wait.
    """

    def __init__(self, connect: Callable[[float], Wire], size: int, idle_s: float) -> None:
        self._connect = connect
        self._room = threading.BoundedSemaphore(size)
        self._idle_s = idle_s
        self._idle: list[_Idle] = []
        self._leased: set[Wire] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._silent: Unavailable | None = None
        self._is_tried = False
        self.exports_snapshots = True
        """Whether several of its connections may share a snapshot; False once that was refused."""

    @contextmanager
    def lease(
        self, deadline: float, *, fresh: bool = False, at_once: bool = False
    ) -> Iterator[tuple[Wire, bool]]:
        """A connection of one's own, and whether it was used before; `fresh` ones never were.

        Raises EngineBusy when none is free by `deadline` (time.monotonic), or now if it must be
        `at_once`, and what `connect` raises. A connection that comes back in a transaction, or
        broken, is closed.
        """
        patience_s = 0.0 if at_once else max(0.0, deadline - time.monotonic())
        if not self._room.acquire(timeout=patience_s):
            raise EngineBusy("all connections to the target were in use until the time was over")
        try:
            found = None if fresh else self._take()
            wire = found or self._open(deadline)
            with self._lock:
                self._leased.add(wire)
            try:
                yield wire, found is not None
            finally:
                self._give_back(wire)
        finally:
            self._room.release()

    def retire(self) -> None:
        """Close every connection, those in use when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for entry in idle:
            entry.wire.close()

    def close(self) -> None:
        """Cancel what runs, and retire."""
        self.retire()
        with self._lock:
            leased = list(self._leased)
        for wire in leased:
            wire.cancel()

    def _open(self, deadline: float) -> Wire:
        is_trial = False
        with self._lock:
            if self._silent is not None:
                if self._is_tried:
                    raise Unavailable(str(self._silent), code=self._silent.code)
                self._is_tried = is_trial = True
        began, silent = time.monotonic(), None
        try:
            return self._connect(deadline)
        except Unavailable as error:
            silent = error if time.monotonic() - began >= SILENCE_S else None
            raise
        finally:
            with self._lock:
                self._silent = silent
                if is_trial:
                    self._is_tried = False

    def _take(self) -> Wire | None:
        """The connection used last, after closing those that were idle for too long."""
        oldest = time.monotonic() - self._idle_s
        with self._lock:
            stale = [entry for entry in self._idle if entry.since < oldest]
            self._idle = [entry for entry in self._idle if entry.since >= oldest]
            found = self._idle.pop().wire if self._idle else None
        for entry in stale:
            entry.wire.close()
        return found

    def _give_back(self, wire: Wire) -> None:
        with self._lock:
            self._leased.discard(wire)
            if wire.is_idle and not self._closed:
                self._idle.append(_Idle(wire, time.monotonic()))
                return
        wire.close()
