"""One suite, two brokers: whatever holds with the embedded one must hold with Apache Kafka.

The consumer runs as `python -m consumer`, against a real API with a real engine.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg
import pytest
import requests
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from embedded import ports
from embedded.broker import EmbeddedBroker
from embedded.postgres import EmbeddedPostgres
from tests.brokers.apache_kafka import ApacheKafka, apache_kafka_available
from tests.conftest import PROJECT, LiveApi, clean_environment, require, start_api

LEASE_S = 4
PATIENCE_S = 60.0
TABLES: dict[str, list[dict[str, Any]]] = {
    "shop.orders": [
        {"name": "id_known", "type": "not_null", "column": "id"},
        {"name": "amount_known", "type": "not_null", "column": "amount"},
    ],
    "shop.clean": [{"name": "name_known", "type": "not_null", "column": "name"}],
    "shop.slow": [{"name": "id_known", "type": "not_null", "column": "id"}],
    "shop.leisurely": [{"name": "id_known", "type": "not_null", "column": "id"}],
}
SLOW = """
create or replace view shop.slow as select 1 as id from pg_sleep(45);
create or replace view shop.leisurely as select 1 as id from pg_sleep(0.4);
grant select on shop.slow, shop.leisurely to stringx_reader;
"""

Found = TypeVar("Found")
numbers = itertools.count(1)


def eventually(
    look: Callable[[], Found], what: Callable[[], str] = str, seconds: float = PATIENCE_S
) -> Found:
    """The first true answer of `look`; fails with `what()` when there is none in that time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain: {what()}")
        time.sleep(0.05)
    return found


