"""A child process that never outlives its parent."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from embedded.errors import EmbeddedError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
LOG_LIMIT_BYTES = 10 * 1024 * 1024


class Child:
    """One process in a process group of its own, its output in a log file.

    A terminal's Ctrl-C does not reach it (own group), and the kernel sends it `death_signal` when
    the thread that started it ends, so a SIGKILL of the parent leaves nothing behind. Start it
    from the main thread therefore.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: tuple[int, int] | None = None,
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start the command; raises EmbeddedError when the system refuses to.

        `user` is (uid, gid) to run as; `folder` the working directory.
        """
        self.name = name
        self.log_file = log_file
        try:
            with open_log(log_file) as log:
                self._log_start = log.seek(0, os.SEEK_END)
                self._process: subprocess.Popen[bytes] = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=None if environment is None else dict(environment),
                    cwd=folder,
                    process_group=0,
                    preexec_fn=_dies_with(os.getpid(), death_signal),
                    user=user[0] if user else None,
                    group=user[1] if user else None,
                    extra_groups=[] if user else None,
                )
        except OSError as error:
            raise EmbeddedError(f"{name} cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens when it is gone."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, *signals: signal.Signals, seconds: float) -> None:
        """Send each signal in turn, giving it `seconds` to end after each; then SIGKILL its group.

        The group is killed in any case, for children that the process may have left.
        """
        for number in signals or (signal.SIGTERM,):
            if self.exit_code is None:
                self.send(number)
                if self.wait(seconds):
                    break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that this process wrote to its log, "" when there are none."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(self._log_start, self.log_file.stat().st_size - 16_384))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def require_running(self) -> None:
        """Raise EmbeddedError with the end of the log when the process has ended."""
        if self.exit_code is not None:
            raise EmbeddedError(
                f"{self.name} stopped by itself ({ending(self.exit_code)}): see {self.log_file}",
                log=self.log_tail(),
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float, setting: str) -> None:
        """Poll `ready` until it is true.

        Raises EmbeddedError when the process ends first or the time is over; `setting` is the
        name of the setting that allows more time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} was not ready within {seconds:g} s: "
                    f"see {self.log_file}, or allow more time by {setting}",
                    log=self.log_tail(),
                )
            time.sleep(0.02)


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to, private to its owner; a large one first becomes `<name>.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def ending(exit_code: int) -> str:
    """How a process ended, in words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-exit_code).name}"
    return f"signal {-exit_code}"


def _dies_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """What the child runs before its program: prctl(2), PR_SET_PDEATHSIG.

    subprocess changes the user before it runs this; the other way round the kernel would drop
    the setting.
    """

    def ask_the_kernel() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel
