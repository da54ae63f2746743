"""What a benchmark hands back: Markdown for people, a document for programs, and its faults."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
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

    def add(self, *paragraphs: str) -> None:
        """Add Markdown paragraphs, tables among them."""
        self.paragraphs += paragraphs

    def markdown(self) -> str:
        """The whole report, faults at its end."""
        parts = [f"## {self.title}", *self.paragraphs]
        if self.faults:
            parts.append("**Faults**\n\n" + "\n".join(f"- {fault}" for fault in self.faults))
        return "\n\n".join(parts) + "\n"

    def json(self) -> dict[str, Any]:
        """As written to a file."""
        about = {"title": self.title, "machine": {**machine(), "load_before": self.load}}
        return {**about, **self.document, "faults": self.faults}


def machine() -> dict[str, Any]:
    """What a reader needs to know of the machine, and nothing that names it."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
