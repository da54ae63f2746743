"""Starts and stops the whole service on one machine."""

import fcntl
import http.client
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self

from embedded import broker, ports, postgres
from embedded.broker import EmbeddedBroker
from embedded.child import Child
from embedded.errors import EmbeddedError
from embedded.leftovers import Roster, adopt_orphans, end_orphans
from embedded.postgres import EmbeddedPostgres
from embedded.roles import READER, TARGET_DATABASE
from embedded.settings import PROJECT, EmbeddedSettings, environment

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ANY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 compared with, not listened on


class Supervisor:
    """PostgreSQL, broker, API and consumer, each with a log file; a context manager.

    What the settings name is used as it is; what they do not name is started here. Leaving the
    context stops all of it in the opposite order and leaves no process behind.
    """

    def __init__(self, settings: EmbeddedSettings, say: Callable[[str], None]) -> None:
        """`say` gets one line for each step."""
        self.settings = settings
        self.data_dir = settings.data_dir.absolute()
        self.logs = self.data_dir / "logs"
        self.postgres: EmbeddedPostgres | None = None
        self.broker: EmbeddedBroker | None = None
        self._say = say
        self._lock: IO[str] | None = None
        self._roster = Roster(self.data_dir / "processes.json")
        self._children: list[Child] = []
        self.variables = environment()

    @property
    def api_url(self) -> str:
        """The base URL of the API, without a slash at its end."""
        return f"http://{_reachable(self.settings.api_host)}:{self.settings.api_port}"

    @property
    def consumer_url(self) -> str:
        """The base URL of the consumer."""
        return f"http://{_reachable(self.settings.consumer_host)}:{self.settings.consumer_port}"

    def __enter__(self) -> Self:
        adopt_orphans()
        try:
            self._take_data_dir()
            self._require_ports()
            self._start_stores()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_service(self) -> None:
        """Migrate, start API and consumer, wait until both are ready; raises EmbeddedError."""
        self._migrate()
        for name, url, port in (
            ("api", self.api_url, self.settings.api_port),
            ("consumer", self.consumer_url, self.settings.consumer_port),
        ):
            started = time.monotonic()
            child = Child(
                f"the {name}",
                [sys.executable, "-m", name],
                self.logs / f"{name}.log",
                environment=self._variables_of(name),
                folder=PROJECT,
            )
            self._children.append(child)
            self._roster.add(child.pid)
            host = url.removeprefix("http://").rsplit(":", 1)[0]
            child.wait_until(
                lambda host=host, port=port: self.require_alive() and is_ready(host, port),  # type: ignore[misc]
                self.settings.embedded_start_timeout_seconds,
                broker.TIMEOUT_SETTING,
            )
            self._say(f"{name} ready at {url} ({time.monotonic() - started:.1f} s)")

    def watch(self) -> None:
        """Return never; raise EmbeddedError when a part has stopped by itself."""
        while self.require_alive():
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop everything: consumer, API, broker, PostgreSQL."""
        # Stopping has its own time limits; a second Ctrl-C must not cut it short.
        handlers = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
        for child in reversed(self._children):
            child.stop(signal.SIGTERM, seconds=self.settings.embedded_stop_timeout_seconds)
        self._children.clear()
        for store in (self.broker, self.postgres):
            if store is not None:
                store.stop()
        if self._lock is not None:
            end_orphans()
            self._roster.clear()
            self._lock.close()
            self._lock = None
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def require_alive(self) -> bool:
        """True while every part runs; raises EmbeddedError when one has stopped by itself."""
        for child in (
            *self._children,
            *(self.broker.children if self.broker else ()),
            *([self.postgres.child] if self.postgres and self.postgres.child else ()),
        ):
            child.require_running()
        return True

    def _take_data_dir(self) -> None:
        """Make the folder ours: it must be writable and no other supervisor may run in it."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._lock = (self.data_dir / "service.lock").open("a+")
        except OSError as error:
            raise EmbeddedError(
                f"cannot write to {self.data_dir} ({error.strerror}): "
                "set STRINGX_DATA_DIR to a folder that you may write to"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            pid = self._lock.read().strip() or "unknown"
            self._lock.close()
            self._lock = None
            raise EmbeddedError(
                f"StringX already runs in {self.data_dir} (pid {pid}): stop it by "
                f"`kill {pid}`, or set STRINGX_DATA_DIR to another folder for a second one"
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()
        if leftovers := self._roster.clear():
            self._say(f"stopped {leftovers} processes left from a start that was killed")

    def _require_ports(self) -> None:
        ports.require_free(self.settings.api_port, "the API", "STRINGX_API_PORT")
        ports.require_free(self.settings.consumer_port, "the consumer", "STRINGX_CONSUMER_PORT")
        if not self.settings.kafka_bootstrap_servers:
            ports.require_free(
                self.settings.embedded_kafka_port, "the embedded Kafka broker", broker.PORT_SETTING
            )

    def _start_stores(self) -> None:
        settings = self.settings
        if not settings.database_url:
            started = time.monotonic()
            self.postgres = EmbeddedPostgres(
                self.data_dir / "postgres",
                log_file=self.logs / "postgresql.log",
                binaries=settings.embedded_postgres_bin,
                start_timeout=settings.embedded_start_timeout_seconds,
                reader_connections=settings.embedded_reader_connections,
            )
            self.postgres.start()
            self._say(
                f"PostgreSQL on {ports.LOOPBACK}:{self.postgres.port}, kept in "
                f"{self.postgres.data_dir} ({time.monotonic() - started:.1f} s)"
            )
        if not settings.kafka_bootstrap_servers:
            self.broker = EmbeddedBroker(
                settings.embedded_kafka_port,
                log_file=self.logs / "broker.log",
                start_timeout=settings.embedded_start_timeout_seconds,
            )
            self.broker.start()
            for child in self.broker.children:
                self._roster.add(child.pid)
            self._say(
                f"Kafka broker on {self.broker.bootstrap_servers}, in memory: "
                "its messages are gone when it stops"
            )
        self.variables |= self._embedded_variables()

    def _embedded_variables(self) -> dict[str, str]:
        """What the children are told beside what we were told ourselves."""
        variables = {
            "STRINGX_DATA_DIR": str(self.data_dir),
            "STRINGX_API_URL": self.api_url,
            "STRINGX_WORKER_TOKEN": self.variables.get("STRINGX_WORKER_TOKEN")
            or secrets.token_urlsafe(32),
            "PYTHONUNBUFFERED": "1",
        }
        if self.postgres is not None:
            variables |= {
                "STRINGX_DATABASE_URL": self.postgres.url(),
                "STRINGX_TARGET_HOST": ports.LOOPBACK,
                "STRINGX_TARGET_PORT": str(self.postgres.port),
                "STRINGX_TARGET_USER": READER,
                "STRINGX_TARGET_DBNAME": TARGET_DATABASE,
                "STRINGX_TARGET_SSLMODE": "disable",
                "DBT_ENV_SECRET_TARGET_PASSWORD": self.postgres.password(READER),
            }
        if self.broker is not None:
            variables |= {
                "STRINGX_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
                "STRINGX_KAFKA_ASSIGNMENT": "manual",
            }
        return variables

    def _variables_of(self, process: str) -> dict[str, str]:
        """What a child is told: the worker has a token of its own, and not the operator's."""
        if process != "consumer":
            return self.variables
        operators = ("STRINGX_API_TOKEN", "STRINGX_API_TOKEN_FILE")
        return {name: value for name, value in self.variables.items() if name not in operators}

    def _migrate(self) -> None:
        started = time.monotonic()
        log_file = self.logs / "migrate.log"
        child = Child(
            "the migration",
            [sys.executable, "-m", "api", "migrate"],
            log_file,
            environment=self.variables,
            folder=PROJECT,
        )
        self._children.append(child)
        if not child.wait(self.settings.embedded_start_timeout_seconds):
            raise EmbeddedError(
                f"the migration of the database did not end: see {log_file}, "
                f"or allow more time by {postgres.TIMEOUT_SETTING}",
                log=child.log_tail(),
            )
        self._children.remove(child)
        if child.exit_code != 0:
            raise EmbeddedError(
                f"the database could not be migrated: see {log_file}", log=child.log_tail()
            )
        self._say(f"database migrated ({time.monotonic() - started:.1f} s)")


def is_ready(host: str, port: int) -> bool:
    """Whether GET /health/ready answers 200; goes past any proxy that the environment names."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return ports.LOOPBACK if host in _ANY_ADDRESS else host
