"""Jobs that wait to be claimed, in a lane for each table.

A job is claimed when its table is free, not before: so leases are young when runs begin, a slow
check holds up nothing but its own table, and what came meanwhile shares the next run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from consumer.jobs import Job, Table
from consumer.records import Delivery, Partition


class Lanes:
    """Filled and emptied by the worker; the polling thread drops what is another worker's."""

    def __init__(self) -> None:
        self._lanes: dict[Table, deque[Job]] = {}
        """Tables in the order in which their oldest job came."""
        self._at_work: set[Table] = set()
        self._messages = 0
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Put a job at the end of its lane; one that waits there already takes its messages."""
        with self._lock:
            lane = self._lanes.setdefault(job.table, deque())
            self._messages += len(job.deliveries)
            self._bytes += job.bytes
            for waiting in lane:
                if waiting.id == job.id and waiting.request == job.request:
                    waiting.deliveries += job.deliveries
                    return
            lane.append(job)

    def take(self, limit: int) -> list[Job]:
        """Up to `limit` jobs of tables that are free; these are at work until `free`."""
        taken: list[Job] = []
        with self._lock:
            for table in [table for table in self._lanes if table not in self._at_work]:
                if len(taken) >= limit:
                    break
                lane = self._lanes[table]
                self._at_work.add(table)
                while lane and len(taken) < limit:
                    taken.append(lane.popleft())
                if not lane:
                    del self._lanes[table]
            self._messages -= sum(len(job.deliveries) for job in taken)
            self._bytes -= sum(job.bytes for job in taken)
        return taken

    def free(self, table: Table) -> None:
        """Nothing of this table is at work any more."""
        with self._lock:
            self._at_work.discard(table)
            if table in self._lanes:  # behind those that waited while it was at work
                self._lanes[table] = self._lanes.pop(table)

    def is_free(self, table: Table) -> bool:
        """Whether nothing of this table is at work."""
        with self._lock:
            return table not in self._at_work

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forget messages of these partitions: another worker reads them again."""
        gone = set(partitions)
        with self._lock:
            for table, lane in list(self._lanes.items()):
                for job in lane:
                    job.deliveries = [kept for kept in job.deliveries if not _is_of(kept, gone)]
                kept = deque(job for job in lane if job.deliveries)
                if kept:
                    self._lanes[table] = kept
                else:
                    del self._lanes[table]
            waiting = [job for lane in self._lanes.values() for job in lane]
            self._messages = sum(len(job.deliveries) for job in waiting)
            self._bytes = sum(job.bytes for job in waiting)

    @property
    def has_free(self) -> bool:
        """Whether `take` would find something."""
        with self._lock:
            return any(table not in self._at_work for table in self._lanes)

    @property
    def size(self) -> tuple[int, int]:
        """Messages and bytes that wait."""
        with self._lock:
            return self._messages, self._bytes


def _is_of(delivery: Delivery, partitions: set[Partition]) -> bool:
    return (delivery.record.topic, delivery.record.partition) in partitions
