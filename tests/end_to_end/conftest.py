"""The whole service as `./start-service.sh` runs it, with its demo, once for all tests here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded import ports
from tests.conftest import PROJECT, clean_environment

STARTED = "Ctrl-C stops everything"


@dataclass(frozen=True)
class Service:
    """Where the running service is to be found, and what it said when it started."""

    api: str
    consumer: str
    bootstrap_servers: str
    output: str


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="stringx-test-"))
    folder.chmod(0o755)
    api, consumer, kafka = (ports.choose_free() for _ in range(3))
    environment = {
        **clean_environment(),
        "STRINGX_NO_INSTALL": "1",
        "STRINGX_VENV": sys.prefix,
        "STRINGX_DATA_DIR": str(folder),
        "STRINGX_API_PORT": str(api),
        "STRINGX_CONSUMER_PORT": str(consumer),
        "STRINGX_EMBEDDED_KAFKA_PORT": str(kafka),
    }
    process = subprocess.Popen(
        [str(PROJECT / "start-service.sh")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if STARTED in line:
                break
        else:
            pytest.fail(f"the service did not start:\n{output}")
        yield Service(
            f"http://127.0.0.1:{api}",
            f"http://127.0.0.1:{consumer}",
            f"127.0.0.1:{kafka}",
            output,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)
