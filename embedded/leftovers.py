"""What a killed supervisor left running, and what a stopped one must not leave."""

import contextlib
import ctypes
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 10.0


class Roster:
    """The processes of a data folder, remembered in a file for the next start.

    A process is known by its number and its start time, so that a number given to another program
    since is not mistaken for ours.
    """

    def __init__(self, file: Path) -> None:
        """`file` need not exist."""
        self._file = file
        self._pids: list[int] = []

    def add(self, pid: int) -> None:
        """Remember a process that has just been started."""
        self._pids.append(pid)
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps({str(p): started(p) for p in self._pids}))
        unfinished.replace(self._file)

    def clear(self) -> int:
        """End what the file names and still runs; answers how many that were.

        Call it only with the data folder's lock in hand.
        """
        try:
            known: dict[str, str] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return 0
        running = [int(pid) for pid, since in known.items() if since and started(int(pid)) == since]
        end(running)
        self._file.unlink(missing_ok=True)
        return len(running)


def started(pid: int) -> str:
    """When a process started, in the kernel's ticks; "" when there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def end(pids: Iterable[int]) -> None:
    """SIGTERM, then after ten seconds SIGKILL to what is left and its process group."""
    remaining = {pid: started(pid) for pid in pids}
    for pid in remaining:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while remaining and time.monotonic() < deadline:
        time.sleep(0.05)
        remaining = {pid: since for pid, since in remaining.items() if started(pid) == since != ""}
    for pid in remaining:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def adopt_orphans() -> None:
    """Let grandchildren whose parent ends become our children (prctl(2), child subreaper)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans() -> None:
    """End every child of this process: to be called when all that were started are stopped."""
    children = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == os.getpid() and fields[0] != "Z":
                    children.append(int(process.name))
    end(children)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
