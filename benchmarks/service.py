"""The whole service, as it is deployed: broker, API and consumer as processes of their own.

Everything that a deployment has is on: the bearer token, the portal, metrics, logs, idempotency,
the outbox. Its own database is a new one on the benchmarks' server.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from benchmarks.contenders.stringx import CONNECTION, target_variables
from benchmarks.database import PROJECT, Database, data_folder
from embedded import ports
from embedded.broker import EmbeddedBroker
from embedded.child import Child
from embedded.errors import EmbeddedError
from embedded.roles import SERVICE, SUPERUSER
from embedded.supervisor import is_ready

BrokerName = Literal["embedded", "apache"]
START_S = 90.0
STOP_S = 40.0
IDLE_S = 5.0
_OURS = ("STRINGX_", "DBT_", "PG")


class Refused(RuntimeError):
    """The API refused what the benchmark asked of it; the message is its answer."""


class Api:
    """The API over one connection that is kept open."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self._connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=120)
        self._used = 0.0
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """The JSON answer of a path below /api/v1; raises Refused."""
        body = None if document is None else json.dumps(document)
        status, text = self._ask(method, f"/api/v1{path}", body)
        if not 200 <= status < 300:
            raise Refused(f"{method} {path}: {status} {text[:300]!r}")
        return json.loads(text) if text else None

    def text(self, path: str) -> str:
        """What a path answers to GET; raises Refused."""
        status, text = self._ask("GET", path, None)
        if status != 200:
            raise Refused(f"GET {path}: {status}")
        return text.decode()

    def configure(self, table: str, rules: list[dict[str, object]]) -> int:
        """Register a table with its rules; its id."""
        found = self.call("PUT", "/tables", {"connection": CONNECTION, "table": table})
        self.call("PUT", f"/tables/{found['id']}/rules", {"rules": rules})
        return int(found["id"])

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        if time.monotonic() - self._used > IDLE_S:
            self._connection.close()  # the server closes an idle one, perhaps just now
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        self._used = time.monotonic()
        return answer.status, text


@dataclass
class Service:
    """A running service."""

    api: Api
    api_process: Child
    consumer: Child
    consumer_site: Api
    bootstrap_servers: str
    topic: str
    database_url: str
    broker: str

    def metrics(self) -> dict[str, str]:
        """What Prometheus would read now, by process."""
        return {
            "api": self.api.text("/metrics"),
            "consumer": self.consumer_site.text("/metrics"),
        }

    def require_alive(self) -> None:
        """Raise EmbeddedError where a part has ended by itself."""
        self.api_process.require_running()
        self.consumer.require_running()


@contextmanager
def open_service(database: Database, broker: BrokerName = "embedded") -> Iterator[Service]:
    """Start all of it; EmbeddedError where a part does not start."""
    folder = data_folder() / "service"
    shutil.rmtree(folder, ignore_errors=True)
    with ExitStack() as ending:
        servers, assignment, named = _start_broker(broker, folder, ending)
        store = new_database(database, ending)
        api_port, consumer_port = ports.choose_free(), ports.choose_free()
        token = secrets.token_urlsafe(24)
        variables = {
            **{k: v for k, v in os.environ.items() if not k.startswith(_OURS)},
            **target_variables(database.target),
            "STRINGX_DATABASE_URL": store,
            "STRINGX_API_PORT": str(api_port),
            "STRINGX_API_TOKEN": token,
            "STRINGX_API_URL": f"http://{ports.LOOPBACK}:{api_port}",
            "STRINGX_CONSUMER_PORT": str(consumer_port),
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": servers,
            "STRINGX_KAFKA_ASSIGNMENT": assignment,
            "STRINGX_DATA_DIR": str(folder),
        }
        migration = _child("api", ["migrate"], variables, folder / "migrate.log")
        if not migration.wait(START_S) or migration.exit_code:
            raise EmbeddedError("the benchmark's database cannot be migrated", migration.log_tail())
        children = {}
        for name, port in (("api", api_port), ("consumer", consumer_port)):
            child = children[name] = _child(name, [], variables, folder / f"{name}.log")
            ending.callback(child.stop, seconds=STOP_S)
            child.wait_until(
                lambda port=port: is_ready(ports.LOOPBACK, port),  # type: ignore[misc]
                START_S,
                "START_S in benchmarks/service.py",
            )
        api, site = Api(api_port, token), Api(consumer_port, token)
        for connection in (api, site):
            ending.callback(connection.close)
        api.call("PUT", f"/connections/{CONNECTION}", {})
        topic = "stringx.check.requests.v1"
        yield Service(
            api, children["api"], children["consumer"], site, servers, topic, store, named
        )


def _child(name: str, words: list[str], variables: dict[str, str], log_file: Path) -> Child:
    command = [sys.executable, "-m", name, *words]
    return Child(f"the {name}", command, log_file, environment=variables, folder=PROJECT)


def _start_broker(name: BrokerName, folder: Path, ending: ExitStack) -> tuple[str, str, str]:
    """Its bootstrap servers, how a consumer is to take partitions, and what it is."""
    if name == "embedded":
        embedded = ending.enter_context(EmbeddedBroker(0, log_file=folder / "broker.log"))
        return embedded.bootstrap_servers, "manual", "the embedded broker"
    from tests.brokers.apache_kafka import (  # only here: it is the tests'
        ApacheKafka,
        ApacheKafkaUnavailable,
        kafka_version,
    )

    try:
        apache = ending.enter_context(ApacheKafka())
    except ApacheKafkaUnavailable as reason:
        raise EmbeddedError(f"Apache Kafka cannot be started here: {reason}") from reason
    return apache.bootstrap_servers, "group", f"Apache Kafka {kafka_version()}"


def new_database(database: Database, ending: ExitStack) -> str:
    """An empty database for the service's own data, dropped in the end; its URL."""
    name = f"benchmark_{time.time_ns()}"
    admin = database.server.url("postgres", SUPERUSER)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"create database {name} owner {SERVICE}")

    def drop() -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")

    ending.callback(drop)
    return database.server.url(name)
