"""Actions on verdicts, beside the requests: a process runs the task file, never the API itself.

Threads of each API process do it. What is due is taken by one of them, and by another one when its
lease is over; so an action runs at least once, and its deliveries keep their ids when it is run
again.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from api.action_counts import ActionCollector, ActionCounts
from api.action_process import ActionProcess, Attempt
from api.metrics import Metrics
from api.store import action_queue, actions, task_runs
from api.store.action_queue import Action
from api.store.database import Database
from quality.errors import NotFound
from quality.logs import get_logger
from quality.settings import ApiSettings
from quality.tasks.record import RunRecord
from quality.tasks.settings import ActionSettings

log = get_logger(__name__)

_LONGEST_PAUSE_S = 3600.0
_SPARE_LEASE_S = 60.0
_FORGET = 500


class Actions:
    """`start()` and `stop()` with the process; without STRINGX_ACTIONS_DIR nothing runs."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        settings: ActionSettings,
        api_settings: ApiSettings,
    ) -> None:
        self._database = database
        self._counts = ActionCounts(metrics.registry)
        metrics.registry.register(ActionCollector(self._waiting))
        self.settings = settings
        self._stopping = threading.Event()
        self.process = ActionProcess(settings, api_settings, self._stopping)
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
        """Drop runs and actions that are too old; how many."""
        days, forgotten = self.settings.task_run_retention_days, 0
        for forget in (task_runs.forget, action_queue.forget):
            dropped = _FORGET
            while dropped == _FORGET and not self._stopping.is_set():
                with self._database.begin() as db:
                    dropped = forget(db, older_than_days=days, limit=_FORGET)
                forgotten += dropped
        return forgotten

    def _run(self, number: int) -> None:
        while not self._stopping.wait(self.settings.action_poll_s):
            try:
                if number == 0:
                    self._collect()
                while not self._stopping.is_set() and (action := self._take()) is not None:
                    self._perform(action)
            except SQLAlchemyError as error:
                log.warning("actions_retry", error=type(error).__name__)
            except Exception:  # the other actions must not need a new process
                log.exception("actions_failed")

    def _waiting(self) -> dict[str, Any]:
        with self._database.connect() as db:
            return actions.waiting(db)

    def _collect(self) -> None:
        with self._database.begin() as db:
            made = actions.collect(db)
        for event, count in made.items():
            self._counts.queued.labels(event).inc(count)

    def _take(self) -> Action | None:
        settings = self.settings
        with self._database.begin() as db:
            taken, settled = action_queue.take(
                db,
                lease_s=settings.action_time_limit_s + _SPARE_LEASE_S,
                per_hour=settings.actions_per_hour,
                attempts=settings.action_attempts,
            )
        for state in settled:
            self._counts.ended.labels(state).inc()
        return taken

    def _perform(self, action: Action) -> None:
        """Run one attempt and store how it ended."""
        with self._counts.seconds.time():
            attempt = self.process.run(action)
        state, next_at = self._next(action, attempt)
        record, begin_at = attempt.record, None
        if record is not None and record.status == "failed":
            begin_at = max(task.position for task in record.tasks if task.status == "failed")
        with self._database.begin() as db:
            is_ours = action_queue.settle(
                db,
                action.id,
                state,
                error=attempt.said or None,
                next_at=next_at,
                begin_at=begin_at,
                gives_back=attempt.is_broken_off,
                attempt=action.attempt,
            )
            if is_ours and record is not None:
                task_runs.add(db, self._whole(db, action, record), "service", action.id)
        outcome = "broken_off" if attempt.is_broken_off else _outcome(attempt)
        self._counts.attempts.labels(outcome).inc()
        if is_ours and state != "waiting":
            self._counts.ended.labels(state).inc()
        log.info(
            "action_ran",
            table_id=action.table_id,
            action_event=action.event,
            file=action.file,
            attempt=action.attempt,
            state=state,
            reason=attempt.said or None,
        )

    def _next(self, action: Action, attempt: Attempt) -> tuple[str, datetime | None]:
        """Where an action stands after an attempt, and when it is tried again."""
        if attempt.is_broken_off:
            return "waiting", None
        outcome = _outcome(attempt)
        is_last = action.attempt >= self.settings.action_attempts or attempt.is_final
        if outcome != "failed" or is_last:
            return outcome, None
        pause_s = self.settings.action_retry_s * 2 ** (action.attempt - 1)
        pause_s = min(pause_s, _LONGEST_PAUSE_S) * random.uniform(0.8, 1.2)  # noqa: S311
        return "waiting", datetime.now(UTC) + timedelta(seconds=pause_s)

    def _whole(self, db: Any, action: Action, record: RunRecord) -> RunRecord:
        """With what attempts before did: their tasks were not run again."""
        if action.begin_at == 0:
            return record
        try:
            before = task_runs.get(db, action.run_id)
        except NotFound:  # its time was over
            return record
        kept = RunRecord.model_validate({**record.model_dump(), "tasks": before["tasks"]}).tasks
        tasks = (*kept[: action.begin_at], *record.tasks[action.begin_at :])
        return record.model_copy(update={"tasks": tasks, "started_at": before["started_at"]})


def _outcome(attempt: Attempt) -> str:
    return "failed" if attempt.record is None else attempt.record.status
