"""Workers that die, hang, come and go."""

from __future__ import annotations

import os
import signal
import threading
import time

from tests.faults.counting import Tally
from tests.faults.load import Size, counted, kill_worker, load, wait_committed
from tests.faults.machine import Machine
from tests.faults.process import eventually
from tests.faults.proxy import Fault
from tests.faults.stage import NUMBERS, Stage

UNLUCKY = ("poison",)
"""A check that was in hand each time that a worker was killed is taken for the reason of it."""


def killed_workers(stage: Stage, size: Size) -> Tally:
    """`kill -9` of workers under load, with duplicates by Kafka and HTTP."""
    return load(stage, "killed workers", size, size.kills, kill_worker, may_end=UNLUCKY)


def killed_workers_and_store(stage: Stage, size: Size) -> Tally:
    """`kill -9` of workers and immediate restarts of the service's PostgreSQL under load."""

    def harm(stage: Stage, number: int) -> None:
        if number % 2:
            stage.restart_store()
        else:
            kill_worker(stage, number)

    return load(stage, "killed workers and store", size, 2 * size.crashes, harm, may_end=UNLUCKY)


def stopped_workers(stage: Stage, size: Size) -> Tally:
    """SIGTERM of workers under load: code 0 in time, and no check is run twice."""
    slowest = 0.0

    def harm(stage: Stage, number: int) -> None:
        nonlocal slowest
        worker = stage.workers[number % len(stage.workers)]
        worker.wait_ready()  # before that, a signal ends it as it ends any process
        code, seconds = worker.stop()
        slowest = max(slowest, seconds)
        worker.start()
        assert code == 0, f"the worker ended with {code}"
        assert seconds <= 25, f"the worker took {seconds:.1f} s to end"

    tally = load(stage, "stopped workers", size, size.kills, harm)
    assert tally.notes["attempts"] == "<= 1", "a check was begun twice"
    tally.notes["slowest end"] = f"{slowest:.1f} s"
    return tally


def killed_dbt(stage: Stage, size: Size) -> Tally:
    """`kill -9` of the dbt process while it compiles rules that have just changed."""
    killed = 0
    over = threading.Event()

    def hunt() -> None:
        nonlocal killed
        while not over.is_set() and killed < size.kills:
            killed += sum(worker.kill_children() for worker in stage.workers)
            over.wait(0.5)

    stage.configure("id")
    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        # A job is given to the next process once: what that one dies of too is an error.
        tally = load(stage, "killed dbt", size, 0, lambda stage, number: None, may_end=("engine",))
    finally:
        over.set()
        hunter.join()
        stage.configure("x")
    tally.notes["kills"] = killed
    return tally


def killed_before_the_commit(stage: Stage, size: Size) -> Tally:
    """`kill -9` exactly between a result being stored and its offset being committed: the second
    worker finds it done, and no check is run twice."""
    return _killed_at_the_post(stage, size, "killed before the commit", after=True)


def killed_before_the_post(stage: Stage, size: Size) -> Tally:
    """`kill -9` exactly between the end of a check and its result being stored: the check is run
    once more."""
    return _killed_at_the_post(stage, size, "killed before the post", after=False)


def _killed_at_the_post(stage: Stage, size: Size, name: str, *, after: bool) -> Tally:
    wanted = stage.requests(name.replace(" ", "-"), max(2, size.kills))
    armed, lock = threading.Event(), threading.Lock()

    def strike(path: str) -> Fault | None:
        with lock:
            if not path.endswith("/outcomes") or not armed.is_set():
                return None
            stage.workers[0].kill()
            armed.clear()
            return Fault.DROP

    for worker in stage.workers[1:]:
        worker.stop()
    if after:
        stage.proxy.after = strike
    else:
        stage.proxy.before = strike
    began = time.monotonic()
    killed = 0
    for check_id, document in wanted.items():
        armed.set()
        stage.send(document)
        eventually(lambda: not armed.is_set(), "a result to be posted")
        killed += 1
        stage.workers[0].start()
        stage.wait_stored([check_id])
    stage.proxy.heal()
    wait_committed(stage)
    for worker in stage.workers[1:]:
        worker.start()
        worker.wait_ready()
    tally = counted(stage, name, wanted, 0, began)
    allowed = "<= 1" if after else "<= 2"
    assert tally.notes["attempts"] == allowed, tally.notes
    tally.notes["kills"] = killed
    return tally


def a_frozen_worker(stage: Stage, size: Size) -> Tally:
    """A worker stands still for longer than its leases: another takes over, and what the first says
    when it goes on is not stored a second time."""
    worker = stage.workers[0]
    with stage.view("leisurely", f"{NUMBERS}, pg_sleep(0.5)") as table:
        wanted = stage.requests("frozen-worker", 6, table)
        began = time.monotonic()
        stage.send(*wanted.values())
        eventually(lambda: stage.active("leisurely"), "a check to run")
        with worker.frozen(), stage.more_workers(1, ready=False):
            stage.wait_stored(list(wanted))
            before = worker.said("check_finished")
        worker.wait_ready()
        wait_committed(stage)
        tally = counted(stage, "a frozen worker", wanted, 0, began)
    late = worker.said("outcome_not_taken") + worker.said("lease_lost")
    tally.notes["found that it was late"] = late
    assert worker.said("check_finished") >= before
    return tally


def a_worker_that_hangs(stage: Stage, size: Size) -> Tally:
    """The polling loop never comes back: stacks in the log, an end with code 75, and a new process
    takes over."""
    limit_s = 60 if size.is_full else 4
    worker = stage.workers[0]
    worker.stop()
    worker.start(Machine(stage.folder / "levers"), STRINGX_WATCHDOG_S=str(limit_s))
    worker.wait_ready()
    said = worker.said("polling_loop_hangs")

    def harm(stage: Stage, number: int) -> None:
        assert worker.process is not None
        os.kill(worker.pid, signal.SIGUSR1)
        code = worker.process.wait(5 * limit_s + 60)
        worker.start()
        assert code == 75, f"the worker ended with {code}"

    tally = load(stage, "a worker that hangs", size, 1, harm)
    assert worker.said("polling_loop_hangs") == said + 2
    return tally


def killed_while_a_query_runs(stage: Stage, size: Size) -> Tally:
    """`kill -9` of a worker whose query runs on the target for a minute: the target ends it soon,
    and the check is made by the next."""
    worker = stage.workers[0]
    with stage.view("sleepy", f"{NUMBERS}, pg_sleep(60)") as table:
        wanted = stage.requests("sleepy", 1, table)
        began = time.monotonic()
        stage.send(*wanted.values())
        eventually(lambda: stage.active("sleepy"), "the query to run")
        worker.kill()
        killed = time.monotonic()
        eventually(lambda: not stage.active("sleepy"), "the target to end the query", 30)
        ended_s = time.monotonic() - killed
        stage.in_target(f"create or replace view {table} as {NUMBERS}")
        worker.start()
        stage.wait_stored(list(wanted))
        tally = counted(stage, "killed while a query runs", wanted, 0, began)
    tally.notes["query gone after"] = f"{ended_s:.1f} s"
    return tally