class Broker(Protocol):
    """What the suite needs of a broker."""

    @property
    def bootstrap_servers(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass
class Kafka:
    """A broker under test, and how the consumer is to use it."""

    name: str
    broker: Broker
    assignment: str

    @property
    def servers(self) -> str:
        return self.broker.bootstrap_servers


@pytest.fixture(scope="session", params=["embedded", "apache"])
def kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    if request.param == "embedded":
        log_file = tmp_path_factory.mktemp("broker") / "broker.log"
        with EmbeddedBroker(0, log_file=log_file) as embedded:
            yield Kafka("embedded", embedded, "manual")
        return
    require("kafka", apache_kafka_available())
    with ApacheKafka() as apache:
        yield Kafka("apache", apache, "group")


class Api:
    """The API of this suite, which can be stopped and started on its port."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self._port = ports.choose_free()
        self.live: LiveApi = start_api(environment, folder, self._port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        assert self.live.stop() == 0

    def start(self) -> None:
        self.live = start_api(self._environment, self._folder, self._port)

    def configure(self) -> None:
        base = f"{self.url}/api/v1"
        requests.put(f"{base}/connections/demo", json={}, timeout=30).raise_for_status()
        for table, rules in TABLES.items():
            answer = requests.put(f"{base}/tables", json={"table": table}, timeout=30)
            assert answer.ok, answer.text
            answer = requests.put(
                f"{base}/tables/{answer.json()['id']}/rules", json={"rules": rules}, timeout=60
            )
            assert answer.ok, answer.text

    def check(self, check_id: str) -> dict[str, Any] | None:
        answer = requests.get(f"{self.url}/api/v1/checks/{check_id}", timeout=30)
        return answer.json() if answer.ok else None

    def finished(self, check_id: str) -> dict[str, Any] | None:
        found = self.check(check_id)
        return found if found is not None and found["state"] == "finished" else None


@pytest.fixture(scope="session")
def api(
    postgres: EmbeddedPostgres,
    target_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """An API of its own: leases are short, so that what a killed worker held is soon free."""
    name = f"stringx_kafka_{time.time_ns()}"
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f'create database "{name}" owner stringx')
    with psycopg.connect(postgres.url("demo", "postgres")) as connection:
        connection.execute(SLOW)
    environment = {
        **target_environment,
        "STRINGX_DATABASE_URL": postgres.url(name),
        "STRINGX_LEASE_S": str(LEASE_S),
        # What a worker gives back is for the next one here, not for the API itself.
        "STRINGX_REST_POLL_S": "600",
    }
    api = Api(environment, tmp_path_factory.mktemp("kafka-api"))
    try:
        api.configure()
        yield api
    finally:
        api.stop()


class Worker:
    """A `python -m consumer` process."""

    def __init__(self, environment: dict[str, str], log_file: Path) -> None:
        self.port = int(environment["STRINGX_CONSUMER_PORT"])
        self.log_file = log_file
        self._log = log_file.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "consumer"],
            cwd=PROJECT,
            env={**clean_environment(), **environment},
            stdout=self._log,
            stderr=self._log,
        )

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def ready(self) -> dict[str, Any] | None:
        """The readiness document once it says ready."""
        assert self.process.poll() is None, self.log()
        try:
            answer = self.get("/health/ready")
        except requests.ConnectionError:
            return None
        return answer.json() if answer.ok else None

    def wait_ready(self) -> Worker:
        eventually(self.ready, self.log)
        return self

    def metric(self, sample: str) -> float:
        for line in self.get("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    def counted(self, outcome: str) -> float:
        return self.metric(f'stringx_consumer_messages_total{{outcome="{outcome}"}}')

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.stop()
        self._log.close()

    def log(self) -> str:
        return self.log_file.read_text()[-6000:]


@dataclass
class Lane:
    """A request topic of its own with its group, and the workers on it."""

    kafka: Kafka
    api: Api
    topic: str
    folder: Path
    target: dict[str, str]
    workers: list[Worker]

    @property
    def group(self) -> str:
        return f"group-{self.topic}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.target,
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": self.kafka.servers,
            "STRINGX_KAFKA_ASSIGNMENT": self.kafka.assignment,
            "STRINGX_KAFKA_REQUEST_TOPIC": self.topic,
            "STRINGX_KAFKA_GROUP": self.group,
            "STRINGX_KAFKA_SESSION_TIMEOUT_S": "6",
            "STRINGX_API_URL": self.api.url,
            "STRINGX_RETRY_MAX_S": "1",
            "STRINGX_PORTAL": "false",
        }

    def start(self, **more: str) -> Worker:
        number = len(self.workers)
        environment = {
            **self.environment,
            "STRINGX_CONSUMER_PORT": str(ports.choose_free()),
            "STRINGX_DATA_DIR": str(self.folder / f"data{number}"),
            **more,
        }
        worker = Worker(environment, self.folder / f"consumer{number}.log")
        self.workers.append(worker)
        return worker

    def send(self, *values: bytes | None, **more: Any) -> None:
        """Produce values and wait for their acknowledgement."""
        producer = Producer({"bootstrap.servers": self.kafka.servers, "acks": "all"})
        for value in values:
            producer.produce(self.topic, value=value, **more)
        assert producer.flush(30) == 0

    def request(self, count: int = 1, table: str = "shop.orders", **document: Any) -> list[str]:
        """Send requests, each of a scope of its own (so none share a run); their ids."""
        ids = [f"{self.topic}-{next(numbers):05}" for _ in range(count)]
        for number, check_id in enumerate(ids):
            scope = [{"column": "id", "op": ">=", "value": number - count}]
            body = {"id": check_id, "table": table, "scope": scope, **document}
            self.send(json.dumps(body).encode(), key=f"{table}-{number}")
        return ids

    def finished(self, ids: list[str]) -> list[dict[str, Any]]:
        """Wait until all are finished; the checks."""
        left = list(ids)

        def look() -> bool:
            while left and self.api.finished(left[0]):
                left.pop(0)
            return not left

        eventually(look, lambda: f"{left} of {ids}; {[w.log() for w in self.workers]}")
        return [self.api.check(check_id) or {} for check_id in ids]

    def once_each(self, ids: list[str], table: str = "shop.orders") -> None:
        """Wait for the checks; each has the results of one run, no more and no fewer."""
        expected = sorted(rule["name"] for rule in TABLES[table])
        for check in self.finished(ids):
            assert sorted(result["rule"] for result in check["results"]) == expected

    def committed(self) -> int:
        """Sum of the committed offsets over all partitions."""
        consumer = Consumer({"bootstrap.servers": self.kafka.servers, "group.id": self.group})
        try:
            partitions = [TopicPartition(self.topic, number) for number in range(4)]
            found = consumer.committed(partitions, timeout=10)
            return sum(max(0, partition.offset) for partition in found)
        finally:
            consumer.close()

    def commit(self, position: int) -> None:
        """Commit this position on all partitions."""
        consumer = Consumer({"bootstrap.servers": self.kafka.servers, "group.id": self.group})
        try:
            partitions = [TopicPartition(self.topic, number, position) for number in range(4)]
            consumer.commit(offsets=partitions, asynchronous=False)
        finally:
            consumer.close()

    def create_topic(self) -> None:
        """As the worker would, with four partitions, unless it was quicker."""
        admin = AdminClient({"bootstrap.servers": self.kafka.servers})
        try:
            admin.create_topics([NewTopic(self.topic, num_partitions=4)])[self.topic].result(30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def wait_committed(self, count: int) -> None:
        eventually(lambda: self.committed() == count, lambda: f"committed {self.committed()}")

    def dead_letters(self, count: int) -> list[Message]:
        """The first `count` dead letters."""
        consumer = Consumer({"bootstrap.servers": self.kafka.servers, "group.id": "reader"})
        consumer.assign(
            [TopicPartition(f"{self.topic}.dlq", n, OFFSET_BEGINNING) for n in range(4)]
        )
        found: list[Message] = []

        def look() -> bool:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
            return len(found) >= count

        eventually(look, lambda: f"{len(found)} of {count} dead letters")
        consumer.close()
        return found


@pytest.fixture(scope="module")
def make_lane(
    kafka: Kafka,
    api: Api,
    target_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], Lane]]:
    """Makes lanes; their workers end with the tests of this module."""
    lanes: list[Lane] = []

    def make() -> Lane:
        topic = f"requests-{kafka.name}-{os.getpid()}-{next(numbers)}"
        folder = tmp_path_factory.mktemp("lane")
        lanes.append(Lane(kafka, api, topic, folder, target_environment, []))
        return lanes[-1]

    yield make
    for lane in lanes:
        for worker in lane.workers:
            worker.end()


@pytest.fixture
def lane(make_lane: Callable[[], Lane]) -> Iterator[Lane]:
    """A lane for one test, without a worker yet."""
    lane = make_lane()
    yield lane
    for worker in lane.workers:
        worker.end()


@pytest.fixture(scope="module")
def shared(make_lane: Callable[[], Lane]) -> Lane:
    """A lane with one running worker, for the tests that leave it running."""
    lane = make_lane()
    lane.start().wait_ready()
    return lane
