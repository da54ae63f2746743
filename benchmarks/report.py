"""What a benchmark hands back: Markdown for people, a document for programs, and its faults."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def say(line: str) -> None:
    """Progress, on stderr: stdout has the report alone."""
    print(f"benchmarks: {line}", file=sys.stderr, flush=True)


@dataclass
class Report:
    """`faults` make the exit code 1: a wrong verdict, a contender that broke, lost messages.

    `load` is of the minute before anything was measured: other work on the machine shows there.
    """

    title: str
    paragraphs: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))
    _since: tuple[int, int] | None = field(default_factory=lambda: _processor_time())

    @property
    def stolen_percent(self) -> float | None:
        """How much of the processors' time since then other machines on the same host had; None
        where the system does not say."""
        until = _processor_time()
        if self._since is None or until is None or until[1] == self._since[1]:
            return None
        return round(100 * (until[0] - self._since[0]) / (until[1] - self._since[1]), 1)

    def add(self, *paragraphs: str) -> None:
        """Add Markdown paragraphs, tables among them."""
        self.paragraphs += paragraphs

    def markdown(self) -> str:
        """The whole report, faults at its end."""
        parts = [f"## {self.title}", *self.paragraphs]
        if self.stolen_percent is not None:
            parts.append(
                f"Processor time taken by other machines meanwhile: {self.stolen_percent} %."
            )
        if self.faults:
            parts.append("**Faults**\n\n" + "\n".join(f"- {fault}" for fault in self.faults))
        return "\n\n".join(parts) + "\n"

    def json(self) -> dict[str, Any]:
        """As written to a file."""
        load = {"load_before": self.load, "stolen_percent": self.stolen_percent}
        about = {"title": self.title, "machine": {**machine(), **load}}
        return {**about, **self.document, "faults": self.faults}


def machine() -> dict[str, Any]:
    """What a reader needs to know of the machine, and nothing that names it."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor_time() -> tuple[int, int] | None:
    """Stolen and all time of the processors, in the ticks of proc(5)'s /proc/stat."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    ticks = [int(field) for field in lines[0].split()[1:9]]
    return ticks[7], sum(ticks)
