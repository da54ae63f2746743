"""A machine of a process's own, as far as the kernel lends one: a clock, a disk, a resolver.

Disk and names need a mount namespace (unshare(1)), which a container may refuse.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LEVERS = Path(__file__).with_name("levers")


class NotHere(Exception):
    """This machine cannot do what a scenario needs; the message is one line that says why."""


class Machine:
    """Where a process of the service is started; its parts are changed while it runs."""

    def __init__(
        self, folder: Path, *, disk: Path | None = None, disk_mb: int = 0, names: bool = False
    ) -> None:
        """`folder` keeps the levers. `disk` becomes a file system of `disk_mb` of its own; with
        `names`, the hosts file is ours and there is no name server."""
        folder.mkdir(parents=True, exist_ok=True)
        self._clock = folder / "clock"
        self._hosts = folder / "hosts"
        self._resolver = folder / "resolv.conf"
        self._disk, self._disk_mb, self._names = disk, disk_mb, names
        self.step_clock(0)
        if disk or names:
            _namespaces()

    @property
    def environment(self) -> dict[str, str]:
        """What a process there has in its environment."""
        return {"PYTHONPATH": str(LEVERS), "FAULT_CLOCK": str(self._clock)}

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line by which it is started there."""
        if not (self._disk or self._names):
            return list(command)
        mounts = []
        if self._disk:
            self._disk.mkdir(parents=True, exist_ok=True)
            mounts.append(f"mount -t tmpfs -o size={self._disk_mb}m tmpfs {self._disk}")
        if self._names:
            self._resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
            mounts += [
                f"mount --bind {self._hosts} /etc/hosts",
                f"mount --bind {self._resolver} /etc/resolv.conf",
            ]
        script = " && ".join([*mounts, 'exec "$@"'])
        return [*_namespaces(), "sh", "-c", script, "sh", *command]

    def step_clock(self, seconds: float) -> None:
        """Its clock is off by so much from now on."""
        self._clock.write_text(str(seconds))

    def know(self, *names: str) -> None:
        """The names that can be resolved from now on, all of them to this machine."""
        self._hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in names))


@functools.cache
def _namespaces() -> list[str]:
    """The command before one that may mount; raises NotHere."""
    program = shutil.which("unshare")
    for words in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        command = [program or "unshare", *words]
        trial = [*command, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
        if program and subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return command
    raise NotHere(f"{sys.platform}: no mount namespace can be made here (unshare --mount)")
