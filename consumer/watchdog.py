"""Ends a process whose polling loop hangs: the group gives its partitions to another."""

from __future__ import annotations

import os
import sys
import threading
import traceback

from consumer.health import Health
from quality.logs import get_logger

EXIT_WEDGED = 75  # sysexits.h, EX_TEMPFAIL: start it again

log = get_logger(__name__)


def watch(health: Health, limit_s: float, stop: threading.Event) -> threading.Thread:
    """Start the thread: stacks into the log at half the limit, the end of the process at it."""
    thread = threading.Thread(target=_run, args=(health, limit_s, stop), name="watchdog")
    thread.daemon = True
    thread.start()
    return thread


def _run(health: Health, limit_s: float, stop: threading.Event) -> None:
    told = False
    while not stop.wait(min(1.0, limit_s / 4)):
        age = health.tick_age_s
        if age >= limit_s:
            log.error("polling_loop_hangs", seconds=round(age), exit=EXIT_WEDGED)
            os._exit(EXIT_WEDGED)
        if age < limit_s / 2:
            told = False
        elif not told:
            told = True
            log.error("polling_loop_hangs", seconds=round(age), stacks=_stacks())


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(number, number)}:\n{''.join(traceback.format_stack(frame))}"
        for number, frame in sys._current_frames().items()
    )
