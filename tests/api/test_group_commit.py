"""What comes at the same time is done together, and each gets its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.store.group_commit import GroupCommit
from tests.api.test_recovery import eventually as until

OTHERS = [1, 2, 3, 4, 5]


class Doubling:
    """Doubles numbers in groups, the first of which stands still until it is let go."""

    def __init__(self, fault: Exception | None = None, undone: tuple[int, ...] = ()) -> None:
        self.groups: list[list[int]] = []
        self.alone: list[int] = []
        self._fault = fault
        self._undone = undone
        self.go_on = threading.Event()

    def do_all(self, items: list[int]) -> list[int | None]:
        self.groups.append(items)
        if len(self.groups) == 1:
            assert self.go_on.wait(30)
        elif self._fault is not None:
            raise self._fault
        return [None if item in self._undone else 2 * item for item in items]

    def do_alone(self, item: int) -> int:
        self.alone.append(item)
        if item < 0:
            raise ValueError(item)
        return 2 * item


def group_commit_of(
    doubling: Doubling, most: int = 100, wait_s: float = 60.0
) -> GroupCommit[int, int]:
    return GroupCommit(doubling.do_all, doubling.do_alone, most=most, wait_s=wait_s)


def asked_meanwhile(
    doubling: Doubling, items: list[int], most: int = 100
) -> tuple[Future[int], list[Future[int]]]:
    """What is asked first, and what while that is being done, in this order."""
    group_commit = group_commit_of(doubling, most)
    pool = ThreadPoolExecutor(1 + len(items))
    first = pool.submit(group_commit.do, 0)
    until(lambda: doubling.groups == [[0]])
    others = []
    for count, item in enumerate(items, 1):
        others.append(pool.submit(group_commit.do, item))
        until(lambda count=count: len(group_commit._waiting) == count)  # type: ignore[misc]
    doubling.go_on.set()
    pool.shutdown()
    return first, others


def test_those_who_ask_meanwhile_are_served_together() -> None:
    doubling = Doubling()
    first, others = asked_meanwhile(doubling, OTHERS)
    assert first.result() == 0
    assert [one.result() for one in others] == [2, 4, 6, 8, 10]
    assert (doubling.groups, doubling.alone) == ([[0], OTHERS], [])


def test_nobody_waits_for_company() -> None:
    doubling = Doubling()
    doubling.go_on.set()
    group_commit = group_commit_of(doubling)
    assert [group_commit.do(item) for item in OTHERS] == [2, 4, 6, 8, 10]
    assert doubling.groups == [[item] for item in OTHERS]


def test_a_group_has_its_limit_and_the_next_one_takes_the_rest() -> None:
    doubling = Doubling()
    _, others = asked_meanwhile(doubling, OTHERS, most=2)
    assert [one.result() for one in others] == [2, 4, 6, 8, 10]
    assert doubling.groups == [[0], [1, 2], [3, 4], [5]]


def test_what_a_group_leaves_undone_is_done_alone() -> None:
    doubling = Doubling(undone=(0, 3, -4))
    first, others = asked_meanwhile(doubling, [1, 3, -4, 5])
    assert first.result() == 0
    assert [one.result() for one in (others[0], others[1], others[3])] == [2, 6, 10]
    with pytest.raises(ValueError, match="-4"):
        others[2].result()
    assert sorted(doubling.alone) == [-4, 0, 3]


def _database_error(kind: Callable[..., Exception]) -> Exception:
    return kind("select", None, Exception("said so"))


def test_a_group_that_was_refused_for_one_is_done_by_its_members_alone() -> None:
    doubling = Doubling(_database_error(DataError))
    _, others = asked_meanwhile(doubling, [*OTHERS, -1])
    assert [one.result() for one in others[:-1]] == [2, 4, 6, 8, 10]
    with pytest.raises(ValueError, match="-1"):
        others[-1].result()


def test_where_nobody_knows_what_was_done_all_hear_of_it_and_nothing_is_done_twice() -> None:
    doubling = Doubling(_database_error(OperationalError))
    first, others = asked_meanwhile(doubling, OTHERS)
    assert first.result() == 0
    for one in others:
        with pytest.raises(OperationalError, match="said so"):
            one.result()
    assert doubling.alone == []


def test_nobody_waits_for_ever_and_who_gave_up_is_done_by_nobody() -> None:
    doubling = Doubling()
    group_commit = group_commit_of(doubling, wait_s=0.2)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(group_commit.do, 0)
        until(lambda: doubling.groups == [[0]])
        with pytest.raises(PoolTimeout, match=r"within 0\.2 s"):
            group_commit.do(1)
        doubling.go_on.set()
        assert first.result() == 0
    assert group_commit.do(2) == 4
    assert (doubling.groups, doubling.alone) == ([[0], [2]], [])


def test_who_is_in_hand_waits_for_what_comes_of_it() -> None:
    doubling = Doubling()
    group_commit = group_commit_of(doubling, wait_s=0.2)
    second = threading.Event()

    def together(items: list[int]) -> list[int | None]:
        if items == [0]:
            return doubling.do_all(items)
        assert second.wait(30)
        return [2 * item for item in items]

    group_commit._together = together
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(group_commit.do, 0)
        until(lambda: doubling.groups == [[0]])
        others = [pool.submit(group_commit.do, item) for item in (1, 2)]
        until(lambda: len(group_commit._waiting) == 2)
        doubling.go_on.set()
        assert first.result() == 0
        time.sleep(0.5)  # longer than anybody waits to be taken in hand
        second.set()
        assert [one.result() for one in others] == [2, 4]
