"""A contender's resident process, seen from the benchmark: see contenders/protocol.py."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.database import PROJECT
from benchmarks.processes import descendants, peak_mb
from benchmarks.work import Finding, Target, Work

STOP_S = 20.0
# A contender sees nothing of the settings that the benchmark itself runs under.
_HIDDEN = ("STRINGX_", "DBT_", "PG", "SODA_")


class ContenderFailed(RuntimeError):
    """It gave an error, or no answer in time; the message is one line."""


@dataclass(frozen=True)
class Run:
    """One timed run: seconds of the work alone, and what was found."""

    seconds: float
    findings: tuple[Finding, ...]


@dataclass
class Resident:
    """One running contender. Calls raise ContenderFailed.

    `start` and `prepare` only ask, so that several contenders may do it side by side; `ready` waits
    for the answer.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    time_limit_s: float = 300.0
    versions: dict[str, str] = field(default_factory=dict)

    def start(self, target: Target) -> None:
        """Start the process and ask it to get ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._unread, self._children_peak_mb = b"", 0.0
        clean = {k: v for k, v in os.environ.items() if not k.startswith(_HIDDEN)}
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                list(self.command),
                cwd=PROJECT,
                env={**clean, **self.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._send({"do": "open", "target": vars(target), "folder": str(self.folder)})

    def prepare(self, work: Work) -> None:
        """Ask for what it does once for a set of checks."""
        self._send({"do": "prepare", "work": work.document()})

    def ready(self) -> None:
        """Wait until what was asked last is done."""
        self.versions |= self._receive().get("versions", {})

    def run(self, work: Work) -> Run:
        """One run of prepared work."""
        self._send({"do": "run", "work": work.name})
        answer = self._receive()
        self._children_peak_mb = answer["children_peak_mb"]
        findings = tuple(Finding(**finding) for finding in answer["findings"])
        return Run(answer["seconds"], findings)

    def memory(self) -> tuple[float, float]:
        """Peak MB of the process itself, and of the processes that it started."""
        running = sum(peak_mb(pid) for pid in descendants(self._process.pid))
        return peak_mb(self._process.pid), max(running, self._children_peak_mb)

    def stop(self) -> None:
        """Let it close, or kill it."""
        if self._process.poll() is None:
            try:
                self._send({"do": "close"})
                self._process.wait(STOP_S)
            except (ContenderFailed, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, question: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise ContenderFailed(self._words("has ended")) from None

    def _receive(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line())
        if not answer["ok"]:
            raise ContenderFailed(self._words(answer["error"]))
        return answer

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + self.time_limit_s
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                self._process.kill()
                raise ContenderFailed(self._words(f"gave no answer in {self.time_limit_s:g} s"))
            part = os.read(descriptor, 1 << 16)
            if not part:
                raise ContenderFailed(self._words("has ended"))
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _words(self, what: str) -> str:
        return f"{self.name}: {what} (log: {self.folder.name}/log)"
