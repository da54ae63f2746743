"""The dead-letter breaker: when it opens, what it lets through, when it closes."""

from __future__ import annotations

import time

import pytest

from consumer.breaker import Breaker, Limits
from consumer.records import Record
from tests.consumer.conftest import Bench


def record(offset: int, partition: int = 0) -> Record:
    return Record("requests", partition, offset, None, None, b"")


def condemned(breaker: Breaker, *offsets: int, partition: int = 0) -> int:
    """How many of these are dead-lettered, before one is held back."""
    return sum(breaker.condemns(record(offset, partition)) for offset in offsets)


def test_it_opens_after_twenty_one_in_a_row_and_for_that_partition_alone() -> None:
    breaker = Breaker()
    assert condemned(breaker, *range(20)) == 20
    assert breaker.open() == set()
    assert condemned(breaker, *range(20, 60)) == 1
    assert breaker.open() == {("requests", 0)}
    assert not breaker.takes(record(60))
    assert breaker.takes(record(60, partition=1))
    assert condemned(breaker, 0, partition=1) == 1


def test_good_ones_between_do_not_add_up_whenever_they_are_finished() -> None:
    """Bad ones are judged when they are read, good ones when their check is done."""
    breaker = Breaker()
    for offset in range(0, 200, 2):
        assert condemned(breaker, offset) == 1
        breaker.in_hand(record(offset + 1))
    for offset in range(1, 200, 2):
        breaker.good(record(offset))
    assert breaker.open() == set()


def test_a_greater_share_opens_it_too() -> None:
    breaker = Breaker()
    for offset in range(150):
        if offset % 3 == 0:
            breaker.in_hand(record(offset))
        elif not condemned(breaker, offset):
            break
    assert breaker.open() == {("requests", 0)}


def test_messages_whose_letters_are_tried_again_count_once() -> None:
    breaker = Breaker()
    assert condemned(breaker, *[7] * 100) == 100
    assert breaker.open() == set()


def test_one_at_a_time_is_tried_and_a_good_one_closes_it() -> None:
    breaker = Breaker(Limits(in_a_row=2, probe_s=0.05))
    assert condemned(breaker, *range(9)) == 3
    assert breaker.good(record(100)) is False, "it was in hand when the breaker opened"
    time.sleep(0.06)
    assert [breaker.takes(record(offset)) for offset in (3, 4)] == [True, False]
    assert condemned(breaker, 3, 4) == 1
    time.sleep(0.06)
    assert breaker.takes(record(4))
    assert breaker.good(record(4))
    assert breaker.open() == set()
    assert breaker.takes(record(5))


@pytest.mark.parametrize("value", [b"{", b'{"table": "nope.nope"}'])
def test_a_worker_holds_a_bad_partition_back_and_drops_nothing(bench: Bench, value: bytes) -> None:
    """Whether it is seen when messages are read, or when they are claimed."""
    bench.api.refuse = lambda path, body: (422, {"code": "refused", "detail": "no"}, {})
    deliveries = [bench.deliver(value) for _ in range(50)]
    bench.work(*deliveries)
    assert len(bench.letters) == 21
    assert bench.position == 21
    assert not bench.inbox.half_full, "what is held back counts against the others"
    bench.breaker.forget([("requests", 0)])
    bench.inbox.release(("requests", 0))
    bench.drain()
    bench.breaker.forget([("requests", 0)])
    bench.inbox.release(("requests", 0))
    bench.drain()
    assert sorted(record.offset for record, _ in bench.letters) == list(range(50))
    assert bench.position == 50
