"""What goes wrong, on purpose, and what must be there afterwards.

A scenario sends requests to a running `Stage`, does harm meanwhile, heals what it broke, waits for
the results and counts. It raises AssertionError where more was promised than an exact count.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import requests
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.faults import counting
from tests.faults.counting import MARK, Tally
from tests.faults.poison import KINDS
from tests.faults.proxy import Fault
from tests.faults.stage import PARTITIONS, RULES, TOPIC, Stage, eventually

Scenario = Callable[[Stage, "Size"], Tally]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each: `small` for every build, `full` for a release."""

    requests: int
    kills: int
    crashes: int
    seconds: float

    @property
    def few(self) -> int:
        return self.requests // 10


SMALL = Size(requests=200, kills=2, crashes=1, seconds=3.0)
FULL = Size(requests=2000, kills=20, crashes=3, seconds=60.0)

_marks = itertools.count(1)


def killed_workers(stage: Stage, size: Size) -> Tally:
    """`kill -9` of workers under load, with duplicates by Kafka and HTTP."""
    return _load(stage, "killed workers", size, size.kills, _kill_worker)


def killed_workers_and_store(stage: Stage, size: Size) -> Tally:
    """`kill -9` of workers and immediate restarts of the service's PostgreSQL under load."""

    def harm(stage: Stage, number: int) -> None:
        if number % 2:
            stage.restart_store()
        else:
            _kill_worker(stage, number)

    return _load(stage, "killed workers and store", size, 2 * size.crashes, harm)


