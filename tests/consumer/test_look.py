"""A look for the topics that fails for a reason that nobody thought of."""

from __future__ import annotations

import threading
import time
from typing import cast

from consumer.health import Health
from consumer.kafka import Cluster, Look


class _Broken:
    def wait_for_topics(self, *_: object) -> int:
        raise RuntimeError("no thread to be had")


def test_it_is_over_after_the_longest_wait() -> None:
    """So the polling loop, which makes another one then, does not make one at each turn."""
    _await_end(_look(threading.Event(), max_wait_s=0.2))


def test_it_is_over_at_once_when_asked_to_stop() -> None:
    stop = threading.Event()
    look = _look(stop, max_wait_s=3600)
    time.sleep(0.5)
    assert look.partitions is None
    stop.set()
    _await_end(look)


def _look(stop: threading.Event, max_wait_s: float) -> Look:
    return Look(cast("Cluster", _Broken()), stop, cast("Health", None), max_wait_s)


def _await_end(look: Look) -> None:
    deadline = time.monotonic() + 30
    while look.partitions is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert look.partitions == 0
