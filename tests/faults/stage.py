"""The service under fault: PostgreSQL twice (its own and the target's), a broker, API and workers.

All of it is real, in processes of its own. The broker is Apache Kafka where this machine can run
it; else the embedded one, to which only one worker can listen.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
import requests
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from embedded import ports
from embedded.broker import EmbeddedBroker
from embedded.postgres import EmbeddedPostgres
from tests.brokers.apache_kafka import ApacheKafka, apache_kafka_available
from tests.conftest import PROJECT, clean_environment
from tests.faults import counting
from tests.faults.proxy import FaultyProxy

TABLES = 10
RULES = 2
PARTITIONS = 4
TOPIC = "stringx.check.requests.v1"
FAST = {"fsync": "off", "full_page_writes": "off"}  # a killed PostgreSQL leaves its files to us
PATIENCE_S = 120.0

Found = TypeVar("Found")


class Vain(AssertionError):
    """Something did not happen in time."""


def eventually(look: Callable[[], Found], what: str, seconds: float = PATIENCE_S) -> Found:
    """The first true answer of `look`."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(psycopg.OperationalError, requests.RequestException):
            if found := look():
                return found
        if time.monotonic() > deadline:
            raise Vain(f"waited {seconds:g} s for: {what}")
        time.sleep(0.05)


