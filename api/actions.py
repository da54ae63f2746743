"""Actions on verdicts, beside the requests: a process runs the task file, never the API itself.

Threads of each API process do it. What is due is taken by one of them, and by another one when its
lease is over; so an action runs at least once, and its deliveries keep their ids when it is run
again.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from api.store import action_queue, actions, task_runs
from api.store.action_queue import Action
from api.store.database import Database
from quality.logs import get_logger
from quality.settings import LOOPBACK, ApiSettings
from quality.tasks.__main__ import REFUSED
from quality.tasks.record import RunRecord
from quality.tasks.settings import ActionSettings

log = get_logger(__name__)

_PACKAGES = Path(__file__).resolve().parent.parent
_NOT_PASSED_ON = (
    "STRINGX_DATABASE_URL",
    "STRINGX_KAFKA_",
    "STRINGX_TARGET_",
    "DBT_",
    "PG",
)
_LONGEST_PAUSE_S = 3600.0
_SPARE_LEASE_S = 60.0
_SAID_BYTES = 2000
_FORGET = 500


class Actions:
    """`start()` and `stop()` with the process; without STRINGX_ACTIONS_DIR nothing runs."""

    def __init__(
        self, database: Database, settings: ActionSettings, api_settings: ApiSettings
    ) -> None:
        self._database = database
        self.settings = settings
        self._api = api_settings
        self._stopping = threading.Event()
        workers = settings.action_workers if settings.actions_dir is not None else 0
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"actions-{number}")
            for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def forget(self) -> int:
        """Drop runs that were recorded too long ago; how many."""
        days, forgotten, dropped = self.settings.task_run_retention_days, 0, _FORGET
        while dropped == _FORGET and not self._stopping.is_set():
            with self._database.begin() as db:
                dropped = task_runs.forget(db, older_than_days=days, limit=_FORGET)
            forgotten += dropped
        return forgotten

    def _run(self, number: int) -> None:
        while not self._stopping.wait(self.settings.action_poll_s):
            try:
                if number == 0:
                    with self._database.begin() as db:
                        actions.collect(db)
                while not self._stopping.is_set() and (action := self._take()) is not None:
                    self._perform(action)
            except SQLAlchemyError as error:
                log.warning("actions_retry", error=type(error).__name__)

    def _take(self) -> Action | None:
        settings = self.settings
        with self._database.begin() as db:
            return action_queue.take(
                db,
                lease_s=settings.action_time_limit_s + _SPARE_LEASE_S,
                per_hour=settings.actions_per_hour,
            )

    def _perform(self, action: Action) -> None:
        """Run one attempt and store how it ended."""
        code, record, said = self._child(action)
        if self._stopping.is_set() and record is None:
            with self._database.begin() as db:
                action_queue.settle(db, action.id, "waiting", gives_back=True)
            return
        state = record.status if record is not None else "failed"
        begin_at, next_at = None, None
        if record is not None and state == "failed":
            failed = [task for task in record.tasks if task.status == "failed"]
            begin_at, said = failed[-1].position, failed[-1].error or said
        is_last = action.attempt >= self.settings.action_attempts or code == REFUSED
        if state == "failed" and not is_last:
            pause_s = self.settings.action_retry_s * 2 ** (action.attempt - 1)
            pause_s = min(pause_s, _LONGEST_PAUSE_S) * random.uniform(0.8, 1.2)  # noqa: S311
            state, next_at = "waiting", datetime.now(UTC) + timedelta(seconds=pause_s)
        with self._database.begin() as db:
            if record is not None:
                record = self._whole(db, action, record)
                task_runs.add(db, record, "service", action.id)
            action_queue.settle(
                db,
                action.id,
                state,
                error=None if state in ("succeeded", "partial") else said,
                next_at=next_at,
                begin_at=begin_at,
            )
        log.info(
            "action_ran",
            table_id=action.table_id,
            action_event=action.event,
            file=action.file,
            attempt=action.attempt,
            state=state,
            reason=said or None,
        )

    def _whole(self, db: Any, action: Action, record: RunRecord) -> RunRecord:
        """With what attempts before did: their tasks were not run again."""
        if action.begin_at == 0:
            return record
        before = task_runs.get(db, action.run_id)
        kept = RunRecord.model_validate({**record.model_dump(), "tasks": before["tasks"]}).tasks
        tasks = (*kept[: action.begin_at], *record.tasks[action.begin_at :])
        return record.model_copy(update={"tasks": tasks, "started_at": before["started_at"]})

    def _child(self, action: Action) -> tuple[int | None, RunRecord | None, str]:
        """Run the file in a process; its exit code, its record, and what went wrong."""
        folder = self.settings.actions_dir
        if folder is None:
            return REFUSED, None, "STRINGX_ACTIONS_DIR is not set"
        words = ["--id", action.run_id, "--from", str(action.begin_at)]
        command = [sys.executable, "-m", "quality.tasks", action.file, *words]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=self._environment(action),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                self._limit(process)
                code = self._wait(process)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            record = _record(out)
            if code is None and self._stopping.is_set():
                return None, None, "the service stopped"
            if code is None:
                limit = self.settings.action_time_limit_s
                return None, record, f"the time limit of {limit:g} s is over"
            said = "" if record is not None else _said(err) or f"ended with exit code {code}"
            return code, record, said

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        left = self.settings.action_time_limit_s
        while left > 0 and not self._stopping.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(min(left, 0.5))
            left -= 0.5
        return None

    def _limit(self, process: subprocess.Popen[bytes]) -> None:
        seconds = int(self.settings.action_time_limit_s) + 1
        memory = self.settings.action_memory_bytes
        with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (seconds, seconds))
            resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))

    def _environment(self, action: Action) -> dict[str, str]:
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
            **action.variables,
        }


def _record(out: IO[bytes]) -> RunRecord | None:
    out.seek(0)
    try:
        return RunRecord.model_validate_json(out.read())
    except ValidationError:
        return None


def _said(err: IO[bytes]) -> str:
    """The end of what a process complained about, as one line."""
    size = err.seek(0, os.SEEK_END)
    err.seek(max(0, size - _SAID_BYTES))
    text = err.read().decode(errors="replace").replace("\x00", "")
    return " ".join(text.split())[:_SAID_BYTES]
