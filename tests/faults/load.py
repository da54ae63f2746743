"""Load under which harm is done, and what all scenarios do alike."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import requests
from confluent_kafka import Consumer, TopicPartition

from tests.faults import counting
from tests.faults.counting import Tally
from tests.faults.process import Process, eventually
from tests.faults.stage import PARTITIONS, RULES, TOPIC, Stage

Scenario = Callable[[Stage, "Size"], Tally]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each: `small` for every build, `full` for a release."""

    requests: int
    kills: int
    crashes: int
    seconds: float
    soak_minutes: float

    @property
    def few(self) -> int:
        return self.requests // 10

    @property
    def is_full(self) -> bool:
        return self.requests >= FULL.requests


SMALL = Size(requests=100, kills=2, crashes=1, seconds=3.0, soak_minutes=0.5)
FULL = Size(requests=2000, kills=20, crashes=3, seconds=60.0, soak_minutes=120.0)

_marks = itertools.count(1)


def load(
    stage: Stage,
    name: str,
    size: Size,
    harms: int,
    harm: Callable[[Stage, int], None],
    *,
    may_end: tuple[str, ...] = (),
) -> Tally:
    """Requests, one in twenty of them twice, with harm done at even parts of the way.

    `may_end` are codes of errors that checks may end with because of it.
    """
    wanted = stage.requests(name.replace(" ", "-"), size.requests)
    ids = list(wanted)
    again = random.sample(ids, max(2, len(ids) // 20))
    began = time.monotonic()
    by_http = again[::2]
    stage.send(*wanted.values(), *(wanted[check_id] for check_id in again[1::2]))
    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(stage.trigger, wanted[check_id]) for check_id in by_http]
        for number in range(harms):
            part = len(ids) * (number + 1) // (harms + 2)
            stage.wait_stored(ids, part)
            harm(stage, number)
        stage.wait_stored(ids)
        for one in sending:
            assert one.result().status_code in (200, 202), one.result().text
    wait_committed(stage)
    return counted(stage, name, wanted, len(again), began, *may_end)


def kill_worker(stage: Stage, number: int) -> None:
    worker = stage.workers[number % len(stage.workers)]
    worker.kill()
    worker.start()


def start_anew(stage: Stage) -> None:
    """All workers of the stage, of which some may have been stopped, and none remembers the bad
    messages or the machine before."""
    for worker in stage.workers:
        if worker.is_running:
            worker.wait_ready()
            worker.stop()
        worker.start()
    for worker in stage.workers:
        worker.wait_ready()


def counted(
    stage: Stage, name: str, wanted: dict[str, Any], again: int, began: float, *may_end: str
) -> Tally:
    """What became of the requests; `may_end` are codes of errors that are no surprise."""
    ids = list(wanted)
    tally = counting.count(name, stage.store_url, ids, again, RULES, set(may_end))
    tally.seconds = time.monotonic() - began
    if stage.brought_back:
        tally.notes["workers brought back"] = stage.brought_back
        stage.brought_back = 0
    return tally


class Watch(threading.Thread):
    """Watches a worker while something else goes on, as a context manager."""

    def __init__(self, worker: Process) -> None:
        super().__init__(daemon=True)
        self._worker = worker
        self._over = threading.Event()
        self.gap_s = 0.0
        """The longest time for which the polling loop was seen not to go round."""
        self.is_live = True
        self.rss_mb = 0.0

    def run(self) -> None:
        while not self._over.wait(0.1):
            with suppress(requests.RequestException, OSError):
                polled = self._worker.metric("stringx_consumer_last_poll_timestamp_seconds")
                if polled:  # not by a process that was just started
                    self.gap_s = max(self.gap_s, time.time() - polled)
                self.is_live &= requests.get(f"{self._worker.url}/health/live", timeout=10).ok
                self.rss_mb = max(self.rss_mb, self._worker.rss_mb)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def wait_committed(stage: Stage) -> None:
    """Until every message that was sent is behind the committed offsets."""
    eventually(lambda: behind(stage) == 0, "all offsets to be committed")


def behind(stage: Stage) -> int:
    if stage.kafka == "embedded":  # its watermarks are wrong
        return 0
    stage.bring_back()
    consumer = Consumer(
        {"bootstrap.servers": stage.broker.bootstrap_servers, "group.id": "measure"}
    )
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=10)[1]
            for number in range(PARTITIONS)
        ]
    finally:
        consumer.close()
    done = stage.committed()
    return sum(max(0, end - done[number]) for number, end in enumerate(ends))


def new_mark() -> str:
    return f"mark{next(_marks):03}-"
