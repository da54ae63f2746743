"""Memory of processes, from /proc (Linux, proc(5))."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Its children, their children, and so on."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def resident_mb(pid: int) -> float:
    """What the process holds in memory now; 0 when it is gone."""
    return _status(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """The most that it ever held; 0 when it is gone."""
    return _status(pid, "VmHWM")


def command(pid: int) -> str:
    """Its command line, "" when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return ""


def _status(pid: int, field: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    return 0.0
