"""Ends a check from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from quality.errors import EngineError


class CheckCancelled(EngineError):
    """The check was cancelled: what it would have said is not about the data."""

    code = "cancelled"


class Cancellation:
    """Given to a run, which then ends soon after `cancel`, its queries on the server included."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []
        self._cancelled = False

    def cancel(self) -> None:
        """End the run; once is enough."""
        with self._lock:
            self._cancelled = True
            for call in self._calls:
                call()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def check(self) -> None:
        """Raise CheckCancelled after `cancel`."""
        if self._cancelled:
            raise CheckCancelled("the check was cancelled")

    @contextmanager
    def during(self, call: Callable[[], None]) -> Iterator[None]:
        """Have `call` made by `cancel` while the block runs; at once if it was cancelled before.

        The block's end waits for a call that is being made: afterwards none can come any more.
        """
        with self._lock:
            self._calls.append(call)
            if self._cancelled:
                call()
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)
