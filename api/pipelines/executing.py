"""Starts and ends of executions: those that come at the same time share a commit."""

from __future__ import annotations

from typing import Any

from api.store.database import Database
from api.store.group_commit import GroupCommit
from api.store.pipelines import executions, together
from quality.pipelines.reports import EndReport, StartReport
from quality.settings import ApiSettings

Values = together.Values


class Executing:
    """Starts and ends executions; for any thread."""

    def __init__(self, database: Database, settings: ApiSettings) -> None:
        self._database = database
        # No more threads wait for a database that stands still than had its connections otherwise.
        most, wait_s = max(1, settings.database_pool // 2), settings.database_pool_timeout_s
        self._starts = GroupCommit(self._start_all, self._start, most=most, wait_s=wait_s)
        self._ends = GroupCommit(self._end_all, self._end, most=most, wait_s=wait_s)

    def start(self, report: StartReport, by: str) -> dict[str, Any]:
        """Start an execution, as reported by somebody: its id and start_date.

        NotFound with code `pipeline_unknown` or `execution_unknown` (the parent).
        """
        return self._starts.do(executions.start_values(report, by))

    def end(self, report: EndReport, by: str) -> None:
        """End an execution, as reported by somebody; the same end again changes nothing.

        NotFound with code `execution_unknown`, MalformedDocument with code `end_before_start`,
        Conflict with code `execution_ended` where it has ended in another way.
        """
        self._ends.do(executions.end_values(report, by))

    def _start(self, values: Values) -> dict[str, Any]:
        with self._database.connect() as db:
            return executions.start(db, values)

    def _start_all(self, asked: list[Values]) -> list[dict[str, Any] | None]:
        with self._database.connect() as db:
            return together.start(db, asked)

    def _end(self, values: Values) -> bool:
        with self._database.connect() as db:
            executions.end(db, values)
        return True

    def _end_all(self, asked: list[Values]) -> list[bool | None]:
        with self._database.connect() as db:
            return together.end(db, asked)