class Process:
    """A process of the service that is started anew with the same settings."""

    def __init__(self, module: str, environment: dict[str, str], log_file: Path, port: int) -> None:
        self._module = module
        self._environment = environment
        self.log_file = log_file
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, **more: str) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                cwd=PROJECT,
                env={**clean_environment(), **self._environment, **more},
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> None:
        eventually(self._is_ready, f"{self._module}: {self.log_file.read_text()[-3000:]}")

    def _is_ready(self) -> bool:
        return requests.get(f"{self.url}/health/ready", timeout=5).ok

    def kill(self) -> None:
        """SIGKILL, to the processes that it started too: none of them lives a moment longer."""
        if self.process is None or self.process.poll() is not None:
            return
        for pid in [*self.children(), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(60), time.monotonic() - began

    def metric(self, sample: str) -> float:
        for line in requests.get(f"{self.url}/metrics", timeout=10).text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    def children(self) -> list[int]:
        """Processes that this one started: dbt."""
        listed = Path(f"/proc/{self.pid}/task").glob("*/children")
        found: list[int] = []
        for file in listed:
            with suppress(OSError):
                found += [int(text) for text in file.read_text().split()]
        return found


class Stage:
    """Everything under fault, as a context manager. `kafka` is `apache` or `embedded`."""

    def __init__(self, kafka: str | None = None, workers: int = 1) -> None:
        missing = apache_kafka_available()
        self.kafka = kafka or ("embedded" if missing else "apache")
        self.folder = Path(tempfile.mkdtemp(prefix="stringx-faults-"))
        self.folder.chmod(0o755)  # PostgreSQL does not run as root
        self.broker: Any = (
            ApacheKafka(settings={"auto.create.topics.enable": "false"})
            if self.kafka == "apache"
            else EmbeddedBroker(ports.choose_free(), log_file=self.folder / "broker.log")
        )
        self.store = EmbeddedPostgres(
            self.folder / "store", settings=FAST, fallback_root=self.folder
        )
        self.target = EmbeddedPostgres(
            self.folder / "target",
            settings=FAST,
            reader_connections=60,
            fallback_root=self.folder,
        )
        self._number = itertools.count(1)
        self._workers = workers if self.kafka == "apache" else 1

    def __enter__(self) -> Self:
        try:
            self.store.start()
            self.target.start()
            self.broker.start()
            self._make_topics()
            self._fill_target()
            self._start_service()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def store_url(self) -> str:
        return self.store.url()

    def close(self) -> None:
        for process in [*getattr(self, "workers", []), *getattr(self, "apis", [])]:
            process.kill()
        if hasattr(self, "proxy"):
            self.proxy.close()
        self.broker.kill() if self.kafka == "apache" else self.broker.stop()
        self.store.stop()
        self.target.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap_servers})
        new = [NewTopic(name, num_partitions=PARTITIONS) for name in (TOPIC, f"{TOPIC}.dlq")]
        for future in admin.create_topics(new).values():
            future.result(30)

    def _fill_target(self) -> None:
        with psycopg.connect(self.target.url("demo", "postgres")) as db:
            db.execute("create schema load")
            for number in range(TABLES):
                db.execute(
                    f"create table load.t{number} as select i as id, i as x from "
                    "generate_series(1, 50) as i"
                )
            db.execute("grant usage on schema load to stringx_reader")
            db.execute("grant select on all tables in schema load to stringx_reader")

    def _start_service(self) -> None:
        common = {
            "STRINGX_TARGET_HOST": "127.0.0.1",
            "STRINGX_TARGET_PORT": str(self.target.port),
            "STRINGX_TARGET_USER": "stringx_reader",
            "STRINGX_TARGET_DBNAME": "demo",
            "STRINGX_TARGET_SSLMODE": "disable",
            "DBT_ENV_SECRET_TARGET_PASSWORD": self.target.password("stringx_reader"),
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "STRINGX_KAFKA_ASSIGNMENT": "group" if self.kafka == "apache" else "manual",
            "STRINGX_KAFKA_SESSION_TIMEOUT_S": "6",
            "STRINGX_KAFKA_DELIVERY_TIMEOUT_S": "2",
        }
        self.apis = [self._api(number, common) for number in range(2)]
        self.apis[0].start()  # it migrates the database, which the other then need not wait for
        self.apis[0].wait_ready()
        self.apis[1].start()
        self.api = self.apis[0]
        self.proxy = FaultyProxy(self.api.url)
        self.workers = [self._worker(number, common) for number in range(self._workers)]
        for worker in self.workers:
            worker.start()
        self.configure("x")
        for worker in self.workers:
            worker.wait_ready()

    def _api(self, number: int, common: dict[str, str]) -> Process:
        port = ports.choose_free()
        environment = {
            **common,
            "STRINGX_DATABASE_URL": self.store_url,
            "STRINGX_API_PORT": str(port),
            "STRINGX_DATA_DIR": str(self.folder / f"api{number}-data"),
            "STRINGX_LEASE_S": "3",
            "STRINGX_SWEEP_INTERVAL_S": "1",
            "STRINGX_REQUEUE_AFTER_S": "5",
            "STRINGX_RATE_PER_MINUTE": "0",
        }
        return Process("api", environment, self.folder / f"api{number}.log", port)

    def _worker(self, number: int, common: dict[str, str]) -> Process:
        port = ports.choose_free()
        environment = {
            **common,
            "STRINGX_API_URL": self.proxy.url,
            "STRINGX_CONSUMER_PORT": str(port),
            "STRINGX_DATA_DIR": str(self.folder / f"worker{number}-data"),
            "STRINGX_RETRY_MAX_S": "1",
            "STRINGX_PORTAL": "false",
            "STRINGX_SHUTDOWN_S": "20",
            **({"STRINGX_KAFKA_INSTANCE_ID": f"worker-{number}"} if self.kafka == "apache" else {}),
        }
        return Process("consumer", environment, self.folder / f"worker{number}.log", port)

    def configure(self, column: str) -> None:
        """Give every table its rules, the second one on this column."""
        base = f"{self.api.url}/api/v1"
        requests.put(f"{base}/connections/demo", json={}, timeout=60).raise_for_status()
        rules = [
            {"name": "id_known", "type": "not_null", "column": "id"},
            {"name": "second", "type": "not_null", "column": column},
        ]
        for number in range(TABLES):
            body = {"table": f"load.t{number}"}
            answer = requests.put(f"{base}/tables", json=body, timeout=60)
            answer.raise_for_status()
            answer = requests.put(
                f"{base}/tables/{answer.json()['id']}/rules", json={"rules": rules}, timeout=60
            )
            answer.raise_for_status()

    def requests(self, name: str, count: int) -> dict[str, dict[str, Any]]:
        """New requests by id, spread over the tables, each of other rows."""
        made = {}
        for number in range(count):
            check_id = f"{name}-{next(self._number):06}"
            scope = [{"column": "id", "op": ">=", "value": -number}]
            made[check_id] = {
                "id": check_id,
                "table": f"load.t{number % TABLES}",
                "scope": scope,
            }
        return made

    def send(self, *documents: dict[str, Any]) -> None:
        """Requests as messages, acknowledged by the broker."""
        self.produce(
            *({"value": json.dumps(one).encode(), "key": one["table"]} for one in documents)
        )

    def produce(self, *messages: dict[str, Any]) -> None:
        servers = self.broker.bootstrap_servers
        producer = Producer({"bootstrap.servers": servers, "acks": "all"})
        for message in messages:
            producer.produce(TOPIC, **message)
            producer.poll(0)
        if producer.flush(60):
            raise Vain("the broker did not take the messages of the suite")

    def trigger(self, document: dict[str, Any], **more: Any) -> requests.Response:
        """A request over HTTP, asked again with its id until the API has it."""
        body = {"mode": "async", **document, **more}

        def ask() -> list[requests.Response]:  # a refusal is an answer, but as such it is falsy
            answer = requests.post(f"{self.api.url}/api/v1/checks", json=body, timeout=30)
            return [] if answer.status_code >= 500 else [answer]

        return eventually(ask, "the API to take a request")[0]

    def check(self, check_id: str) -> dict[str, Any]:
        answer = requests.get(f"{self.api.url}/api/v1/checks/{check_id}", timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def stored(self, ids: list[str]) -> int:
        return counting.finished(self.store_url, ids)

    def wait_stored(self, ids: list[str], count: int | None = None) -> None:
        wanted = len(ids) if count is None else count
        eventually(
            lambda: self.stored(ids) >= wanted,
            f"{wanted} results; worker: {self.workers[0].log_file.read_text()[-1500:]}",
        )

    def dead(self, mark: str) -> dict[str, list[str]]:
        return counting.dead_letters(self.store_url, mark)

    def committed(self) -> dict[int, int]:
        """Committed offsets by partition."""
        consumer = Consumer(
            {"bootstrap.servers": self.broker.bootstrap_servers, "group.id": "stringx"}
        )
        try:
            wanted = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
            found = consumer.committed(wanted, timeout=10)
            return {one.partition: max(0, one.offset) for one in found}
        finally:
            consumer.close()

    def restart_store(self) -> None:
        """An immediate end of PostgreSQL, as in a crash, and its start."""
        assert self.store.child is not None
        self.store.child.send(signal.SIGQUIT)
        self.store.child.wait(30)
        self.store.stop()
        self.store.start()

    @contextmanager
    def frozen_broker(self) -> Iterator[None]:
        """The broker stands still, as with a machine that hangs."""
        broker = self.broker
        pids = [broker.pid] if self.kafka == "apache" else [one.pid for one in broker.children]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
