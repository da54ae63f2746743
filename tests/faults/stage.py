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
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import requests
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.service import EXIT_SOFTWARE
from embedded import ports
from embedded.broker import EmbeddedBroker
from embedded.postgres import EmbeddedPostgres
from tests.brokers.apache_kafka import ApacheKafka, apache_kafka_available
from tests.faults import counting
from tests.faults.passage import Passage
from tests.faults.process import Process, Vain, eventually
from tests.faults.proxy import FaultyProxy

TABLES = 10
RULES = 2
PARTITIONS = 4
TOPIC = "stringx.check.requests.v1"
PROFILES = """
stringx:
  target: demo
  outputs:
    demo: &demo
      type: postgres
      host: "{{ env_var('STRINGX_TARGET_HOST') }}"
      port: "{{ env_var('STRINGX_TARGET_PORT') | as_number }}"
      user: stringx_reader
      password: "{{ env_var('DBT_ENV_SECRET_TARGET_PASSWORD') }}"
      dbname: demo
      schema: public
      sslmode: disable
      connect_timeout: 5
      retries: 0
      threads: 4
    beyond:
      <<: *demo
      host: 127.0.0.1
      port: "{{ env_var('STRINGX_TARGET_BEYOND') | as_number }}"
"""
"""Two targets, the same database: `beyond` is reached through a passage that can be closed."""
GOOD_RULES = [
    {"name": "id_known", "type": "not_null", "column": "id"},
    {"name": "second", "type": "not_null", "column": "x"},
]
NUMBERS = "select i as id, i as x from generate_series(1, 50) as i"
"""What is in each table; all rules hold there."""
FAST = {"fsync": "off", "full_page_writes": "off"}  # a killed PostgreSQL leaves its files to us


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
        self._common: dict[str, str] = {}
        self._extra: list[Process] = []
        self.brought_back = 0
        """Workers that ended by themselves, since this was last set."""

    def __enter__(self) -> Self:
        try:
            self.store.start()
            self.target.start()
            self.broker.start()
            self.make_topics(TOPIC, f"{TOPIC}.dlq")
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

    @property
    def kafka_port(self) -> int:
        return int(self.broker.bootstrap_servers.rpartition(":")[2])

    def close(self) -> None:
        mine = [*getattr(self, "workers", []), *self._extra, *getattr(self, "apis", [])]
        for process in mine:
            process.kill()
        if hasattr(self, "proxy"):
            self.proxy.close()
        if hasattr(self, "passage"):
            self.passage.close()
        self.broker.__exit__(None, None, None)  # with its folder
        self.store.stop()
        self.target.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_topics(self, *names: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap_servers})
        new = [NewTopic(name, num_partitions=PARTITIONS) for name in names]
        for future in admin.create_topics(new).values():
            future.result(30)

    def _fill_target(self) -> None:
        with psycopg.connect(self.target.url("demo", "postgres")) as db:
            db.execute("create schema load")
            for number in range(TABLES):
                db.execute(f"create table load.t{number} as {NUMBERS}")
            db.execute("grant usage on schema load to stringx_reader")
            db.execute("grant select on all tables in schema load to stringx_reader")

    def _start_service(self) -> None:
        profiles = self.folder / "profiles"
        profiles.mkdir()
        (profiles / "profiles.yml").write_text(PROFILES)
        self.passage = Passage(self.target.port)
        common = self._common = {
            "DBT_PROFILES_DIR": str(profiles),
            "STRINGX_TARGET_HOST": "127.0.0.1",
            "STRINGX_TARGET_PORT": str(self.target.port),
            "STRINGX_TARGET_BEYOND": str(self.passage.port),
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

    @contextmanager
    def more_workers(
        self, count: int, *, ready: bool = True, **more: str
    ) -> Iterator[list[Process]]:
        """Workers beside those of the stage, for a while; `ready` ones have their partitions."""
        extra = [self.new_worker() for _ in range(count)]
        for worker in extra:
            worker.start(**more)
        try:
            for worker in extra if ready else ():
                worker.wait_ready()
            yield extra
        finally:
            for worker in extra:
                worker.kill()

    def new_worker(self, **more: str) -> Process:
        """One beside those of the stage, not yet started."""
        number = len(self.workers) + len(self._extra)
        worker = self._worker(number, {**self._common, **more})
        self._extra.append(worker)
        return worker

    @contextmanager
    def on_a_broker_in_memory(self) -> Iterator[None]:
        """One API and one worker of the stage, on the embedded broker for a while."""
        before = self.broker, self.kafka, self.workers
        memory = EmbeddedBroker(ports.choose_free(), log_file=self.folder / "broker.log")
        moved = {
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": memory.bootstrap_servers,
            "STRINGX_KAFKA_ASSIGNMENT": "manual",
        }
        for process in (*self.workers, *self.apis):
            process.stop()
        self.broker, self.kafka, self.workers = memory, "embedded", self.workers[:1]
        try:
            memory.start()
            for process in (self.api, *self.workers):
                process.move(moved)
                process.start()
            for process in (self.api, *self.workers):
                process.wait_ready()
            yield
        finally:
            for process in (self.api, *self.workers):
                process.stop()
                process.move(dict.fromkeys(moved))
            memory.stop()
            self.broker, self.kafka, self.workers = before
            for process in (*self.apis, *self.workers):
                process.start()
            for process in (*self.apis, *self.workers):
                process.wait_ready()

    def configure(self, column: str) -> None:
        """Give every table its rules, the second one on this column."""
        rules = [GOOD_RULES[0], {**GOOD_RULES[1], "column": column}]
        for number in range(TABLES):
            self.configure_table(f"load.t{number}", rules)

    def configure_table(
        self,
        table: str,
        rules: list[dict[str, Any]] | None = None,
        connection: str = "demo",
    ) -> int:
        """Give a table these rules; its number at the API."""
        base = f"{self.api.url}/api/v1"
        session = requests.Session()
        session.put(f"{base}/connections/{connection}", json={}, timeout=60).raise_for_status()
        body = {"table": table, "connection": connection}
        answer = session.put(f"{base}/tables", json=body, timeout=60)
        answer.raise_for_status()
        table_id = int(answer.json()["id"])
        wanted = {"rules": GOOD_RULES if rules is None else rules}
        session.put(f"{base}/tables/{table_id}/rules", json=wanted, timeout=60).raise_for_status()
        return table_id

    def forget_table(self, table_id: int) -> None:
        requests.delete(f"{self.api.url}/api/v1/tables/{table_id}", timeout=60).raise_for_status()

    @contextmanager
    def view(self, name: str, query: str, connection: str = "demo") -> Iterator[str]:
        """A table of the target that is this query, with the rules of all tables."""
        table = f"load.{name}"
        self.in_target(
            f"create or replace view {table} as {query}", f"grant select on {table} to public"
        )
        table_id = self.configure_table(table, connection=connection)
        try:
            yield table
        finally:
            self.forget_table(table_id)

    def in_target(self, *statements: str) -> None:
        """Done to the target by its owner."""
        with psycopg.connect(self.target.url("demo", "postgres")) as db:
            for statement in statements:
                db.execute(statement)  # type: ignore[call-overload]

    def in_store(self, *statements: str) -> None:
        """Done to the service's own database by the superuser."""
        with psycopg.connect(self.store.url("stringx", "postgres"), autocommit=True) as db:
            for statement in statements:
                db.execute(statement)  # type: ignore[call-overload]

    def active(self, words: str) -> int:
        """Queries of checks that the target runs now and that have these words in them."""
        with psycopg.connect(self.target.url("demo", "postgres")) as db:
            row = db.execute(
                "select count(*) from pg_stat_activity where state = 'active' "
                "and usename = 'stringx_reader' and query like %s",
                (f"%{words}%",),
            ).fetchone()
        assert row is not None
        return int(row[0])

    def requests(
        self, name: str, count: int, table: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """New requests by id, spread over the tables unless one is named, each of other rows."""
        made = {}
        for number in range(count):
            check_id = f"{name}-{next(self._number):06}"
            scope = [{"column": "id", "op": ">=", "value": -number}]
            made[check_id] = {
                "id": check_id,
                "table": table or f"load.t{number % TABLES}",
                "scope": scope,
            }
        return made

    def send(self, *documents: dict[str, Any]) -> None:
        """Requests as messages, acknowledged by the broker."""
        self.produce(
            *({"value": json.dumps(one).encode(), "key": one["table"]} for one in documents)
        )

    def produce(self, *messages: dict[str, Any], topic: str = TOPIC) -> None:
        servers = self.broker.bootstrap_servers
        producer = Producer({"bootstrap.servers": servers, "acks": "all", "log_level": 0})
        for message in messages:
            producer.produce(topic, **message)
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

    def bring_back(self) -> None:
        """Start workers again that gave up by themselves, as what runs their containers does."""
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() == EXIT_SOFTWARE:
                worker.start()
                self.brought_back += 1

    def stored(self, ids: list[str]) -> int:
        self.bring_back()
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
        """An immediate end of the service's PostgreSQL, as in a crash, and its start."""
        _crash(self.store)

    def restart_target(self) -> None:
        """The same with the target's."""
        _crash(self.target)

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
                with suppress(ProcessLookupError):  # killed meanwhile
                    os.kill(pid, signal.SIGCONT)


def _crash(server: EmbeddedPostgres) -> None:
    assert server.child is not None
    server.child.send(signal.SIGQUIT)
    server.child.wait(30)
    server.stop()
    server.start()
