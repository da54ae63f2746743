"""What was polled and waits."""

import threading

from consumer.inbox import Inbox
from consumer.lanes import Lanes
from consumer.offsets import Ticket
from consumer.records import Delivery, Record


def delivery(offset: int, partition: int = 0, value: bytes = b"x") -> Delivery:
    record = Record("t", partition, offset, None, None, value)
    return Delivery(record, Ticket("t", partition, offset))


def offsets(taken: list[Delivery]) -> list[int]:
    return [one.record.offset for one in taken]


def test_gives_out_in_the_order_of_arrival() -> None:
    inbox = Inbox(10, 10_000, Lanes())
    for offset in range(5):
        inbox.put(delivery(offset))
    assert offsets(inbox.take(3)) == [0, 1, 2]
    assert offsets(inbox.take(3)) == [3, 4]


def test_what_was_put_off_comes_back_before_what_is_new() -> None:
    inbox = Inbox(10, 10_000, Lanes())
    inbox.put_off(delivery(7), 0.0)
    inbox.put(delivery(8))
    assert offsets(inbox.take(10)) == [7, 8]


def test_what_is_put_off_for_long_does_not_hold_up_the_rest() -> None:
    inbox = Inbox(10, 10_000, Lanes())
    inbox.put_off(delivery(7), 3600)
    inbox.put(delivery(8))
    assert offsets(inbox.take(10)) == [8]


def test_what_is_put_off_together_comes_back_in_order() -> None:
    inbox = Inbox(10, 10_000, Lanes())
    for offset in (1, 2, 3):
        inbox.put_off(delivery(offset), 0.0)
    assert offsets(inbox.take(10)) == [1, 2, 3]


def test_is_full_by_number_or_by_size_and_half_full_below() -> None:
    inbox = Inbox(4, 1_000_000, Lanes())
    for offset in range(3):
        inbox.put(delivery(offset))
    assert not inbox.full
    assert inbox.half_full
    inbox.put(delivery(3))
    assert inbox.full
    inbox.take(3)
    assert not inbox.half_full
    inbox.put(delivery(4, value=b"x" * 1_000_000))
    assert inbox.full


def test_a_revoked_partition_is_dropped_with_its_size() -> None:
    inbox = Inbox(100, 5_000, Lanes())
    inbox.put(delivery(1, partition=0, value=b"x" * 5_000))
    inbox.put_off(delivery(2, partition=0), 0.0)
    inbox.put(delivery(3, partition=1))
    inbox.drop([("t", 0)])
    assert not inbox.full
    assert offsets(inbox.take(10)) == [3]


def test_closing_wakes_the_worker_and_gives_nothing_out() -> None:
    inbox = Inbox(10, 10_000, Lanes())
    taken: list[list[Delivery]] = []
    waiting = threading.Thread(target=lambda: taken.append(inbox.take(1)))
    waiting.start()
    inbox.close()
    waiting.join(10)
    inbox.put(delivery(1))
    assert taken == [[]]
    assert inbox.take(1) == []
