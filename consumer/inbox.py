"""What was polled and waits: filled by the polling thread, emptied by the worker."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable

from consumer.lanes import Lanes
from consumer.records import Delivery, Partition


class Inbox:
    """A bounded queue in the order of arrival, with deliveries put off until a time beside it.

    What was taken and waits in `lanes` still counts against the bounds.
    """

    def __init__(self, max_messages: int, max_bytes: int, lanes: Lanes) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._lanes = lanes
        self._queue: deque[Delivery] = deque()
        self._later: list[tuple[float, int, Delivery]] = []
        self._held: list[tuple[float, int, Delivery]] = []
        self._bytes = 0
        self._counter = itertools.count()
        self._nudged = False
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

    def hold(self, delivery: Delivery, seconds: float) -> None:
        """Put off one whose partition is paused: it does not count against the bounds, so that the
        other partitions go on. What is held of a partition is what was polled before the pause."""
        with self._changed:
            due = time.monotonic() + seconds
            heapq.heappush(self._held, (due, delivery.record.offset, delivery))
            self._changed.notify()

    def release(self, partition: Partition) -> None:
        """Have what is held of this partition come back now."""
        with self._changed:
            self._held = [
                (0.0 if _is_of(kept, {partition}) else due, offset, kept)
                for due, offset, kept in self._held
            ]
            heapq.heapify(self._held)
            self._changed.notify()

    def take(self, limit: int, wait_s: float | None = None) -> list[Delivery]:
        """Up to `limit` deliveries, waiting for the first.

        [] after `wait_s`, when nudged, and once the inbox is closed.
        """
        until = None if wait_s is None else time.monotonic() + wait_s
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                taken: list[Delivery] = []
                while self._later and self._later[0][0] <= now and len(taken) < limit:
                    taken.append(heapq.heappop(self._later)[2])
                held: list[Delivery] = []
                while self._held and self._held[0][0] <= now and len(taken) + len(held) < limit:
                    held.append(heapq.heappop(self._held)[2])
                while self._queue and len(taken) + len(held) < limit:
                    taken.append(self._queue.popleft())
                if taken or held:
                    self._bytes -= sum(delivery.record.bytes for delivery in taken)
                    return held + taken
                if self._nudged or (until is not None and until <= now):
                    self._nudged = False
                    return []
                moments = [moment for moment in (until, self._next_due) if moment is not None]
                self._changed.wait(min(moments) - now if moments else None)
            return []

    def nudge(self) -> None:
        """Have who takes look up: something else than a message came."""
        with self._changed:
            self._nudged = True
            self._changed.notify()

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forget what waits of these partitions: another worker reads it again."""
        gone = set(partitions)
        self._lanes.drop(gone)
        with self._changed:
            self._queue = deque(kept for kept in self._queue if not _is_of(kept, gone))
            self._later = [kept for kept in self._later if not _is_of(kept[2], gone)]
            heapq.heapify(self._later)
            self._held = [kept for kept in self._held if not _is_of(kept[2], gone)]
            heapq.heapify(self._held)
            waiting = [*self._queue, *(entry[2] for entry in self._later)]
            self._bytes = sum(delivery.record.bytes for delivery in waiting)

    def close(self) -> None:
        """Give nothing out any more; `take` returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def full(self) -> bool:
        """Time to pause the partitions."""
        return self._is_above(1.0)

    @property
    def half_full(self) -> bool:
        """False: room enough to resume them."""
        return self._is_above(0.5)

    @property
    def _next_due(self) -> float | None:
        return min((heap[0][0] for heap in (self._later, self._held) if heap), default=None)

    def _is_above(self, share: float) -> bool:
        messages, bytes_ = self._lanes.size
        with self._changed:
            messages += len(self._queue) + len(self._later)
            bytes_ += self._bytes
            return messages >= self._max_messages * share or bytes_ >= self._max_bytes * share


def _is_of(delivery: Delivery, partitions: set[Partition]) -> bool:
    return (delivery.record.topic, delivery.record.partition) in partitions
