"""What was polled and waits: filled by the polling thread, emptied by the worker."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable

from consumer.records import Delivery, Partition


class Inbox:
    """A bounded queue in the order of arrival, with deliveries put off until a time beside it."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._queue: deque[Delivery] = deque()
        self._later: list[tuple[float, int, Delivery]] = []
        self._bytes = 0
        self._counter = itertools.count()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, delivery: Delivery) -> None:
        """Add one. Never refused: `full` says when to stop polling for more."""
        with self._changed:
            self._queue.append(delivery)
            self._bytes += delivery.record.bytes
            self._changed.notify()

    def put_off(self, delivery: Delivery, seconds: float) -> None:
        """Have it come back after that time, before what is new then."""
        with self._changed:
            due = time.monotonic() + seconds
            heapq.heappush(self._later, (due, next(self._counter), delivery))
            self._bytes += delivery.record.bytes
            self._changed.notify()

    def take(self, limit: int) -> list[Delivery]:
        """Up to `limit` deliveries, waiting for the first; [] once the inbox is closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                taken: list[Delivery] = []
                while self._later and self._later[0][0] <= now and len(taken) < limit:
                    taken.append(heapq.heappop(self._later)[2])
                while self._queue and len(taken) < limit:
                    taken.append(self._queue.popleft())
                if taken:
                    self._bytes -= sum(delivery.record.bytes for delivery in taken)
                    return taken
                self._changed.wait(self._later[0][0] - now if self._later else None)
            return []

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forget what waits of these partitions: another worker reads it again."""
        gone = set(partitions)
        with self._changed:
            self._queue = deque(kept for kept in self._queue if not _is_of(kept, gone))
            self._later = [kept for kept in self._later if not _is_of(kept[2], gone)]
            heapq.heapify(self._later)
            waiting = [*self._queue, *(entry[2] for entry in self._later)]
            self._bytes = sum(delivery.record.bytes for delivery in waiting)

    def close(self) -> None:
        """Give nothing out any more; `take` returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """Time to pause the partitions."""
        return self._is_above(1.0)

    @property
    def half_full(self) -> bool:
        """False: room enough to resume them."""
        return self._is_above(0.5)

    def _is_above(self, share: float) -> bool:
        with self._changed:
            messages = len(self._queue) + len(self._later)
            return messages >= self._max_messages * share or self._bytes >= self._max_bytes * share


def _is_of(delivery: Delivery, partitions: set[Partition]) -> bool:
    return (delivery.record.topic, delivery.record.partition) in partitions
