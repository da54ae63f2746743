"""A target that gives no answer at all holds up one thread, not all of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from quality.engine.target.pool import SILENCE_S, Pool
from quality.engine.target.wire import Wire
from quality.errors import Unavailable


class Target:
    """What a pool connects to; takes `seconds` to fail."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.tries = 0

    def connect(self, deadline: float) -> Wire:
        self.tries += 1
        time.sleep(self.seconds)
        raise Unavailable("cannot be reached: time is over", code="target_unreachable")


def ask(pool: Pool) -> str:
    with (
        pytest.raises(Unavailable, match="time is over") as raised,
        pool.lease(time.monotonic() + 30),
    ):
        pass
    return raised.value.code


def test_a_silent_target_is_tried_by_one_at_a_time() -> None:
    target = Target(SILENCE_S + 0.1)
    pool = Pool(target.connect, 8, 300.0)
    ask(pool)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, [pool] * 8)) == {"target_unreachable"}
    assert target.tries == 2
    ask(pool)  # whoever comes when nobody tries
    assert target.tries == 3


def test_a_target_that_refuses_is_tried_each_time() -> None:
    target = Target(0.0)
    pool = Pool(target.connect, 8, 300.0)
    for _ in range(3):
        ask(pool)
    assert target.tries == 3
