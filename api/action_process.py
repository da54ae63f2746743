"""One attempt of an action: a process of its own runs the task file, never the API itself."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from api.store.action_queue import Action
from quality.settings import LOOPBACK, ApiSettings
from quality.tasks.__main__ import BROKEN_OFF, FAILED_FOR_GOOD, REFUSED
from quality.tasks.events import example
from quality.tasks.record import RunRecord
from quality.tasks.settings import ActionSettings

_PACKAGES = Path(__file__).resolve().parent.parent
_NOT_PASSED_ON = (
    "STRINGX_DATABASE_URL",
    "STRINGX_WORKER_TOKEN",
    "STRINGX_KAFKA_",
    "STRINGX_TARGET_",
    "DBT_",
    "PG",
)
_SAID_BYTES = 2000
_GRACE_S = 5.0
"""For a process to end what it started, and to say how far it came."""
_VALIDATION_S = 30.0
_MOMENT_S = 2.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended: its record, if there is one, and what went wrong in a line."""

    record: RunRecord | None
    said: str = ""
    is_final: bool = False
    is_broken_off: bool = False


class ActionProcess:
    """Runs task files of STRINGX_ACTIONS_DIR; `stopping` ends what runs."""

    def __init__(
        self, settings: ActionSettings, api_settings: ApiSettings, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._api = api_settings
        self._stopping = stopping

    def run(self, action: Action) -> Attempt:
        """Run an action's file from the task on at which it is to begin."""
        words = [action.file, "--id", action.run_id, "--from", str(action.begin_at)]
        limit_s = self._settings.action_time_limit_s
        try:
            code, out, said = self._process(words, action.variables, limit_s)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return Attempt(None, f"STRINGX_ACTIONS_DIR: {error.filename}: {reason}")
        record = _record(out)
        # Who stops a service may stop what it started too, and that a moment earlier.
        if code == BROKEN_OFF and self._stopping.wait(_MOMENT_S):
            code = None
        if code is None and self._stopping.is_set():
            why = "the service was stopped while it ran; it is run again"
            return Attempt(record, why, is_broken_off=True)
        if code is None:
            return Attempt(record, f"the time limit of {limit_s:g} s is over")
        is_final = code in (REFUSED, FAILED_FOR_GOOD)
        return Attempt(record, _why(record, said, code), is_final)

    def faults(self, file: str) -> list[str]:
        """What is wrong with a task file, for any verdict; nothing is run."""
        code, _, said = self._process([file, "--validate"], example("fail"), _VALIDATION_S)
        if code == 0:
            return []
        return said.splitlines() or [f"validating it ended with {code}"]

    def _process(
        self, words: list[str], variables: Mapping[str, str], limit_s: float
    ) -> tuple[int | None, bytes, str]:
        """Its exit code, None where it had to be ended, and the end of both of its streams."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "quality.tasks", *words],
                cwd=self._settings.actions_dir,
                env=self._environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                self._limit(process)
                code = self._wait(process, limit_s)
                if code is None:
                    process.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_GRACE_S)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            out.seek(0)
            return code, out.read(), _said(err)

    def _wait(self, process: subprocess.Popen[bytes], left_s: float) -> int | None:
        while left_s > 0 and not self._stopping.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(min(left_s, 0.5))
            left_s -= 0.5
        return None

    def _limit(self, process: subprocess.Popen[bytes]) -> None:
        seconds = int(self._settings.action_time_limit_s) + 1
        memory = self._settings.action_memory_bytes
        with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (seconds, seconds))
            resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Ours without what only the service may know; the API is this one, if none is named."""
        host = self._api.api_host if self._api.api_host in LOOPBACK else "127.0.0.1"
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)
        }
        return {
            "STRINGX_API_URL": f"http://{host}:{self._api.api_port}",
            **ours,
            "PYTHONPATH": os.pathsep.join(
                part for part in (str(_PACKAGES), os.environ.get("PYTHONPATH")) if part
            ),
            **variables,
        }


def _record(out: bytes) -> RunRecord | None:
    try:
        return RunRecord.model_validate_json(out)
    except ValidationError:
        return None


def _why(record: RunRecord | None, said: str, code: int | None) -> str:
    if record is None:
        return " ".join(said.split()) or f"ended with exit code {code}"
    failed = [task for task in record.tasks if task.status == "failed"]
    return (failed[-1].error or "") if record.status == "failed" and failed else ""


def _said(err: IO[bytes]) -> str:
    """The end of what a process complained about."""
    size = err.seek(0, os.SEEK_END)
    err.seek(max(0, size - _SAID_BYTES))
    return err.read().decode(errors="replace").replace("\x00", "").strip()
