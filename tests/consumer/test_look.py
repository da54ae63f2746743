"""A look for the topics that fails for a reason that nobody thought of."""

from __future__ import annotations

import threading
import time
from typing import cast

import pytest

from consumer.health import Health
from consumer.kafka import Cluster, Look


class _Broken:
    def wait_for_topics(self, *_: object) -> int:
        raise RuntimeError("no thread to be had")


@pytest.mark.parametrize(("max_wait_s", "is_over"), [(0.1, True), (3600.0, False)])
def test_it_is_over_after_the_longest_wait(max_wait_s: float, is_over: bool) -> None:
    """So the polling loop, which makes another one then, does not make one at each turn."""
    stop = threading.Event()
    look = Look(cast("Cluster", _Broken()), stop, cast("Health", None), max_wait_s)
    time.sleep(1)
    assert (look.partitions == 0) is is_over
    stop.set()
    deadline = time.monotonic() + 30
    while look.partitions is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert look.partitions == 0
