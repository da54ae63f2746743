"""The parent's side of the dbt process: starts it, gives it jobs, ends it in time."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from quality.engine.dbt.frames import ClosedPipe, Overdue, read_frame, write_frame
from quality.engine.engine import EngineBusy
from quality.engine.settings import EngineSettings
from quality.errors import EngineError
from quality.logs import get_logger, redacted

log = get_logger(__name__)

_PASSED_ON = re.compile(r"PATH|HOME|LANG|LC_\w+|TZ|SSL_CERT_FILE|DBT_\w+|STRINGX_TARGET_\w+")
_SECRET = re.compile(r"SECRET|PASSWORD|TOKEN", re.I)
_SOURCES = Path(__file__).resolve().parents[3]


class DbtTimeout(EngineError):
    """The job took longer than it may; dbt was interrupted, so its queries are cancelled."""

    code = "timeout"


class DbtProcess:
    """One dbt process at most; callers from several threads take turns.

    A process that dies is replaced and its job given to the next once more: jobs only read. One
    that is old is ended after its job; or goes on until a `successor` is ready, if `has_heirs`.
    """

    def __init__(self, settings: EngineSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._given = environment
        self._environment = _clean(environment, settings.server_options)
        self._secrets = [
            value for name, value in self._environment.items() if _SECRET.search(name) and value
        ]
        self._turn = threading.Lock()
        self._running: _Running | None = None
        self._successor: DbtProcess | None = None
        self._closed = False
        self.has_heirs = False

    @property
    def pid(self) -> int | None:
        """The process id, None while there is none."""
        running = self._running
        return running.process.pid if running else None

    @property
    def is_old(self) -> bool:
        """Whether it has had its number of jobs, or its memory."""
        running = self._running
        return running is not None and running.is_old(self._settings)

    def successor(self) -> DbtProcess:
        """One beside it that may get ready, to be handed to `replace`; closed with this one."""
        self._successor = DbtProcess(self._settings, self._given)
        self._successor.has_heirs = True
        if self._closed:
            self._successor.close()
        return self._successor

    def replace(self, by: DbtProcess, *, at_any_rate: bool) -> bool:
        """Go on with the process of a successor, once the job that runs is answered.

        Where it has none, for whatever reason, the old one goes on; or, `at_any_rate`, is ended
        all the same. Returns whether it was ended.
        """
        with self._turn:
            if by._running is None and not at_any_rate:
                return False
            old, self._running, by._running = self._running, by._running, None
        if old is not None:
            self._recycle(old)
        if self._closed:  # meanwhile
            self.close()
        return True

    def ask(
        self, job: dict[str, Any], deadline: float, *, at_least_s: float = 0.0
    ) -> dict[str, Any]:
        """The answer to a job, by `deadline` (time.monotonic).

        Once its turn has come it gets `at_least_s` seconds: what the process only needs to do once
        must not be begun again and again by callers who are in a hurry. Raises DbtTimeout,
        EngineBusy when its turn did not come, or EngineError when dbt died twice or the engine was
        closed.
        """
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise EngineBusy("waited too long for the dbt process, which is busy")
        deadline = max(deadline, time.monotonic() + at_least_s)
        try:
            for attempt in (1, 2):
                try:
                    return self._ask_once(job, deadline)
                except ClosedPipe:
                    words = self._end_running()
                    if self._closed:
                        raise EngineError("the engine was closed") from None
                    log.warning("dbt_process_died", attempt=attempt, last_words=words)
            raise EngineError(f"the dbt process died twice: {words or 'it said nothing'}")
        finally:
            self._turn.release()

    def close(self) -> None:
        """Cancel what runs and end the process; the engine takes no more jobs."""
        self._closed = True
        running, successor = self._running, self._successor
        if running is not None:
            running.end(self._settings.interrupt_s)
        if successor is not None:
            successor.close()

    def redact(self, text: str) -> str:
        """The text without any secret that dbt's environment holds."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redacted(text)

    def _ask_once(self, job: dict[str, Any], deadline: float) -> dict[str, Any]:
        if self._closed:
            raise EngineError("the engine is closed")
        if deadline <= time.monotonic():
            raise DbtTimeout("the check took longer than it may")
        if self._running is None:
            self._running = _Running(self._settings, self._environment)
            if self._closed:  # close() ran meanwhile and saw no process
                raise ClosedPipe
        running = self._running
        try:
            write_frame(running.requests, job)
            answer: dict[str, Any] = read_frame(running.answers, deadline)
        except Overdue:
            self._end_running()
            raise DbtTimeout("the check took longer than it may") from None
        running.jobs += job["job"] not in ("load", "prepare")  # mostly found done
        if not self.has_heirs and running.is_old(self._settings):
            self._running = None
            self._recycle(running)
        return answer

    def _recycle(self, old: _Running) -> None:
        log.info("dbt_process_recycled", jobs=old.jobs, megabytes=old.megabytes)
        old.end(self._settings.interrupt_s)

    def _end_running(self) -> str:
        running, self._running = self._running, None
        if running is None:
            return ""
        running.end(self._settings.interrupt_s)
        return self.redact(" | ".join(running.last_words))[-2000:]


class _Running:
    """A started process with its pipes."""

    def __init__(self, settings: EngineSettings, environment: dict[str, str]) -> None:
        theirs_in, self.requests = os.pipe()
        self.answers, theirs_out = os.pipe()
        theirs_life, self._lifeline = os.pipe()
        self.jobs = 0
        self.last_words: deque[str] = deque(maxlen=20)
        self._ending = threading.Lock()
        self._ended = False
        theirs = (theirs_in, theirs_out, theirs_life)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "quality.engine.dbt.worker", *map(str, theirs)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=theirs,
                env=environment,
                cwd="/",
                process_group=0,
            )
        except OSError as error:
            raise EngineError(f"the dbt process cannot be started: {error}") from error
        finally:
            for fd in theirs:
                os.close(fd)
        assert self.process.stdout is not None  # noqa: S101 it was asked for
        threading.Thread(
            target=self._listen, args=(self.process.stdout,), name="dbt-output", daemon=True
        ).start()
        write_frame(
            self.requests,
            {
                "profiles_dir": str(settings.profiles),
                "profile": settings.profile,
                "threads": settings.threads,
                "manifests": settings.manifests,
            },
        )

    def is_old(self, settings: EngineSettings) -> bool:
        """Whether another one is to take its place."""
        return self.jobs >= settings.recycle_jobs or self.megabytes > settings.recycle_mb

    @property
    def megabytes(self) -> int:
        """Resident memory (Linux, proc(5), statm); 0 where it cannot be seen."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)

    def end(self, interrupt_s: float) -> None:
        """SIGINT, on which dbt cancels its queries on the server, then SIGKILL."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(interrupt_s)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            # `answers` may still be read by the thread whose job this ends.
            for fd in (self.requests, self._lifeline):
                os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.answers)

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                text = line.decode(errors="replace").strip()
                if text:
                    self.last_words.append(text[:500])


def _clean(environment: Mapping[str, str], server_options: str) -> dict[str, str]:
    """What dbt may see of our environment: a template in a profile can read all of it."""
    passed_on = {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}
    return passed_on | {
        "PGOPTIONS": server_options,
        "PYTHONPATH": str(_SOURCES),
        "PYTHONUTF8": "1",
        "DO_NOT_TRACK": "1",
    }
