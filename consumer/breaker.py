"""The dead-letter breaker: a partition in which nearly everything is bad is held back.

Single bad messages are dead letters and the rest goes on. Many at once mean that the producer, or
this worker, is at fault as a whole: the partition is paused instead of being emptied into the
dead-letter topic, and one message is tried every so often. Nothing is dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from consumer.records import Partition, Record


@dataclass(frozen=True, slots=True)
class Limits:
    """When a breaker opens: after more bad messages in a row than `in_a_row`, or when more than
    `share` of the last `window` are bad. It lets one message through every `probe_s`."""

    in_a_row: int = 20
    share: float = 0.5
    window: int = 100
    probe_s: float = 60.0


class _Seen(Enum):
    BAD = auto()
    GOOD = auto()
    IN_HAND = auto()
    """Readable, and not judged yet: it ends a row of bad ones, as most likely it is good."""


@dataclass(slots=True)
class _State:
    seen: dict[int, _Seen] = field(default_factory=dict)
    """The last messages by offset, in the order of the log."""
    is_open: bool = False
    probe_at: float = 0.0
    probe: int | None = None
    """Offset of the message that is tried."""


class Breaker:
    """The state of all partitions. Safe to share between threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._states: dict[Partition, _State] = {}
        self._lock = threading.Lock()

    def takes(self, record: Record) -> bool:
        """Whether the message may be taken up now: where its partition is held back, only one is,
        every so often."""
        with self._lock:
            state = self._states.get(_partition(record))
            if state is None or not state.is_open:
                return True
            if record.offset == state.probe or state.seen.get(record.offset) is _Seen.BAD:
                return True
            if time.monotonic() < state.probe_at:
                return False
            state.probe_at = time.monotonic() + self._limits.probe_s
            state.probe = record.offset
            return True

    def wait_s(self, record: Record) -> float:
        """Seconds until the next message of its partition may be tried."""
        with self._lock:
            state = self._states.get(_partition(record))
            return max(0.0, state.probe_at - time.monotonic()) if state is not None else 0.0

    def in_hand(self, record: Record) -> None:
        """The message could be read; what it asks for is not yet done."""
        with self._lock:
            self._see(record, _Seen.IN_HAND)

    def condemns(self, record: Record) -> bool:
        """Count a bad message; False where it is to be held back instead of dead-lettered."""
        with self._lock:
            state = self._states.get(_partition(record))
            if state is not None and state.seen.get(record.offset) is _Seen.BAD:
                return True  # counted before; its dead letter was not taken
            if state is not None and state.is_open and record.offset != state.probe:
                return False
            state = self._see(record, _Seen.BAD)
            if not state.is_open and self._is_too_much(state, record.offset):
                state.is_open = True
                state.probe_at = time.monotonic() + self._limits.probe_s
            return True

    def good(self, record: Record) -> bool:
        """Count a good message; whether that ends the holding back of its partition."""
        with self._lock:
            state = self._see(record, _Seen.GOOD)
            # Those in hand when it opened say nothing about what comes after them.
            if not state.is_open or record.offset != state.probe:
                return False
            del self._states[_partition(record)]
            return True

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These partitions are someone else's now, or were assigned afresh."""
        with self._lock:
            for partition in partitions:
                self._states.pop(partition, None)

    def open(self) -> set[Partition]:
        """The partitions that are held back."""
        with self._lock:
            return {partition for partition, state in self._states.items() if state.is_open}

    def _see(self, record: Record, what: _Seen) -> _State:
        state = self._states.setdefault(_partition(record), _State())
        state.seen[record.offset] = what
        if len(state.seen) > self._limits.window:
            del state.seen[next(iter(state.seen))]
        return state

    def _is_too_much(self, state: _State, offset: int) -> bool:
        row = bad = 0
        longest_with_it, has_it = 0, False
        for number, what in state.seen.items():
            if what is _Seen.BAD:
                bad, row, has_it = bad + 1, row + 1, has_it or number == offset
            else:
                row, has_it = 0, False
            if has_it:
                longest_with_it = row
        limits = self._limits
        return longest_with_it > limits.in_a_row or (
            len(state.seen) == limits.window and bad > limits.share * limits.window
        )


def _partition(record: Record) -> Partition:
    return record.topic, record.partition
