"""Messages to the service, and when each one's result was stored.

A message's time begins when the producer is given it, by this machine's clock. It ends with the
commit of its result, by PostgreSQL's commit timestamp (the same clock; taken when the commit record
is written, before the disk has confirmed it).
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from confluent_kafka import Producer

from benchmarks.contenders.stringx import CONNECTION
from benchmarks.service import Service

_numbers = itertools.count(1)
_FLUSH_S = 30.0
_LOOK_EVERY_S = 0.1
_STORED = """
select id, status, extract(epoch from pg_xact_commit_timestamp(xmin))::float8
from check_run where state = 'finished' and id = any(%s)
"""


@dataclass(frozen=True)
class Message:
    """One request; its id is unique in this process."""

    id: str
    table: str
    value: bytes


@dataclass(frozen=True)
class Delivered:
    """Messages that were sent: when each was produced and, if it was in time, stored; Unix time."""

    produced: dict[str, float]
    stored: dict[str, float]
    statuses: dict[str, str]

    @property
    def lost(self) -> int:
        """How many had no result when the time was over."""
        return len(self.produced) - len(self.stored)

    @property
    def seconds(self) -> float:
        """From the first message to the last stored result."""
        return max(self.stored.values()) - min(self.produced.values())

    @property
    def latencies(self) -> list[float]:
        """Seconds from message to stored result."""
        return [moment - self.produced[id] for id, moment in self.stored.items()]


def messages(tables: Sequence[str], count: int, *, scoped: bool = False) -> list[Message]:
    """Requests for the tables in turn; `scoped`: each narrowed by a scope of its own that leaves
    all rows, so that no two can share a run."""
    found = []
    for table in itertools.islice(itertools.cycle(tables), count):
        number = next(_numbers)
        document: dict[str, Any] = {
            "id": f"benchmark-{number:08}",
            "connection": CONNECTION,
            "table": table,
        }
        if scoped:
            document["scope"] = [{"column": "quantity_7", "op": ">=", "value": -number}]
        found.append(Message(document["id"], table, json.dumps(document).encode()))
    return found


class Sender:
    """A producer of check requests, with what a careful producer sets."""

    def __init__(self, service: Service) -> None:
        self._topic = service.topic
        self._producer = Producer(
            {
                "bootstrap.servers": service.bootstrap_servers,
                "acks": "all",
                "linger.ms": 0,
                "log_level": 0,
            }
        )

    def send(
        self, wanted: Iterable[Message], *, per_second: float | None = None
    ) -> dict[str, float]:
        """Send all, as fast as possible or at a steady rate; when each was produced, by id."""
        produced = {}
        began = time.monotonic()
        for place, message in enumerate(wanted):
            if per_second:
                time.sleep(max(0.0, began + place / per_second - time.monotonic()))
            produced[message.id] = time.time()
            # A key of its own: messages of one table spread over the partitions.
            self._producer.produce(self._topic, value=message.value, key=message.id)
            self._producer.poll(0)
        if self._producer.flush(_FLUSH_S):
            raise RuntimeError("the broker did not take all messages")
        return produced


def await_stored(service: Service, produced: dict[str, float], limit_s: float) -> Delivered:
    """Wait until every message has its stored result, or the time is over."""
    deadline = time.monotonic() + limit_s
    stored: dict[str, float] = {}
    statuses: dict[str, str] = {}
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        while len(stored) < len(produced) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            service.require_alive()
            left = [id for id in produced if id not in stored]
            for id, status, moment in connection.execute(_STORED, (left,)):
                stored[id], statuses[id] = moment, status
    return Delivered(produced, stored, statuses)
