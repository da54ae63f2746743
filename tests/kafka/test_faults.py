"""What fails around the worker: nothing is lost, nothing is there twice."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest
import requests

from embedded import ports
from embedded.broker import EmbeddedBroker
from embedded.postgres import EmbeddedPostgres
from embedded.roles import SUPERUSER
from tests.brokers.apache_kafka import ApacheKafka
from tests.kafka.conftest import LEASE_S, Api, Kafka, Lane, eventually


def test_a_worker_killed_in_the_middle_leaves_one_result_each(lane: Lane) -> None:
    worker = lane.start().wait_ready()
    ids = lane.request(8, "shop.leisurely")
    eventually(lambda: lane.api.check(ids[0]))
    worker.kill()
    assert not all(lane.api.finished(check_id) for check_id in ids), "killed too late to tell"
    lane.start()
    lane.once_each(ids, "shop.leisurely")
    lane.wait_committed(len(ids))


def test_a_worker_told_to_stop_loses_nothing_and_leaves_nothing_claimed(
    lane: Lane, postgres: EmbeddedPostgres
) -> None:
    worker = lane.start().wait_ready()
    ids = lane.request(6, "shop.leisurely")
    admin = postgres.url(role=SUPERUSER)
    with psycopg.connect(admin, autocommit=True) as connection:
        asleep = "select 1 from pg_stat_activity where wait_event = 'PgSleep'"
        eventually(lambda: connection.execute(asleep).fetchone())  # one of them runs
    assert worker.stop() == 0, worker.log()
    states = [check["state"] for check in map(lane.api.check, ids) if check is not None]
    assert "running" not in states
    assert "finished" in states, "what ran was not stored"
    assert not all(lane.api.finished(check_id) for check_id in ids), "stopped too late to tell"
    lane.start()
    lane.once_each(ids, "shop.leisurely")
    assert [check["attempts"] for check in lane.finished(ids)] == [1] * len(ids)


def test_an_api_that_is_away_for_a_while_costs_nothing_but_time(shared: Lane, api: Api) -> None:
    worker, before = shared.workers[0], shared.committed()
    api.stop()
    ids = shared.request(5)
    eventually(lambda: worker.metric("stringx_consumer_api_retries_total") >= 3)
    assert worker.get("/health/live").ok
    readiness = worker.get("/health/ready")
    assert (readiness.status_code, readiness.json()["api"]["status"]) == (503, "down")
    assert shared.committed() == before
    api.start()
    shared.once_each(ids)
    shared.wait_committed(before + len(ids))
    assert worker.counted("dead_letter") == 0
    worker.wait_ready()


def test_a_worker_started_before_kafka_and_its_topic_waits_for_them(
    api: Api, target_environment: dict[str, str], tmp_path: Path
) -> None:
    broker = EmbeddedBroker(ports.choose_free(), log_file=tmp_path / "broker.log")
    kafka = Kafka("embedded", broker, "manual")
    lane = Lane(kafka, api, "requests-early", tmp_path, target_environment, [])
    worker = lane.start()
    try:
        eventually(lambda: "waiting_for_kafka" in worker.log(), worker.log)
        assert worker.get("/health/live").ok
        assert worker.get("/health/ready").json()["kafka"]["status"] == "down"
        with broker:
            worker.wait_ready()
            lane.once_each(lane.request(3))
            assert worker.stop() == 0
    finally:
        worker.end()


def test_a_check_longer_than_its_lease_stays_its_workers_and_is_cancelled_at_the_end(
    api: Api, target_environment: dict[str, str], postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    def sleeping() -> int:
        with psycopg.connect(postgres.url("demo", "postgres")) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity where query like '%slow%'"
                " and state = 'active' and pid <> pg_backend_pid()"
            ).fetchone()
        return row[0] if row else 0

    with EmbeddedBroker(0, log_file=tmp_path / "broker.log") as broker:
        kafka = Kafka("embedded", broker, "manual")
        lane = Lane(kafka, api, "requests-slow", tmp_path, target_environment, [])
        worker = lane.start(STRINGX_SHUTDOWN_S="12")
        try:
            worker.wait_ready()
            [check_id] = lane.request(table="shop.slow")
            eventually(sleeping, worker.log)
            time.sleep(LEASE_S + 1)
            request = {"table": "shop.slow", "scope": [{"column": "id", "op": ">=", "value": -1}]}
            item = {"id": check_id, "request": request}
            body = {"worker": "another", "requests": [item]}
            answer = requests.post(f"{api.url}/api/v1/claims", json=body, timeout=10).json()
            assert answer["claims"][0]["outcome"] == "busy", answer
            assert worker.stop() == 0
        finally:
            worker.end()
        check = api.check(check_id) or {}
        assert (check["state"], check["status"]) == ("received", None)
        assert lane.committed() == 0
        eventually(lambda: not sleeping(), worker.log)


def test_positions_in_the_log_of_a_broker_that_is_gone_say_nothing(
    api: Api, target_environment: dict[str, str], tmp_path: Path
) -> None:
    """A commit that was on its way when the broker went can reach the one that took its place."""
    broker = EmbeddedBroker(ports.choose_free(), log_file=tmp_path / "broker.log")
    lane = Lane(
        *(Kafka("embedded", broker, "manual"), api, "requests-reborn", tmp_path),
        *(target_environment, []),
    )
    with broker:
        worker = lane.start().wait_ready()
        lane.once_each(lane.request(3))
    eventually(lambda: not worker.ready(), worker.log)
    try:
        with broker:
            lane.create_topic()
            lane.commit(1_000)
            ids = lane.request(3)
            lane.once_each(ids)
            assert worker.counted("stored") == 6
            assert worker.stop() == 0
    finally:
        worker.end()


@pytest.mark.parametrize("kafka", ["apache"], indirect=True)
def test_a_worker_that_kafka_shuts_out_ends_so_that_it_is_started_anew(lane: Lane) -> None:
    """librdkafka reads nothing any more then, for good: a worker that lived on would be one that
    looks alive. It happens to two with one name, and after a broker's crash to one by itself."""
    first = lane.start(STRINGX_KAFKA_INSTANCE_ID="one-name").wait_ready()
    lane.start(STRINGX_KAFKA_INSTANCE_ID="one-name")
    assert first.process.wait(60) == 70, first.log()
    assert "fenced" in first.log()
    ids = lane.request(3)
    lane.once_each(ids)