def killed_api(stage: Stage, size: Size) -> Tally:
    """`kill -9` of the API that workers use, while another replica takes the outbox over."""

    def harm(stage: Stage, number: int) -> None:
        stage.api.kill()
        stage.api.start()
        stage.api.wait_ready()

    return _load(stage, "killed API and relay", size, max(1, size.kills // 2), harm)


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

    tally = _load(stage, "stopped workers", size, size.kills, harm)
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
            for worker in stage.workers:
                for child in worker.children():
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                        killed += 1
            time.sleep(0.5)

    stage.configure("id")
    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        tally = _load(stage, "killed dbt", size, 0, lambda stage, number: None)
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


def frozen_broker(stage: Stage, size: Size) -> Tally:
    """The broker stands still under load; the polling loop does not."""
    wanted = stage.requests("frozen", size.requests)
    began = time.monotonic()
    stage.send(*wanted.values())
    gap = 0.0
    with stage.frozen_broker():
        until = time.monotonic() + min(size.seconds, 12.0)
        while time.monotonic() < until:
            polled = stage.workers[0].metric("stringx_consumer_last_poll_timestamp_seconds")
            gap = max(gap, time.time() - polled)
            time.sleep(0.1)
    stage.wait_stored(list(wanted))
    tally = _tally(stage, "frozen broker", wanted, 0, began)
    tally.notes["longest gap of the loop"] = f"{gap:.1f} s"
    return tally


def one_id_many_times(stage: Stage, size: Size) -> Tally:
    """One id sent 50 times over HTTP and 50 times over Kafka at once: one run, one result."""
    [(check_id, document)] = stage.requests("same", 1).items()
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(stage.trigger, document, mode="sync") for _ in range(50)]
        sent = [pool.submit(stage.send, document) for _ in range(5) for _ in range(10)]
        for one in sent:
            one.result()
        codes = {answer.result().status_code for answer in answers}
    stage.wait_stored([check_id])
    assert codes <= {200, 202}, codes
    shown = [stage.check(check_id) for _ in range(5)]
    assert all(one == shown[0] for one in shown)
    _wait_committed(stage)
    tally = _tally(stage, "one id many times", {check_id: document}, 99, began)
    assert stage.check(check_id) == shown[0], "a later message changed the result"
    return tally


def an_id_for_something_else(stage: Stage, size: Size) -> Tally:
    """The id of a finished check with another payload: 409, a dead letter, and no change."""
    [(check_id, document)] = stage.requests("other", 1).items()
    mark = _mark()
    began = time.monotonic()
    stage.send(document)
    stage.wait_stored([check_id])
    first = stage.check(check_id)
    other = {**document, "table": "load.t1"}
    assert stage.trigger(other).status_code == 409
    stage.produce({"value": json.dumps(other).encode(), "headers": [(MARK, mark)]})
    eventually(lambda: stage.dead(mark) == {mark: ["idempotency_key_reused"]}, "its dead letter")
    assert stage.check(check_id) == first
    tally = _tally(stage, "an id for something else", {check_id: document}, 0, began)
    tally.dead = 1
    return tally


def failing_api(stage: Stage, size: Size) -> Tally:
    """The API answers 500 for a while: few calls, no dead letter, all stored afterwards."""
    wanted = stage.requests("failing", int(20 * size.seconds))
    began = time.monotonic()
    calls = 0

    def refuse(path: str) -> Any:
        nonlocal calls
        if not path.endswith(("/claims", "/outcomes")):
            return None
        calls += 1
        return Fault.ERROR

    dead = len(stage.dead(""))
    stage.proxy.before = refuse
    stage.send(*wanted.values())
    time.sleep(size.seconds)
    during = calls
    stage.proxy.heal()
    healed = time.monotonic()
    stage.wait_stored(list(wanted))
    assert len(stage.dead("")) == dead, "a message was given up because the API was away"
    allowed = 20 * len(stage.workers) if size.seconds <= 12 else 2 * size.seconds
    assert during <= allowed, f"{during} calls in {size.seconds:g} s"
    tally = _tally(stage, "failing API", wanted, 0, began)
    tally.notes |= {
        "calls meanwhile": during,
        "drained in": f"{time.monotonic() - healed:.1f} s",
    }
    return tally


def lost_answers(stage: Stage, size: Size) -> Tally:
    """The API stores results, and its answer gets lost each first time."""
    turns = itertools.count()

    def drop(path: str) -> Fault | None:
        return Fault.DROP if path.endswith("/outcomes") and next(turns) % 2 == 0 else None

    wanted = stage.requests("answer", size.few)
    began = time.monotonic()
    stage.proxy.after = drop
    for document in wanted.values():  # one by one, so that each has an answer of its own
        stage.send(document)
        time.sleep(0.05)
    stage.wait_stored(list(wanted))
    stage.proxy.heal()
    _wait_committed(stage)
    tally = _tally(stage, "lost answers", wanted, 0, began)
    tally.notes["answers lost"] = (next(turns) + 1) // 2
    return tally


def poison_among_good(stage: Stage, size: Size) -> Tally:
    """As many messages of every bad kind as good ones: each good one has its result, each bad one
    its dead letter with the right code, and no partition is held back."""
    wanted = stage.requests("good", size.requests // 2)
    mark, codes, messages = _mark(), {}, []
    for number, document in enumerate(wanted.values()):
        code, value, headers = KINDS[number % len(KINDS)]
        if value is not None and len(value) > 100_000 and number > 2 * len(KINDS):
            code, value, headers = KINDS[0]  # large ones a few times
        codes[f"{mark}{number:05}"] = [code]
        partition = number % PARTITIONS
        headers = [*headers, (MARK, f"{mark}{number:05}")]
        messages.append(
            {
                "value": json.dumps(document).encode(),
                "key": document["table"],
                "partition": partition,
            }
        )
        messages.append({"value": value, "headers": headers, "partition": partition})
    began = time.monotonic()
    stage.produce(*messages)
    stage.wait_stored(list(wanted))
    eventually(lambda: len(stage.dead(mark)) == len(codes), "the dead letters")
    assert stage.dead(mark) == codes
    for worker in stage.workers:
        document = requests.get(f"{worker.url}/health/ready", timeout=10).json()
        assert document["partitions_held_back"] == 0, document
    tally = _tally(stage, "poison among good", wanted, 0, began)
    tally.dead = len(codes)
    return tally


def a_poisoned_partition(stage: Stage, size: Size) -> Tally:
    """Nothing but bad messages on one partition: it is held back after 21 of them, the others go
    on, and once somebody has seen to it nothing is missing."""
    mark, count = _mark(), 60
    _start_anew(stage)
    began = time.monotonic()
    bad = [
        {
            "value": b"{",
            "partition": 0,
            "headers": [(MARK, f"{mark}{number:05}")],
        }
        for number in range(count)
    ]
    stage.produce(*bad)
    held = 'stringx_consumer_dead_letter_breaker_open{partition="0",topic="' + TOPIC + '"}'
    holder = eventually(
        lambda: next((one for one in stage.workers if one.metric(held) == 1), None), "the breaker"
    )
    wanted = stage.requests("beside", size.few)
    stage.produce(
        *(
            {"value": json.dumps(one).encode(), "partition": 1 + number % (PARTITIONS - 1)}
            for number, one in enumerate(wanted.values())
        )
    )
    stage.wait_stored(list(wanted))
    eventually(lambda: len(stage.dead(mark)) >= 21, "the first dead letters")
    before = len(stage.dead(mark))
    assert before == 21, f"{before} dead letters of a partition that is to be held back"
    status = requests.get(f"{holder.url}/health/ready", timeout=10).json()["status"]
    assert status == "degraded", status
    for worker in stage.workers:  # as an operator would who has seen that they are to be given up
        worker.wait_ready()
        worker.stop()
        worker.start(STRINGX_BREAKER_IN_A_ROW="100000", STRINGX_BREAKER_SHARE="1")
    eventually(lambda: len(stage.dead(mark)) == count, "all dead letters")
    tally = _tally(stage, "a poisoned partition", wanted, 0, began)
    tally.dead = count
    tally.notes["dead letters before the breaker"] = before
    _start_anew(stage)
    return tally


def a_dead_letter_topic_that_refuses(stage: Stage, size: Size) -> Tally:
    """Dead letters that the broker does not take: no offset passes them, and none is dropped."""
    mark, count = _mark(), 10
    wanted = stage.requests("refused", size.few)
    _wait_committed(stage)
    began = time.monotonic()
    _limit_letters(stage, 1)
    time.sleep(1)  # the broker has taken note
    try:
        before = stage.committed()
        stage.produce(
            *(
                {
                    "value": b"{",
                    "partition": 0,
                    "headers": [(MARK, f"{mark}{number:05}")],
                }
                for number in range(count)
            )
        )
        stage.produce(
            *(
                {"value": json.dumps(one).encode(), "partition": number % PARTITIONS}
                for number, one in enumerate(wanted.values())
            )
        )
        stage.wait_stored(list(wanted))
        time.sleep(min(size.seconds, 60))
        assert stage.dead(mark) == {}
        assert stage.committed()[0] == before[0], "an offset passed a letter that was not taken"
    finally:
        _limit_letters(stage, 1_048_588)
    eventually(lambda: len(stage.dead(mark)) == count, "all dead letters")
    _wait_committed(stage)
    tally = _tally(stage, "refused dead letters", wanted, 0, began)
    tally.dead = count
    return tally


def a_broker_that_forgets(stage: Stage, size: Size) -> Tally:
    """A broker in memory dies with all its topics after the API has accepted requests: they come
    again from the outbox and from what is overdue."""
    wanted = stage.requests("forgotten", size.requests // 4)
    began = time.monotonic()
    documents = list(wanted.values())
    half = len(documents) // 2
    for document in documents[:half]:
        assert stage.trigger(document).status_code in (200, 202)
    stage.broker.stop()
    for document in documents[half:]:
        assert stage.trigger(document).status_code in (200, 202)
    stage.broker.start()
    stage.wait_stored(list(wanted))
    return _tally(stage, "a broker that forgets", wanted, 0, began)


def a_broker_killed(stage: Stage, size: Size) -> Tally:
    """`kill -9` of a broker that keeps its data, with commits in flight, and its restart."""

    def harm(stage: Stage, number: int) -> None:
        stage.broker.kill()
        stage.broker.start()

    return _load(stage, "killed broker", size, size.crashes, harm, over_http=True)


def redriven_letters(stage: Stage, size: Size) -> Tally:
    """Dead letters of a table that is configured late, redriven many times at once: one run and
    one result each."""
    mark, count = _mark(), 16  # fewer than would hold a partition back
    _start_anew(stage)
    wanted = stage.requests("late", count)
    for document in wanted.values():
        document["table"] = "load.late"
    began = time.monotonic()
    stage.produce(
        *(
            {"value": json.dumps(one).encode(), "headers": [(MARK, f"{mark}{number:05}")]}
            for number, one in enumerate(wanted.values())
        )
    )
    eventually(lambda: len(stage.dead(mark)) == count, "the dead letters")
    base = f"{stage.api.url}/api/v1"
    with psycopg.connect(stage.target.url("demo", "postgres")) as db:
        db.execute("create table if not exists load.late as table load.t0")
        db.execute("grant select on load.late to stringx_reader")
    answer = requests.put(f"{base}/tables", json={"table": "load.late"}, timeout=60)
    rules = [
        {"name": "id_known", "type": "not_null", "column": "id"},
        {"name": "second", "type": "not_null", "column": "x"},
    ]
    requests.put(
        f"{base}/tables/{answer.json()['id']}/rules", json={"rules": rules}, timeout=60
    ).raise_for_status()

    def redrive(_: int) -> int:
        body = {"code": "table_not_configured", "table": "load.late", "limit": 500}
        answer = requests.post(f"{base}/dead-letters/redrive", json=body, timeout=60)
        answer.raise_for_status()
        return len(answer.json()["redriven"])

    with ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(redrive, range(8)))
    assert sent == count, f"{sent} of {count} letters were sent again"
    stage.wait_stored(list(wanted))
    tally = _tally(stage, "redriven letters", wanted, 0, began)
    requests.delete(f"{base}/tables/{answer.json()['id']}", timeout=60)
    tally.dead = count
    return tally


ALWAYS: dict[str, Scenario] = {
    "killed_workers": killed_workers,
    "killed_workers_and_store": killed_workers_and_store,
    "stopped_workers": stopped_workers,
    "killed_api": killed_api,
    "killed_dbt": killed_dbt,
    "killed_before_the_commit": killed_before_the_commit,
    "killed_before_the_post": killed_before_the_post,
    "frozen_broker": frozen_broker,
    "one_id_many_times": one_id_many_times,
    "an_id_for_something_else": an_id_for_something_else,
    "failing_api": failing_api,
    "lost_answers": lost_answers,
    "poison_among_good": poison_among_good,
    "redriven_letters": redriven_letters,
    "a_poisoned_partition": a_poisoned_partition,
}
ON_APACHE: dict[str, Scenario] = {
    "a_dead_letter_topic_that_refuses": a_dead_letter_topic_that_refuses,
    "a_broker_killed": a_broker_killed,
}
ON_EMBEDDED: dict[str, Scenario] = {"a_broker_that_forgets": a_broker_that_forgets}


def _load(
    stage: Stage,
    name: str,
    size: Size,
    harms: int,
    harm: Callable[[Stage, int], None],
    *,
    over_http: bool = False,
) -> Tally:
    """Requests, one in twenty of them twice, with harm done at even parts of the way."""
    wanted = stage.requests(name.replace(" ", "-"), size.requests)
    ids = list(wanted)
    again = random.sample(ids, max(2, len(ids) // 20))
    began = time.monotonic()
    by_http = again[::2]
    stage.send(*wanted.values(), *(wanted[check_id] for check_id in again[1::2]))
    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(stage.trigger, wanted[check_id]) for check_id in by_http]
        for number in range(harms):
            part = len(ids) * (number + 1) // (harms + 2)
            stage.wait_stored(ids, part)
            harm(stage, number)
        stage.wait_stored(ids)
        for one in sending:
            assert one.result().status_code in (200, 202), one.result().text
    _wait_committed(stage)
    return _tally(stage, name, wanted, len(again), began)


def _kill_worker(stage: Stage, number: int) -> None:
    worker = stage.workers[number % len(stage.workers)]
    worker.kill()
    worker.start()


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
    _wait_committed(stage)
    for worker in stage.workers[1:]:
        worker.start()
        worker.wait_ready()
    tally = _tally(stage, name, wanted, 0, began)
    allowed = "<= 1" if after else "<= 2"
    assert tally.notes["attempts"] == allowed, tally.notes
    tally.notes["kills"] = killed
    return tally


def _start_anew(stage: Stage) -> None:
    """Workers that remember nothing of the bad messages before."""
    for worker in stage.workers:
        worker.wait_ready()
        worker.stop()
        worker.start()
    for worker in stage.workers:
        worker.wait_ready()


def _tally(stage: Stage, name: str, wanted: dict[str, Any], again: int, began: float) -> Tally:
    tally = counting.count(name, stage.store_url, list(wanted), again, RULES)
    tally.seconds = time.monotonic() - began
    return tally


def _wait_committed(stage: Stage) -> None:
    """Until every message that was sent is behind the committed offsets."""
    eventually(lambda: _behind(stage) == 0, "all offsets to be committed")


def _behind(stage: Stage) -> int:
    if stage.kafka == "embedded":  # its watermarks are wrong
        return 0
    consumer = Consumer(
        {"bootstrap.servers": stage.broker.bootstrap_servers, "group.id": "measure"}
    )
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=10)[1]
            for number in range(PARTITIONS)
        ]
    finally:
        consumer.close()
    done = stage.committed()
    return sum(max(0, end - done[number]) for number, end in enumerate(ends))


def _limit_letters(stage: Stage, max_bytes: int) -> None:
    """How large a dead letter may be for the broker to take it."""
    admin = AdminClient({"bootstrap.servers": stage.broker.bootstrap_servers})
    entry = ConfigEntry(
        "max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, f"{TOPIC}.dlq", incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def _mark() -> str:
    return f"mark{next(_marks):03}-"
