"""The API: away, slow, asked twice, asked meanwhile."""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.faults import counting
from tests.faults.counting import MARK, Tally
from tests.faults.load import Size, counted, load, new_mark, wait_committed
from tests.faults.process import eventually
from tests.faults.proxy import Fault
from tests.faults.stage import GOOD_RULES, NUMBERS, Stage


def killed_api(stage: Stage, size: Size) -> Tally:
    """`kill -9` of the API that workers use, while another replica takes the outbox over.

    It is one process whose counters are in memory: they begin anew, which Prometheus knows how to
    read, and no file of them can be left behind broken. What is told of tables is in the database.
    """

    whole = stage.requests("whole", 1)
    for document in whole.values():
        del document["scope"]  # a check of some rows says nothing of the table
    stage.send(*whole.values())
    stage.wait_stored(list(whole))

    def harm(stage: Stage, number: int) -> None:
        before = _verdicts(stage)
        stage.api.kill()
        stage.api.start()
        stage.api.wait_ready()
        assert before, "no table has a verdict"
        assert before <= _verdicts(stage), "the metrics forgot tables"

    return load(stage, "killed API and relay", size, max(1, size.kills // 2), harm)


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
    wait_committed(stage)
    tally = counted(stage, "one id many times", {check_id: document}, 99, began)
    assert stage.check(check_id) == shown[0], "a later message changed the result"
    return tally


def an_id_for_something_else(stage: Stage, size: Size) -> Tally:
    """The id of a finished check with another payload: 409, a dead letter, and no change."""
    [(check_id, document)] = stage.requests("other", 1).items()
    mark = new_mark()
    began = time.monotonic()
    stage.send(document)
    stage.wait_stored([check_id])
    first = stage.check(check_id)
    other = {**document, "table": "load.t1"}
    assert stage.trigger(other).status_code == 409
    stage.produce({"value": json.dumps(other).encode(), "headers": [(MARK, mark)]})
    eventually(lambda: stage.dead(mark) == {mark: ["idempotency_key_reused"]}, "its dead letter")
    assert stage.check(check_id) == first
    tally = counted(stage, "an id for something else", {check_id: document}, 0, began)
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
    tally = counted(stage, "failing API", wanted, 0, began)
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
    wait_committed(stage)
    tally = counted(stage, "lost answers", wanted, 0, began)
    tally.notes["answers lost"] = (next(turns) + 1) // 2
    return tally


def _verdicts(stage: Stage) -> set[str]:
    text = requests.get(f"{stage.api.url}/metrics", timeout=10).text
    assert "pid=" not in text, "series of single processes"
    return {line for line in text.splitlines() if line.startswith("stringx_table_verdict{")}


def rules_edited_meanwhile(stage: Stage, size: Size) -> Tally:
    """Rules are replaced again and again while checks run: each result is of one version."""
    sides = [[{**rule, "name": f"{side}_{rule['name']}"} for rule in GOOD_RULES] for side in "ab"]
    over = threading.Event()
    edits = 0

    def edit() -> None:
        nonlocal edits
        for side in itertools.cycle(sides):
            if over.is_set():
                return
            stage.configure_table(table, side)
            edits += 1

    with stage.view("edited", NUMBERS) as table, ThreadPoolExecutor(1) as pool:
        stage.configure_table(table, sides[0])
        wanted = stage.requests("edited", size.requests, table)
        editing = pool.submit(edit)
        began = time.monotonic()
        try:
            for document in wanted.values():
                stage.send(document)
            stage.wait_stored(list(wanted))
        finally:
            over.set()
        editing.result()
        tally = counted(stage, "rules edited meanwhile", wanted, 0, began)
    mixed = counting.number(stage.store_url, MIXED, list(wanted))
    assert mixed == 0, f"{mixed:.0f} versions with results of two rule sets"
    versions = "select count(distinct rules_version) from check_run where id = any(%s)"
    tally.notes |= {
        "edits": edits,
        "versions seen": int(counting.number(stage.store_url, versions, list(wanted))),
    }
    return tally


MIXED = """
    select count(*) from (
        select c.rules_version from check_run c join rule_result r on r.check_id = c.id
        where c.id = any(%s) group by c.rules_version
        having count(distinct left(r.rule, 1)) > 1 or count(distinct c.rule_set_hash) > 1
    ) mixed
"""


def a_token_that_changes(stage: Stage, size: Size) -> Tally:
    """The API refuses the worker's token for a while: nothing is given up, and it goes on without
    a new start once the right one is in its file."""
    token_file, worker, guarded = stage.folder / "token", stage.workers[0], stage.apis[1]
    token_file.write_text("not-the-token")
    for one in (*stage.workers, guarded):
        one.stop()
    guarded.start(STRINGX_API_TOKEN="the-token-of-the-fault-suite")
    guarded.wait_ready()
    worker.start(STRINGX_API_URL=guarded.url, STRINGX_API_TOKEN_FILE=str(token_file))
    wanted = stage.requests("token", size.requests)
    dead = len(stage.dead(""))
    began = time.monotonic()
    stage.send(*wanted.values())
    eventually(lambda: "token" in str(worker.health()["api"]["detail"]), "401 to be noticed")
    time.sleep(size.seconds)
    assert stage.stored(list(wanted)) == 0
    pid = worker.pid
    token_file.write_text("the-token-of-the-fault-suite\n")
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    assert worker.is_running
    assert worker.pid == pid
    assert len(stage.dead("")) == dead, "a message was given up because of the token"
    tally = counted(stage, "a token that changes", wanted, 0, began)
    for one in (guarded, worker):
        one.stop()
    for one in (guarded, *stage.workers):
        one.start()
        one.wait_ready()
    return tally
