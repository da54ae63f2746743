"""How the benchmark talks with a contender: JSON lines over stdin and stdout.

    {"do": "open", "target": {…}, "folder": "…"}   → {"ok": true, "versions": {…}}
    {"do": "prepare", "work": {…}}                 → {"ok": true}
    {"do": "run", "work": "name"}                  → {"ok": true, "seconds": s, "findings": […],
                                                      "children_peak_mb": m}
    {"do": "close"}                                → {"ok": true}, and the process ends

What goes wrong is {"ok": false, "error": "one line"}. `prepare` is for what a resident program does
once for a set of checks, and is not timed; `seconds` covers `run` alone, not the conversation.
Standard library only.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from benchmarks.work import Finding, Target, Work


class Contender(Protocol):
    """A way to check a table, warm: it may keep open whatever its users could keep open.

    `starts_processes`: each run is a process of its own, whose memory counts.
    """

    starts_processes: bool

    def open(self, target: Target, folder: Path) -> dict[str, str]:
        """Get ready; `folder` is its own. The versions of what it runs."""

    def prepare(self, work: Work) -> None:
        """Do what is done once for a set of checks, however often they run."""

    def run(self, work: Work) -> Any:
        """Judge all checks; whatever it answers is handed to `findings`. This is timed."""

    def findings(self, work: Work, found: Any) -> Sequence[Finding]:
        """What a run found. Not timed."""

    def close(self) -> None:
        """Let go of everything."""


def serve(contender: Contender) -> None:
    """Answer on stdout until `close` or the end of stdin. Whatever is printed goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    works: dict[str, Work] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = _answer(contender, works, asked)
        except Exception as error:
            traceback.print_exc()
            words = " ".join(str(error).split())[:500]
            answer = {"ok": False, "error": f"{type(error).__name__}: {words}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if asked["do"] == "close":
            break


def _answer(contender: Contender, works: dict[str, Work], asked: dict[str, Any]) -> dict[str, Any]:
    match asked["do"]:
        case "open":
            versions = contender.open(Target(**asked["target"]), Path(asked["folder"]))
            return {"ok": True, "versions": versions}
        case "prepare":
            work = Work.from_document(asked["work"])
            contender.prepare(work)
            works[work.name] = work
            return {"ok": True}
        case "run":
            return _timed_run(contender, works[asked["work"]])
        case "close":
            contender.close()
            return {"ok": True}
    return {"ok": False, "error": f"unknown request {asked['do']!r}"}


def _timed_run(contender: Contender, work: Work) -> dict[str, Any]:
    gc.collect()  # one run must not pay for what an earlier one left
    started = time.perf_counter()
    found = contender.run(work)
    seconds = time.perf_counter() - started
    findings = contender.findings(work, found)
    # Linux counts it in KiB: getrusage(2).
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "ok": True,
        "seconds": seconds,
        "findings": [asdict(finding) for finding in findings],
        "children_peak_mb": peak_mb if contender.starts_processes else 0.0,
    }
