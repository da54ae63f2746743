"""Messages that cannot be taken."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import requests
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.faults.counting import MARK, Tally
from tests.faults.load import Size, counted, new_mark, start_anew, wait_committed
from tests.faults.poison import KINDS
from tests.faults.process import eventually
from tests.faults.stage import NUMBERS, PARTITIONS, TOPIC, Stage


def poison_among_good(stage: Stage, size: Size) -> Tally:
    """As many messages of every bad kind as good ones: each good one has its result, each bad one
    its dead letter with the right code, and no partition is held back."""
    wanted = stage.requests("good", size.requests // 2)
    mark, codes, messages = new_mark(), {}, []
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
    tally = counted(stage, "poison among good", wanted, 0, began)
    tally.dead = len(codes)
    return tally


def a_poisoned_partition(stage: Stage, size: Size) -> Tally:
    """Nothing but bad messages on one partition: it is held back after 21 of them, the others go
    on, and once somebody has seen to it nothing is missing."""
    mark, count = new_mark(), 60
    start_anew(stage)
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
    tally = counted(stage, "a poisoned partition", wanted, 0, began)
    tally.dead = count
    tally.notes["dead letters before the breaker"] = before
    start_anew(stage)
    return tally


def a_dead_letter_topic_that_refuses(stage: Stage, size: Size) -> Tally:
    """Dead letters that the broker does not take: no offset passes them, and none is dropped."""
    mark, count = new_mark(), 10
    wanted = stage.requests("refused", size.few)
    wait_committed(stage)
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
    wait_committed(stage)
    tally = counted(stage, "refused dead letters", wanted, 0, began)
    tally.dead = count
    return tally


def _limit_letters(stage: Stage, max_bytes: int) -> None:
    """How large a dead letter may be for the broker to take it."""
    admin = AdminClient({"bootstrap.servers": stage.broker.bootstrap_servers})
    entry = ConfigEntry(
        "max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, f"{TOPIC}.dlq", incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def redriven_letters(stage: Stage, size: Size) -> Tally:
    """Dead letters of a table that is configured late, redriven many times at once: one run and
    one result each."""
    mark, count = new_mark(), 16  # fewer than would hold a partition back
    start_anew(stage)
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

    def redrive(_: int) -> int:
        body = {"code": "table_not_configured", "table": "load.late", "limit": 500}
        url = f"{stage.api.url}/api/v1/dead-letters/redrive"
        answer = requests.post(url, json=body, timeout=60)
        answer.raise_for_status()
        return len(answer.json()["redriven"])

    with stage.view("late", NUMBERS), ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(redrive, range(8)))
        assert sent == count, f"{sent} of {count} letters were sent again"
        stage.wait_stored(list(wanted))
        tally = counted(stage, "redriven letters", wanted, 0, began)
    tally.dead = count
    return tally


def a_letter_at_the_limit(stage: Stage, size: Size) -> Tally:
    """A message as large as the broker takes, and bad: its dead letter is cut, says so and what the
    whole was, and the offset passes it."""
    mark, value = new_mark(), b"x" * 999_900
    began = time.monotonic()
    stage.produce({"value": value, "headers": [(MARK, mark)]})
    eventually(lambda: stage.dead(mark), "the dead letter")
    assert stage.dead(mark) == {mark: ["message_too_large"]}
    with psycopg.connect(stage.store_url) as db:
        found = db.execute(
            "select is_truncated, payload_sha256, length(value) from dead_letter "
            "where payload_bytes = %s",
            [len(value)],
        ).fetchone()
    assert found is not None
    is_truncated, digest, kept = found
    assert is_truncated
    assert digest == hashlib.sha256(value).hexdigest()
    assert 0 < kept < len(value)
    wanted = stage.requests("behind", PARTITIONS)
    stage.send(*wanted.values())
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    tally = counted(stage, "a letter at the limit", wanted, 0, began)
    tally.dead = 1
    return tally
