"""Group commit: what comes while the database is busy with the like is done together, next.

One statement and one commit then serve many callers. Nobody waits for company: who comes alone is
served at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Does items together, in the threads of those who ask, one group at a time.

    Who asks while a group is being done waits for its end. The first of them then does all that
    wait, so that nobody does more than one group for others.
    """

    def __init__(
        self,
        together: Callable[[list[Item]], list[Result | None]],
        alone: Callable[[Item], Result],
        *,
        most: int,
        wait_s: float,
    ) -> None:
        """`together` answers in the order of its items, at most so many, with None for what it left
        undone: what is no plain case, or would have kept the others waiting. That is done `alone`,
        beside the groups, as are all of a group that the database refused for one's fault.

        `wait_s`: for how long to wait for a group that goes before, as for a connection.
        """
        self._together = together
        self._alone = alone
        self._most = most
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._waiting: deque[_Place[Item, Result]] = deque()
        self._is_busy = False

    def do(self, item: Item) -> Result:
        """What the item came to; raises what `alone` raises, what kept its group from being done
        for sure, and PoolTimeout where groups take too long."""
        place = _Place[Item, Result](item)
        with self._lock:
            is_first, self._is_busy = not self._is_busy, True
            if not is_first:
                self._waiting.append(place)
        if not is_first:
            self._wait(place)
        if not place.is_served:
            self._lead(place)
        if place.error is not None:
            raise place.error
        return self._alone(item) if place.result is None else place.result

    def _wait(self, place: _Place[Item, Result]) -> None:
        """Until it is served, or called to lead."""
        if place.called.acquire(timeout=self._wait_s):
            return
        with self._lock:
            is_in_hand = place not in self._waiting
            if not is_in_hand:
                self._waiting.remove(place)
        if not is_in_hand:
            raise PoolTimeout(f"others were not done within {self._wait_s:g} s")
        place.called.acquire()  # whoever has it says what came of it

    def _lead(self, place: _Place[Item, Result]) -> None:
        """Do a group: this one and those that wait."""
        with self._lock:
            count = min(len(self._waiting), self._most - 1)
            group = [place, *(self._waiting.popleft() for _ in range(count))]
        try:
            results = self._together([one.item for one in group])
            for one, result in zip(group, results, strict=True):
                one.result = result
        except (DataError, IntegrityError):
            pass  # it is one's fault, and nothing was done
        except BaseException as error:  # nothing was done, or nobody knows
            for one in group:
                one.error = error
        finally:
            self._hand_on()
            for one in group:
                one.is_served = True
                one.called.release()

    def _hand_on(self) -> None:
        """Call the next one to lead, if somebody waits."""
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            self._is_busy = following is not None
        if following is not None:
            following.called.release()


class _Place(Generic[Item, Result]):
    """Somebody who asked; called when served, or to lead."""

    __slots__ = ("called", "error", "is_served", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.is_served = False
        self.called = threading.Lock()
        self.called.acquire()