@pytest.mark.parametrize("kafka", ["apache"], indirect=True)
def test_two_workers_share_the_partitions_and_one_takes_over_from_the_other(lane: Lane) -> None:
    """Needs a group: on the embedded broker one consumer assigns the partitions by hand."""
    workers = [lane.start(), lane.start()]

    def shared_out() -> bool:
        found = [worker.ready() for worker in workers]
        return [ready["kafka"]["partitions"] for ready in found if ready] == [2, 2]

    eventually(shared_out, lambda: str([worker.log() for worker in workers]))
    ids = lane.request(12)
    lane.once_each(ids)
    counts = [worker.counted("stored") for worker in workers]
    assert sum(counts) == 12
    assert all(counts)
    assert workers[1].stop() == 0
    more = lane.request(4)
    lane.once_each(more)
    assert sum(worker.counted("stored") for worker in workers[:1]) == counts[0] + 4
    lane.wait_committed(16)


def test_a_broker_that_dies_and_comes_back_is_found_again(kafka: Kafka, shared: Lane) -> None:
    """Last in this module: the embedded broker comes back with nothing in it."""
    worker, before = shared.workers[0], shared.committed()
    ids = shared.request(3)
    shared.once_each(ids)
    if isinstance(kafka.broker, ApacheKafka):
        shared.wait_committed(before + 3)
        kafka.broker.kill()
    else:
        kafka.broker.stop()
    eventually(lambda: not worker.ready(), worker.log)
    assert worker.get("/health/live").ok
    kafka.broker.start()
    worker.wait_ready()
    if kafka.name == "embedded":  # its topics are gone with it: the worker makes them anew
        eventually(lambda: "topic_created" in worker.log().rpartition("kafka_error")[2], worker.log)
    more = shared.request(3)
    shared.once_each(ids + more)
    shared.wait_committed(before + 6 if kafka.name == "apache" else 3)
    assert worker.process.poll() is None
