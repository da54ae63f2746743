"""Apache Kafka for the tests: one KRaft node, its jars fetched by Maven, its data in a folder."""

import base64
import contextlib
import fcntl
import functools
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from embedded import ports
from embedded.child import Child

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17
MAVEN_SECONDS = 240
START_SECONDS = 90
STOP_SECONDS = 20
# A small machine runs this beside PostgreSQL, dbt and the service: little heap, the quick compiler.
JVM_OPTIONS = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
# Below the range from which the system takes ports for outgoing connections (ip(7),
# ip_local_port_range), so that nobody takes a port while the broker is restarted.
PORTS = range(20_000, 30_000)


class ApacheKafkaUnavailable(RuntimeError):
    """This machine cannot run Apache Kafka; the message is one line that says why."""


class ApacheKafka:
    """A broker on 127.0.0.1 as a context manager.

    Topics, messages and offsets outlive `stop()` and `kill()`: `start()` then brings the same
    broker back on the same port. They are removed with the end of the `with` block.
    """

    def __init__(self, *, settings: dict[str, str] | None = None) -> None:
        """`settings` are lines of server.properties that go before the ones below."""
        self._folder = Path(tempfile.mkdtemp(prefix="stringx-kafka-"))
        self._settings = settings or {}
        self._port, self._controller_port = _two_free_ports()
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """What a Kafka client calls bootstrap.servers."""
        return f"{ports.LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id, None while it does not run."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the broker and wait until it answers; does nothing when it runs.

        Raises ApacheKafkaUnavailable without Java or the jars, EmbeddedError when it ends at once
        or does not answer in time.
        """
        if self._child is not None:
            return
        java = [str(_java()), *JVM_OPTIONS, "-cp", f"{jars()}/*"]
        properties = self._folder / "server.properties"
        if not properties.exists():
            self._format(java, properties)
        log_level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        self._child = Child(
            "Apache Kafka",
            [*java, log_level, "kafka.Kafka", str(properties)],
            self._folder / "kafka.log",
            folder=self._folder,
            death_signal=signal.SIGKILL,
        )
        try:
            self._child.wait_until(self._answers, START_SECONDS, "START_SECONDS")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """An orderly end, as for an upgrade of the broker."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """An end without warning, as when the machine dies."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._child is not None:
            self._child.stop(how, seconds=STOP_SECONDS)
            self._child = None

    def _format(self, java: list[str], properties: Path) -> None:
        """Give the node its cluster id, once in its life (KIP-853: a quorum of this node alone)."""
        unformatted = self._folder / "unformatted.properties"
        unformatted.write_text(
            "".join(f"{name}={value}\n" for name, value in self._properties().items())
        )
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        _run(
            [
                *(*java, "kafka.tools.StorageTool", "format", "--standalone"),
                # One word: an id may begin with a hyphen.
                *(f"--cluster-id={cluster_id}", "--config", str(unformatted)),
            ],
            seconds=START_SECONDS,
        )
        unformatted.rename(properties)

    def _properties(self) -> dict[str, str]:
        client = f"PLAINTEXT://{self.bootstrap_servers}"
        controller = f"{ports.LOOPBACK}:{self._controller_port}"
        return {
            "auto.create.topics.enable": "true",
            "num.partitions": "4",
            # One broker can keep one copy; few partitions make start and end quick.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "2",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            # After a kill the node waits for the end of its former life's session.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "250",
            # Tests do not wait for members that never come, and may choose short sessions.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "group.consumer.min.session.timeout.ms": "1000",
            "group.consumer.min.heartbeat.interval.ms": "100",
            **self._settings,
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"{client},CONTROLLER://{controller}",
            "advertised.listeners": client,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": controller,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
        }

    def _answers(self) -> bool:
        if not ports.accepts(self._port):
            return False
        # The port opens before the node has joined its own cluster.
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        with contextlib.suppress(KafkaException):
            return bool(admin.list_topics(timeout=2).brokers)
        return False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def kafka_version() -> str:
    """The version of Apache Kafka that pom.xml names."""
    found = re.search(r"<kafka\.version>([\d.]+)</kafka\.version>", POM.read_text())
    assert found, f"{POM} names no kafka.version"
    return found[1]


@functools.cache
def apache_kafka_available() -> str | None:
    """None when this machine can run Apache Kafka (fetching it if need be), else why it cannot."""
    try:
        _java()
        jars()
    except ApacheKafkaUnavailable as reason:
        return str(reason)
    return None


def jars() -> Path:
    """The folder of Kafka's jars, fetched on first use; raises ApacheKafkaUnavailable.

    It is STRINGX_TEST_CACHE/kafka-<version>, or ~/.cache/stringx/kafka-<version>.
    """
    cache = Path(os.environ.get("STRINGX_TEST_CACHE") or Path.home() / ".cache" / "stringx")
    folder = cache / f"kafka-{kafka_version()}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(cache / "kafka.lock"):
        if not folder.is_dir():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise ApacheKafkaUnavailable("no mvn on the PATH to fetch Apache Kafka: install maven")
    # Aside and then renamed: a fetch that is cut short leaves no half folder of jars.
    partial = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    try:
        _run(
            [
                *("mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"),
                f"-DoutputDirectory={partial}",
            ],
            seconds=MAVEN_SECONDS,
        )
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _java() -> Path:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        raise ApacheKafkaUnavailable(f"no java on the PATH: install Java {OLDEST_JAVA} or newer")
    version = re.search(r'version "(\d+)', _run([found, "-version"], seconds=30))
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise ApacheKafkaUnavailable(f"{found} is older than Java {OLDEST_JAVA}: install a newer")
    return Path(found)


def _run(command: list[str], *, seconds: float) -> str:
    """Run a command to its end and give its output; raises ApacheKafkaUnavailable."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ApacheKafkaUnavailable(f"{name} did not end within {seconds:g} s") from None
    except OSError as error:
        raise ApacheKafkaUnavailable(f"{name} cannot be run: {error}") from error
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no output"]
        reason = next((line for line in lines if "ERROR" in line), lines[-1])
        raise ApacheKafkaUnavailable(f"{name} ended with {done.returncode}: {reason[:300]}")
    return done.stdout


def _two_free_ports() -> tuple[int, int]:
    free = (port for port in random.sample(PORTS, len(PORTS)) if ports.is_free(port))
    return next(free), next(free)


@contextlib.contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock file: parallel test processes fetch once."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
