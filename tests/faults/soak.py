"""A soak: requests at a steady rate for hours, and every half minute something is killed.

What is killed again and again cannot leak for long, so one worker and the API that workers talk to
are spared after a quarter of the time: their memory and open files are what a running service
shows.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from statistics import linear_regression, median

from tests.faults.counting import Tally
from tests.faults.load import Size, counted, wait_committed
from tests.faults.of_targets import AWAY
from tests.faults.process import Process
from tests.faults.stage import Stage

RATE = 10
"""Requests a second."""
KILL_EVERY_S = 30.0
SETTLE_S = 10.0
"""After a start, memory grows for reasons that are no leak."""
SPARED_AFTER = 0.25
"""From this part of the time on, two processes live."""
LEAK_MB_AN_HOUR = 5.0
A_TREND_S = 2400.0
"""In less time than this, the noise of an allocator is more than a leak: printed, not judged."""
MORE_FILES = 20
"""Connections come and go; a leak of one at each harm would be more than this in an hour."""
MAY_END = (*AWAY, "engine", "poison", "cancelled")


def soak(stage: Stage, size: Size) -> Tally:
    """`kill -9` of worker, API, dbt, broker, and both PostgreSQL, in random order, for as long as
    the size says; memory and open files of what lives on do not grow."""
    seconds = 60 * size.soak_minutes
    wanted = stage.requests("soak", int(RATE * seconds))
    spared = {"worker": Memory(stage.workers[-1]), "api": Memory(stage.api)}
    mortal = {"worker": list(stage.workers), "api": list(stage.apis)}
    harms: dict[str, Callable[[], None]] = {
        "worker": lambda: _one_of(mortal["worker"]),
        "api": lambda: _one_of(mortal["api"]),
        "dbt": lambda: _kill_dbt(stage),
        "store": stage.restart_store,
        "target": stage.restart_target,
    }
    if stage.kafka == "apache":
        harms["broker"] = lambda: _restart_broker(stage)
    done: Counter[str] = Counter()
    over = threading.Event()
    began = time.monotonic()

    def send() -> None:
        for number, document in enumerate(wanted.values()):
            over.wait(max(0.0, began + number / RATE - time.monotonic()))
            if stage.kafka == "apache" and number % 4:
                stage.send(document)
            else:
                stage.trigger(document)

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        while not sending.done():
            over.wait(min(KILL_EVERY_S, max(2.0, seconds / 6)))
            passed = (time.monotonic() - began) / seconds
            if passed > SPARED_AFTER:
                for name, memory in spared.items():
                    mortal[name] = [one for one in mortal[name] if one is not memory.process]
            name = random.choice([name for name in harms if mortal.get(name) != []])
            harms[name]()
            done[name] += 1
            over.wait(SETTLE_S)
            stage.bring_back()
            if passed > SPARED_AFTER + 0.1 * (1 - SPARED_AFTER):
                for memory in spared.values():
                    memory.look()
        sending.result()
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    for process in (*stage.workers, *stage.apis):  # one that stands still is missed by nobody else
        process.wait_ready()
    tally = counted(stage, "soak", wanted, 0, began, *MAY_END)
    tally.notes |= done
    for name, memory in spared.items():
        tally.notes[f"{name} spared"] = str(memory)
        memory.judge()
    return tally


class Memory:
    """Memory and open files of a process that lives on, seen again and again."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._pid: int | None = None
        self._seen: list[tuple[float, float, int]] = []

    def look(self) -> None:
        with suppress(OSError, IndexError):  # a process below it may just begin, or have ended
            seen = time.monotonic(), self.process.rss_mb, self.process.open_files
            if self.process.working_pid != self._pid:  # it gave up by itself: another life begins
                self._pid, self._seen = self.process.working_pid, []
            self._seen.append(seen)

    @property
    def seconds(self) -> float:
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0

    @property
    def mb_an_hour(self) -> float:
        """Slope of the straight line through what was seen (least squares)."""
        if len(self._seen) < 3:
            return 0.0
        moments, megabytes, _ = zip(*self._seen, strict=True)
        return 3600 * linear_regression(moments, megabytes).slope

    @property
    def more_files(self) -> int:
        """Median of the last third less that of the first."""
        files = [seen[2] for seen in self._seen]
        third = len(files) // 3
        return round(median(files[-third:]) - median(files[:third])) if third else 0

    def judge(self) -> None:
        if self.seconds < A_TREND_S:
            return
        assert self.mb_an_hour <= LEAK_MB_AN_HOUR, f"memory grows: {self}"
        assert self.more_files <= MORE_FILES, f"files stay open: {self}"

    def __str__(self) -> str:
        if not self._seen:
            return "not long enough"
        _, megabytes, files = self._seen[-1]
        return (
            f"{megabytes:.0f} MB {self.mb_an_hour:+.1f} MB/h over {self.seconds / 60:.0f} min "
            f"{files} files {self.more_files:+d}"
        )


def _one_of(processes: list[Process]) -> None:
    _again(random.choice(processes))


def _again(process: Process) -> None:
    process.kill()
    process.start()
    process.wait_ready()


def _kill_dbt(stage: Stage) -> None:
    for worker in stage.workers:
        worker.kill_children()


def _restart_broker(stage: Stage) -> None:
    stage.broker.kill()
    stage.broker.start()
