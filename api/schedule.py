"""Work that runs by the clock inside the service, by one process among all replicas.

A process that holds a job's advisory lock runs that job; the lock belongs to one connection of
PostgreSQL, so that it is free again when the process dies, and another replica goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from api.store.database import Database
from quality.logs import get_logger

log = get_logger(__name__)

FIRST_RUN_S = 30.0
"""A job first runs so long after the start, or its interval where that is shorter: one that is due
once a day would else never run in a service that is restarted each day."""

_TICK_S = 1.0
_TAKE = "select pg_try_advisory_lock(hashtextextended('stringx.job.' || %s, 0))"


@dataclass(slots=True)
class _Job:
    name: str
    interval_s: float
    work: Callable[[], object]
    due: float = field(default=0.0)


class Scheduler:
    """One thread that runs the jobs one after the other: none of them may take long.

    A job that raises is logged and runs again when it is next due.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: list[_Job] = []
        self._held: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    @property
    def is_stopping(self) -> bool:
        """What a job that works in batches asks between two of them."""
        return self._stopping.is_set()

    def add(self, name: str, interval_s: float, work: Callable[[], object]) -> None:
        """Run `work` every `interval_s` seconds; before `start`."""
        self._jobs.append(_Job(name, interval_s, work))

    def start(self) -> None:
        now = time.monotonic()
        for job in self._jobs:
            job.due = now + min(job.interval_s, FIRST_RUN_S)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        pause = _TICK_S
        while not self._stopping.is_set():
            try:
                self._serve()
            except psycopg.Error as error:
                log.warning("scheduler_retries", error=type(error).__name__, in_s=pause)
                self._stopping.wait(pause)
                pause = min(pause * 2, 30.0)
            else:
                pause = _TICK_S

    def _serve(self) -> None:
        self._held.clear()
        with psycopg.connect(
            self._database.dsn,
            autocommit=True,
            connect_timeout=5,
            application_name="stringx-scheduler",
        ) as session:
            while not self._stopping.is_set():
                self._run_due(session)
                soonest = min((job.due for job in self._jobs), default=float("inf"))
                self._stopping.wait(min(_TICK_S, max(0.0, soonest - time.monotonic())))

    def _run_due(self, session: psycopg.Connection[Any]) -> None:
        for job in self._jobs:
            if self._stopping.is_set() or time.monotonic() < job.due:
                continue
            if self._is_ours(session, job.name):
                self._do(job)
            job.due = time.monotonic() + job.interval_s

    def _is_ours(self, session: psycopg.Connection[Any], name: str) -> bool:
        if name in self._held:
            session.execute("select 1")  # raises where the connection, and with it the lock, went
            return True
        row = session.execute(_TAKE, (name,)).fetchone()
        if row is not None and row[0]:
            self._held.add(name)
            log.info("job_taken", job=name)
        return name in self._held

    def _do(self, job: _Job) -> None:
        started = time.monotonic()
        try:
            job.work()
        except Exception as error:  # the others must go on
            log.warning("job_failed", job=job.name, error=type(error).__name__, reason=str(error))
        else:
            log.debug("job_done", job=job.name, seconds=round(time.monotonic() - started, 3))
