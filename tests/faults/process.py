"""Processes of the service: started, killed, frozen, stopped and looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import requests

from tests.conftest import PROJECT, clean_environment
from tests.faults.machine import Machine

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
        self._moved: dict[str, str] = {}
        self.log_file = log_file
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, machine: Machine | None = None, **more: str) -> None:
        """Start it, with `more` in its environment, on this machine or on one of its own."""
        command = [sys.executable, "-m", self._module]
        own = machine.environment if machine else {}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                machine.command(command) if machine else command,
                cwd=PROJECT,
                env={**clean_environment(), **self._environment, **self._moved, **own, **more},
                stdout=log,
                stderr=log,
            )

    def move(self, environment: Mapping[str, str | None]) -> None:
        """Other settings from the next start on; those without a value as they were at first."""
        for name, value in environment.items():
            if value is None:
                self._moved.pop(name, None)
            else:
                self._moved[name] = value

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def health(self) -> dict[str, Any]:
        """What `/health/ready` says."""
        found: dict[str, Any] = requests.get(f"{self.url}/health/ready", timeout=5).json()
        return found

    def wait_ready(self) -> None:
        eventually(self._is_ready, f"{self._module}: {self.log_file.read_text()[-3000:]}")

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_file.read_text()[-3000:]
        return requests.get(f"{self.url}/health/ready", timeout=5).ok

    def kill(self) -> None:
        """SIGKILL, to the processes that it started too: none of them lives a moment longer."""
        if self.process is None or self.process.poll() is not None:
            return
        children = self.children()
        self.process.kill()  # first, or it would start them again
        _kill(children)
        self.process.wait(10)

    def kill_children(self) -> int:
        """SIGKILL to the processes that it started: dbt. How many."""
        return _kill(self.children())

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(60), time.monotonic() - began

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still, with the processes that it started."""
        pids = [self.pid, *self.children()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @property
    def working_pid(self) -> int:
        """The process that does the work: of the API, the one below that answers."""
        below = [pid for pid in self.children() if _command(pid) == _command(self.pid)]
        return below[0] if below else self.pid

    @property
    def rss_mb(self) -> float:
        """Memory in use."""
        status = Path(f"/proc/{self.working_pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.working_pid}/fd").iterdir()))

    def said(self, event: str) -> int:
        """How often its log has this event, of all its lives."""
        return self.log_file.read_text().count(f'"{event}"')

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


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _kill(pids: list[int]) -> int:
    killed = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed
