"""Retention: what is kept for a while only is dropped once it is too old, batch by batch.

A thread of each API process does it; those of other processes at the same time take other rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from api.store import dead_letters, gate, measurements, samples
from quality.logs import get_logger
from quality.settings import ApiSettings

log = get_logger(__name__)

BATCH = 500


class Retention:
    """`start()` and `stop()` with the process."""

    def __init__(self, database: Database, settings: ApiSettings) -> None:
        self._database = database
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def forget(self) -> int:
        """Drop what is too old now; how many rows that were."""
        settings = self._settings
        return (
            self._forget(samples.forget, settings.sample_retention_days)
            + self._forget(measurements.forget, settings.measurement_retention_days)
            + self._forget(dead_letters.forget, settings.dead_letter_retention_days)
            + self._forget(gate.forget, settings.gate_retention_days)
        )

    def _forget(self, forget: Callable[..., int], days: int) -> int:
        forgotten = 0
        while not self._stopping.is_set():
            with self._database.begin() as db:
                dropped = forget(db, older_than_days=days, limit=BATCH)
            forgotten += dropped
            if dropped < BATCH:
                break
        return forgotten

    def _run(self) -> None:
        while not self._stopping.wait(self._settings.retention_interval_s):
            try:
                if forgotten := self.forget():
                    log.info("too_old_forgotten", count=forgotten)
            except SQLAlchemyError as error:
                log.warning("retention_retries", error=type(error).__name__)
