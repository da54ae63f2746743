"""The broker: still, gone, back, forgetful, late."""

from __future__ import annotations

import json
import time

from tests.faults.counting import Tally
from tests.faults.load import Size, Watch, counted, load, new_mark, wait_committed
from tests.faults.process import eventually
from tests.faults.stage import Stage


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
    tally = counted(stage, "frozen broker", wanted, 0, began)
    tally.notes["longest gap of the loop"] = f"{gap:.1f} s"
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
    return counted(stage, "a broker that forgets", wanted, 0, began)


def a_broker_killed(stage: Stage, size: Size) -> Tally:
    """`kill -9` of a broker that keeps its data, with commits in flight that it never answers, and
    its restart: the polling loop goes on all the time."""

    def harm(stage: Stage, number: int) -> None:
        with stage.frozen_broker():
            time.sleep(1.5)  # what is stored meanwhile is committed, and no answer comes
            stage.broker.kill()
        stage.broker.start()

    with Watch(stage.workers[0]) as watch:
        tally = load(stage, "a broker killed", size, max(1, size.kills // 2), harm)
    assert watch.is_live, "the worker said that it hangs"
    tally.notes["longest gap of the loop"] = f"{watch.gap_s:.1f} s"
    return tally


def told_to_stop_beside_a_still_broker(stage: Stage, size: Size) -> Tally:
    """The broker stands still for long with commits in flight; then the worker is told to stop."""
    worker = stage.workers[0]
    wanted = stage.requests("still", size.requests)
    began = time.monotonic()
    stage.send(*wanted.values())
    stage.wait_stored(list(wanted), 1)
    with stage.frozen_broker():
        time.sleep(120 if size.is_full else 2)
        code, seconds = worker.stop()
    worker.start()
    assert code == 0, f"the worker ended with {code}"
    assert seconds <= 25, f"the worker took {seconds:.1f} s to end"
    stage.wait_stored(list(wanted))
    wait_committed(stage)
    tally = counted(stage, "told to stop, broker still", wanted, 0, began)
    tally.notes["ended in"] = f"{seconds:.1f} s"
    return tally


def a_late_broker(stage: Stage, size: Size) -> Tally:
    """Service and worker start before there is a broker: the worker says what it waits for, checks
    over HTTP are made, and what was accepted goes out when the broker comes."""
    worker = stage.workers[0]
    worker.stop()
    stage.api.stop()
    stage.broker.stop()
    stage.api.start()
    worker.start()
    stage.api.wait_ready()
    began = time.monotonic()
    wanted = stage.requests("late-broker", size.few)
    documents = list(wanted.values())
    half = len(documents) // 2
    for document in documents[:half]:
        answer = stage.trigger(document, mode="sync")
        assert answer.status_code == 200, answer.text
    for document in documents[half:]:
        assert stage.trigger(document).status_code == 202

    def waits_for_kafka_only() -> bool:
        parts = worker.health()
        return (parts["kafka"]["status"], parts["api"]["status"]) == ("down", "up")

    eventually(waits_for_kafka_only, "the worker to say that it waits for Kafka alone")
    stage.broker.start()
    stage.wait_stored(list(wanted))
    worker.wait_ready()
    return counted(stage, "a late broker", wanted, 0, began)


def a_late_topic(stage: Stage, size: Size) -> Tally:
    """The topic is not there and cannot be made: the worker waits, says so once in a while, and
    begins when somebody makes it."""
    name = f"late-{new_mark()}"
    worker = stage.new_worker(
        STRINGX_KAFKA_REQUEST_TOPIC=name,
        STRINGX_KAFKA_GROUP=name,
        STRINGX_KAFKA_REPLICATION="3",  # more than there are brokers
    )
    worker.start()
    wanted = stage.requests("late-topic", size.few)
    began = time.monotonic()
    try:
        eventually(lambda: worker.said("waiting_for_kafka"), "the worker to wait")
        time.sleep(20 if size.is_full else 2)
        assert worker.is_running, "the worker ended"
        warnings = worker.said("waiting_for_kafka")
        assert warnings == 1, f"{warnings} warnings within 30 s"
        stage.make_topics(name, f"{name}.dlq")
        stage.produce(*({"value": json.dumps(one).encode()} for one in wanted.values()), topic=name)
        stage.wait_stored(list(wanted))
        return counted(stage, "a late topic", wanted, 0, began)
    finally:
        worker.kill()
