"""A soak: requests at a steady rate for hours, and every half minute something is killed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
MAY_END = (*AWAY, "engine", "poison", "cancelled")


def soak(stage: Stage, size: Size) -> Tally:
    """`kill -9` of worker, API, dbt, broker, and both PostgreSQL, in random order, for as long as
    the size says; memory and open files of what lives on do not grow."""
    seconds = 60 * size.soak_minutes
    wanted = stage.requests("soak", int(RATE * seconds))
    harms: dict[str, Callable[[], None]] = {
        "worker": lambda: _again(random.choice(stage.workers)),
        "api": lambda: _again(random.choice(stage.apis)),
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

    most_mb, most_files = 0.0, 0
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        while not sending.done():
            over.wait(min(KILL_EVERY_S, max(2.0, seconds / 6)))
            name = random.choice(list(harms))
            harms[name]()
            done[name] += 1
            over.wait(SETTLE_S)
            most_mb = max(most_mb, *(worker.rss_mb for worker in stage.workers))
            most_files = max(most_files, *(worker.open_files for worker in stage.workers))
        sending.result()
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    tally = counted(stage, "soak", wanted, 0, began, *MAY_END)
    tally.notes |= {**done, "most MB": round(most_mb), "most files": most_files}
    return tally


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
