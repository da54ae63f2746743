"""Which messages may be run ahead of their claims: those that came after the worker was there."""

from __future__ import annotations

from tests.kafka.conftest import Lane, Worker

AHEAD_MS = "60000"
"""However slow the machine of the tests is, its checks count as quick."""


def used(worker: Worker) -> float:
    return worker.metric('stringx_consumer_runs_ahead_total{outcome="used"}')


def one_by_one(lane: Lane, count: int) -> list[str]:
    """Checks of one partition, each asked for once the one before is stored."""
    ids = []
    for _ in range(count):
        ids += lane.request()
        lane.finished(ids[-1:])
    return ids


def test_a_lone_message_is_run_while_its_claim_is_asked_for(lane: Lane) -> None:
    worker = lane.start(STRINGX_RUN_AHEAD_MS=AHEAD_MS).wait_ready()
    lane.once_each(one_by_one(lane, 6))
    assert used(worker) == 5  # the first tells what to expect, and where the log ended


def test_what_another_worker_may_have_read_is_claimed_first(lane: Lane) -> None:
    lane.create_topic()
    first = lane.start(STRINGX_RUN_AHEAD_MS=AHEAD_MS).wait_ready()
    one_by_one(lane, 2)
    lane.wait_committed(2)
    first.kill()
    waiting = [*lane.request(), *lane.request(table="shop.leisurely"), *lane.request()]
    second = lane.start(STRINGX_RUN_AHEAD_MS=AHEAD_MS).wait_ready()
    lane.finished(waiting)
    assert used(second) == 0
    ids = one_by_one(lane, 3)
    assert used(second) == 3
    lane.once_each(ids)


def test_it_can_be_switched_off(lane: Lane) -> None:
    worker = lane.start(STRINGX_RUN_AHEAD_MS="0").wait_ready()
    lane.once_each(one_by_one(lane, 3))
    assert used(worker) == 0
