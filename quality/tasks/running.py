"""Running a plan: task after task, with retries and time limits, into a record."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quality.errors import StringXError
from quality.identity import new_id
from quality.logs import get_logger
from quality.tasks.plan import Plan, Step
from quality.tasks.record import (
    RunRecord,
    TaskRecord,
    ending,
    secrets_of,
    status_of,
    storable,
    without,
)
from quality.tasks.settings import TaskSettings
from quality.tasks.task import Context, TaskFailed

log = get_logger(__name__)

_GRACE_S = 1.0
"""For a task to end itself at its deadline, with what it has to say."""

Told = Callable[[Step, TaskRecord | None], None]
"""Is told of each task when it begins (None) and when it has ended."""


class _TimeIsOver(BaseException):
    """Not an Exception, so that no task takes it for one of its own."""


class _BrokenOff(TaskFailed):
    """Somebody stopped the run while the task was at work."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended. `is_final` is whether it failed so that another run would fail too,
    `is_broken_off` whether somebody stopped it (KeyboardInterrupt)."""

    record: RunRecord
    is_final: bool = False
    is_broken_off: bool = False


def run(
    plan: Plan,
    settings: TaskSettings,
    *,
    key: str | None = None,
    begin_at: int = 0,
    told: Told = lambda step, record: None,
) -> Ended:
    """Run a plan to its end, to the first task that fails and may not, or until it is broken off.

    `key` is the id of the run; a run that is repeated under its key lets receivers see that. Tasks
    before the position `begin_at` are skipped: an earlier attempt has done them.
    """
    key = key or new_id()
    started, began = datetime.now(UTC), time.monotonic()
    secrets = _secrets(plan, settings)
    records: list[TaskRecord] = []
    failure: TaskFailed | None = None
    stopped = False
    for step in plan.steps:
        if stopped or step.position < begin_at:
            records.append(_record(step, "skipped"))
            continue
        told(step, None)
        done, failure = _run(step, plan, settings, f"{key}.{step.position}", secrets)
        records.append(done)
        told(step, done)
        is_broken_off = isinstance(failure, _BrokenOff)
        stopped = is_broken_off or (failure is not None and not step.options.continue_on_error)
    record = RunRecord(
        id=key,
        file=storable(plan.file.name),
        host=storable(socket.gethostname())[:255],
        status=status_of(records, stopped=stopped),
        started_at=started,
        finished_at=datetime.now(UTC),
        duration_ms=(time.monotonic() - began) * 1000,
        tasks=tuple(records),
    )
    if not stopped or failure is None:
        return Ended(record)
    return Ended(record, failure.is_final, isinstance(failure, _BrokenOff))


def _run(
    step: Step, plan: Plan, settings: TaskSettings, key: str, secrets: tuple[str, ...]
) -> tuple[TaskRecord, TaskFailed | None]:
    started, began = datetime.now(UTC), time.monotonic()
    options = step.options
    wait_s = settings.task_retry_wait_s if options.retry_wait is None else options.retry_wait
    limit_s = settings.task_time_limit_s if options.time_limit is None else options.time_limit
    failure: TaskFailed | None = None
    output = ""
    attempt = 0
    for attempt in range(1, options.retries + 2):
        failure_before, failure = failure, None
        try:
            if attempt > 1:
                time.sleep(wait_s)
            context = Context(settings, plan.variables, key, time.monotonic() + limit_s)
            with _limited(limit_s + _GRACE_S):
                output = step.task().run(step.arguments, context)
        except KeyboardInterrupt:
            said_before = "" if failure_before is None else f" after: {failure_before}"
            failure = _BrokenOff(f"it was broken off{said_before}")
        except _TimeIsOver:
            failure = TaskFailed(f"its time limit of {limit_s:g} s is over")
        except TaskFailed as error:
            failure = error
        except StringXError as error:
            failure = TaskFailed(str(error))
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            failure = TaskFailed(f"{name}{error.strerror or type(error).__name__}")
        except Exception as error:  # a fault of the task's own ends it, not the run
            log.exception("task_raised", task=step.task.known_as())
            failure = TaskFailed(f"{type(error).__name__}: {error}")
        if failure is None or failure.is_final or isinstance(failure, _BrokenOff):
            break
    limit = settings.task_output_bytes
    said = output if failure is None else failure.output

    def shown(text: str) -> str:
        return ending(without(secrets, storable(text)), limit)

    record = _record(
        step,
        "succeeded" if failure is None else "failed",
        attempts=attempt,
        started_at=started,
        duration_ms=(time.monotonic() - began) * 1000,
        error=None if failure is None else shown(str(failure)),
        output=shown(said or ""),
    )
    return record, failure


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Break off what takes longer. Only the main thread can be; others go by their deadline."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(_signal: int, _frame: Any) -> None:
        raise _TimeIsOver

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _record(step: Step, status: Any, **more: Any) -> TaskRecord:
    return TaskRecord(
        position=step.position,
        name=storable(step.task.known_as())[:200],
        place=storable(step.place)[-1000:],
        status=status,
        **more,
    )


def _secrets(plan: Plan, settings: TaskSettings) -> tuple[str, ...]:
    ours = (settings.api_token, settings.webhook_secret)
    return secrets_of(plan.variables, [one.get_secret_value() for one in ours if one is not None])
