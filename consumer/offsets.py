"""Which offsets may be committed: up to the last one before which all work is done."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Ticket:
    """One offset in hand. A ticket of an assignment that has ended finishes without effect."""

    topic: str
    partition: int
    offset: int
    done: bool = False


@dataclass(slots=True)
class _Lane:
    """One partition of the current assignment, its tickets in the order of the log."""

    tickets: deque[Ticket] = field(default_factory=deque)
    last: int = -1
    position: int | None = None
    committed: int | None = None
    done: int = 0


class OffsetTracker:
    """Tickets of all assigned partitions. Safe to share between threads."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._lock = threading.Lock()

    def open(self, topic: str, partition: int, offset: int) -> Ticket:
        """Register a polled offset, in the order of the log (gaps are normal).

        An offset that is not above the last one means that the log began anew or is being read
        again: what was open before no longer counts.
        """
        ticket = Ticket(topic, partition, offset)
        with self._lock:
            lane = self._lanes.setdefault((topic, partition), _Lane())
            if offset <= lane.last:
                lane = self._lanes[topic, partition] = _Lane()
            lane.last = offset
            lane.tickets.append(ticket)
        return ticket

    def finish(self, ticket: Ticket) -> None:
        """The work on this offset is done and stored."""
        with self._lock:
            ticket.done = True
            lane = self._lanes.get((ticket.topic, ticket.partition))
            while lane and lane.tickets and lane.tickets[0].done:
                lane.position = lane.tickets.popleft().offset + 1
                lane.done += 1

    def committable(self) -> dict[tuple[str, int], int]:
        """By partition, the next offset to read, where that differs from what is committed."""
        with self._lock:
            return {
                partition: lane.position
                for partition, lane in self._lanes.items()
                if lane.position is not None and lane.position != lane.committed
            }

    def committed(self, topic: str, partition: int, position: int) -> None:
        """The broker has taken the commit of this position."""
        with self._lock:
            if lane := self._lanes.get((topic, partition)):
                lane.committed = position
                lane.done = 0 if position == lane.position else lane.done

    def forget(self, partitions: Iterable[tuple[str, int]]) -> None:
        """These partitions are someone else's now, or were assigned afresh."""
        with self._lock:
            for partition in partitions:
                self._lanes.pop(partition, None)

    def uncommitted(self) -> int:
        """Messages that are done but whose offsets are not committed."""
        with self._lock:
            return sum(lane.done for lane in self._lanes.values())

    def positions(self) -> dict[tuple[str, int], int]:
        """By partition, the next offset that is not done yet, as far as this process knows."""
        with self._lock:
            known = {}
            for partition, lane in self._lanes.items():
                if lane.tickets:
                    known[partition] = lane.tickets[0].offset
                elif lane.position is not None:
                    known[partition] = lane.position
            return known
