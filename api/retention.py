"""Retention: what is kept for a while only is dropped once it is too old, batch by batch.

Each batch is a transaction of its own and passes over rows that somebody else has in hand, so that
nothing waits for it. The clock runs it in one process; what others drop at the same time is other
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from api.store import retention
from api.store.database import Database
from api.store.retention import KINDS, Dropped, Kind
from quality.logs import get_logger
from quality.settings import ApiSettings

log = get_logger(__name__)

BATCH = 500


def _never() -> bool:
    return False


class Retention:
    """Safe to call from any thread; `is_stopping` is asked between two batches."""

    def __init__(
        self,
        database: Database,
        settings: ApiSettings,
        is_stopping: Callable[[], bool] = _never,
    ) -> None:
        self._database = database
        self._settings = settings
        self._is_stopping = is_stopping

    def forget(self) -> int:
        """Drop what is too old now; how many rows that were."""
        forgotten = self.run()
        if any(forgotten.values()):
            log.info("too_old_forgotten", **forgotten)
        return sum(forgotten.values())

    def run(self, names: Collection[str] = ()) -> dict[str, int]:
        """Drop what is too old of some kinds, or of all; how many rows of each."""
        forgotten: dict[str, int] = {}
        for kind in KINDS:
            if not names or kind.name in names:
                forgotten[kind.name] = self._forget(kind)
        return forgotten

    def preview(self) -> list[dict[str, Any]]:
        """What would go of each kind, without dropping anything."""
        with self._database.connect() as db:
            found = []
            for kind in KINDS:
                days = self._days(kind)
                count, oldest = retention.older(db, kind, days)
                found.append(
                    {"kind": kind.name, "retention_days": days, "rows": count, "oldest": oldest}
                )
        return found

    def clean_up(self, days: int, batch: int) -> tuple[Dropped, dict[str, int]]:
        """Drop executions, and the alerts of their time, that are older than that: what went."""
        total, alerts = Dropped(), {}
        while True:
            with self._database.begin() as db:
                one = retention.forget_executions(db, older_than_days=days, limit=batch)
            total = Dropped(
                total.executions + one.executions,
                total.closure_as_parent + one.closure_as_parent,
                total.closure_as_child + one.closure_as_child,
                total.comparisons + one.comparisons,
            )
            if one.executions < batch:
                break
        while True:
            with self._database.begin() as db:
                found = retention.forget_alerts(db, older_than_days=days, limit=batch)
            for kind, count in found.items():
                alerts[kind] = alerts.get(kind, 0) + count
            if sum(found.values()) < batch:
                return total, alerts

    def _days(self, kind: Kind) -> int:
        return int(getattr(self._settings, kind.setting))

    def _forget(self, kind: Kind) -> int:
        forgotten = 0
        while not self._is_stopping():
            with self._database.begin() as db:
                dropped = kind.forget(db, older_than_days=self._days(kind), limit=BATCH)
            forgotten += dropped
            if dropped < BATCH:
                break
        return forgotten
