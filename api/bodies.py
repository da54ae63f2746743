"""Request bodies, and the threads that wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from typing import IO

from quality.logs import get_logger

log = get_logger(__name__)


class Bodies:
    """Reads bodies, of callers who showed their token before.

    The server waits for the rest of a body for as long as the connection lasts, and each that never
    comes holds a thread: a client that lost its network in the middle of it, say. Nothing in this
    process can end that wait, so before such bodies hold too many threads it is to be replaced.
    """

    def __init__(self, limit_s: float, most: int, replace: Callable[[], None]) -> None:
        """`replace` is called, once, when `most` bodies wait for longer than `limit_s` seconds."""
        self._limit_s = limit_s
        self._most = most
        self._replace = replace
        self._lock = threading.Lock()
        self._numbers = count()
        self._begun: dict[int, float] = {}
        self._is_replaced = False

    def read(self, stream: IO[bytes], size: int = -1) -> bytes:
        """What comes of a body, at most `size` bytes of it."""
        number, now = next(self._numbers), time.monotonic()
        self._begun[number] = now
        try:
            late = sum(now - begun > self._limit_s for begun in list(self._begun.values()))
            if late >= self._most:
                self._give_up(late)
            return stream.read(size)
        finally:
            del self._begun[number]

    def _give_up(self, late: int) -> None:
        with self._lock:
            if self._is_replaced:
                return
            self._is_replaced = True
        log.error("bodies_do_not_arrive", threads=late, after_s=self._limit_s)
        self._replace()
