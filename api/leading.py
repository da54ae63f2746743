"""A thread that does what only one of all replicas may do.

The leader holds an advisory lock of PostgreSQL on a connection of its own; when it dies, the lock
goes with the connection and another replica takes over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from api.store.database import Database
from quality.logs import get_logger

log = get_logger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
_TROUBLE = (psycopg.Error, SQLAlchemyError)

Session = psycopg.Connection[Any]


class Leadership:
    """Leads whenever no other replica does. `stop()` ends it within a few seconds."""

    def __init__(
        self,
        database: Database,
        name: str,
        lock: int,
        lead: Callable[[Session], None],
        *,
        ask_s: float,
        trouble: tuple[type[Exception], ...] = (),
    ) -> None:
        """`lead` works until `stopping` is set, on the session that has the lock: it has to ask the
        database something now and then, to hear when the lock went. What it raises ends its turn;
        `trouble` beside the database's own is expected. Others ask for their turn each `ask_s`.
        """
        self.stopping = threading.Event()
        self._database = database
        self._name = name
        self._lock = lock
        self._lead = lead
        self._ask_s = ask_s
        self._trouble = (*_TROUBLE, *trouble)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self.stopping.is_set():
            try:
                self._lead_when_free()
                pause = FIRST_PAUSE_S
            except self._trouble as error:
                words = {"leader": self._name, "error": type(error).__name__, "in_s": pause}
                log.warning("leader_retries", **words)
                self.stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            except Exception:  # the next turn must not need a new process
                log.exception("leader_failed", leader=self._name)
                self.stopping.wait(LONGEST_PAUSE_S)

    def _lead_when_free(self) -> None:
        with psycopg.connect(
            self._database.dsn,
            autocommit=True,
            connect_timeout=5,
            application_name=f"stringx-{self._name}",
        ) as session:
            while not self.stopping.is_set():
                row = session.execute("select pg_try_advisory_lock(%s)", (self._lock,)).fetchone()
                if row is not None and row[0]:
                    log.info("leads", leader=self._name)
                    self._lead(session)
                else:
                    self.stopping.wait(self._ask_s)
