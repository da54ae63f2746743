"""Work that is long, much, or moves from one worker to another."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import quantiles
from typing import Any

from tests.faults import counting
from tests.faults.counting import Tally
from tests.faults.load import Size, Watch, counted, start_anew, wait_committed
from tests.faults.process import eventually
from tests.faults.stage import NUMBERS, TABLES, Stage

EACH_SECOND = 20
OTHER_TABLES = 39


def a_long_check(stage: Stage, size: Size) -> Tally:
    """A check takes longer than the group waits for a worker that does not poll: it stays a member,
    begins nothing twice, and other tables do not wait."""
    interval_s, takes_s = 7, 90 if size.is_full else 12
    worker = stage.workers[0]
    for one in stage.workers:
        one.stop()
    worker.start(
        STRINGX_KAFKA_MAX_POLL_INTERVAL_S=str(interval_s),
        STRINGX_CHECK_TIME_LIMIT_S="600",
        STRINGX_STATEMENT_TIMEOUT_S="600",
    )
    worker.wait_ready()
    with stage.view("lengthy", f"{NUMBERS}, pg_sleep({takes_s})") as table:
        lost = worker.said("partitions_lost") + worker.said("partitions_revoked")
        long, quick = stage.requests("long", 1, table), stage.requests("quick", size.requests)
        began = time.monotonic()
        stage.send(*long.values())
        eventually(lambda: stage.active("lengthy"), "the long check to run")
        stage.send(*quick.values())
        stage.wait_stored(list(quick))
        assert stage.stored(list(long)) == 0, "others waited for it"
        stage.wait_stored(list(long))
        wait_committed(stage)
        tally = counted(stage, "a long check", {**long, **quick}, 0, began)
    assert tally.notes["attempts"] == "<= 1", "a check was begun twice"
    assert worker.said("partitions_lost") + worker.said("partitions_revoked") == lost
    start_anew(stage)
    return tally


def joining_and_leaving(stage: Stage, size: Size) -> Tally:
    """Workers join and leave one after the other under load."""
    times = 8 if size.is_full else 1
    wanted = stage.requests("joining", 2 * size.requests)
    documents = list(wanted.values())
    step = len(documents) // (2 * times) + 1
    parts = [documents[start : start + step] for start in range(0, len(documents), step)]
    assigned = sum(worker.said("partitions_assigned") for worker in stage.workers)
    began = time.monotonic()
    for number in range(times):
        stage.send(*parts[2 * number])
        with stage.more_workers(1) as [worker]:
            stage.send(*parts[2 * number + 1])
            code, _ = worker.stop()
            assert code == 0, f"the worker ended with {code}"
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    tally = counted(stage, "joining and leaving", wanted, 0, began)
    tally.notes |= {
        "assignments": sum(one.said("partitions_assigned") for one in stage.workers) - assigned,
        "overtaken": counting.overtaken(stage.store_url, list(wanted)),
    }
    return tally


def a_rolling_restart(stage: Stage, size: Size) -> Tally:
    """Three workers are restarted one after the other while requests keep coming."""
    wanted = stage.requests("rolling", size.requests)
    over = threading.Event()
    began = time.monotonic()

    def send() -> None:
        for document in wanted.values():
            stage.send(document)
            over.wait(0.02)

    with stage.more_workers(3 - len(stage.workers)) as extra, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        for worker in (*stage.workers, *extra):
            code, _ = worker.stop()
            assert code == 0, f"the worker ended with {code}"
            worker.start()
            worker.wait_ready()
        sending.result()
        stage.wait_stored(list(wanted))
    wait_committed(stage)
    tally = counted(stage, "a rolling restart", wanted, 0, began)
    tally.notes["longest wait for a verdict"] = (
        f"{counting.longest_wait_s(stage.store_url, list(wanted)):.1f} s"
    )
    return tally


def a_slow_table(stage: Stage, size: Size) -> Tally:
    """One table takes a hundred times as long as the others, whose verdicts come while it is far
    behind: they do not wait for it."""
    count = size.requests // 2
    others = [f"load.t{number}" for number in range(TABLES)]
    sent: dict[str, float] = {}
    began = time.monotonic()
    with ExitStack() as stack:
        slow = stack.enter_context(stage.view("slow", f"{NUMBERS}, pg_sleep(1)"))
        for number in range(TABLES, OTHER_TABLES if size.is_full else TABLES):
            others.append(stack.enter_context(stage.view(f"other{number}", NUMBERS)))
        slow_ones = stage.requests("slow", int(count * 2 / EACH_SECOND) + 5, slow)
        first = _steadily(stage, "first", others, len(others), sent)  # rules compiled, and known
        alone = _steadily(stage, "alone", others, count, sent)
        stage.send(*slow_ones.values())
        eventually(lambda: stage.active("slow"), "the slow table to be checked")
        beside = _steadily(stage, "beside", others, count, sent)
        left = len(slow_ones) - stage.stored(list(slow_ones))
        assert left, "others waited for it"
        stage.wait_stored(list(slow_ones))
        wait_committed(stage)
        wanted = {**first, **alone, **beside, **slow_ones}
        tally = counted(stage, "a slow table", wanted, 0, began)
    alone_s, beside_s = (
        quantiles(counting.delays_s(stage.store_url, {one: sent[one] for one in ids}), n=20)[-1]
        for ids in (alone, beside)
    )
    tally.notes |= {
        "others' p95 alone": f"{1000 * alone_s:.0f} ms",
        "beside": f"{1000 * beside_s:.0f} ms",
        "ratio": f"{beside_s / alone_s:.2f}",
        "slow ones left then": left,
    }
    return tally


def _steadily(
    stage: Stage, name: str, tables: list[str], count: int, sent: dict[str, float]
) -> dict[str, dict[str, Any]]:
    """Requests to these tables in turn, `EACH_SECOND`, until they are stored; notes in `sent` when
    each went out."""
    wanted: dict[str, dict[str, Any]] = {}
    for number in range(count):
        wanted |= stage.requests(name, 1, tables[number % len(tables)])
    began = time.monotonic()
    for number, (check_id, document) in enumerate(wanted.items()):
        time.sleep(max(0.0, began + number / EACH_SECOND - time.monotonic()))
        sent[check_id] = time.time()
        stage.send(document)
    stage.wait_stored(list(wanted))
    return wanted


def a_burst(stage: Stage, size: Size) -> Tally:
    """Far more requests at once than a worker keeps in memory."""
    worker, count = stage.workers[0], 5 * size.requests
    for other in stage.workers[1:]:
        other.stop()
    worker.stop()
    worker.start(**({} if size.is_full else {"STRINGX_BATCH_SIZE": "5"}))  # it keeps 20 batches
    worker.wait_ready()
    first = stage.requests("before", TABLES)
    stage.send(*first.values())
    stage.wait_stored(list(first))
    before_mb = worker.rss_mb
    wanted = stage.requests("burst", count)
    began = time.monotonic()
    with Watch(worker) as watch:
        stage.send(*wanted.values())
        stage.wait_stored(list(wanted))
        wait_committed(stage)
    tally = counted(stage, "a burst", wanted, 0, began)
    grown_mb = watch.rss_mb - before_mb
    assert grown_mb < 128, f"the worker grew by {grown_mb:.0f} MB"
    tally.notes |= {
        "grown by": f"{grown_mb:.0f} MB",
        "overtaken": counting.overtaken(stage.store_url, list(wanted)),
    }
    start_anew(stage)
    return tally
