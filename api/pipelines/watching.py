"""Freshness, timeliness and missing executions: looked at by the clock, or when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.metrics import Metrics
from api.store.database import Database
from api.store.gate import Gate
from api.store.pipelines import alerts, watching
from api.store.pipelines.alerts import Finding
from api.store.synthetic import SOURCE, Kept
from quality.checks import RuleStatus
from quality.logs import get_logger
from quality.pipelines.cadence import newest_slot
from quality.pipelines.freshness import judge_freshness, judge_timeliness
from quality.pipelines.intervals import interval
from quality.schedule import Slot

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """How many were looked at, how many are not as they should be, and what is new of that."""

    checked: int
    standing: int
    new: list[Finding]

    def document(self) -> dict[str, Any]:
        """As it is answered."""
        return {
            "status": "completed",
            "checked": self.checked,
            "standing": self.standing,
            "new_alerts": [
                {
                    "pipeline_id": one.pipeline_id,
                    "pipeline": one.pipeline,
                    "execution_id": one.execution_id,
                    "message": one.message,
                    "check_id": one.check_id,
                }
                for one in self.new
            ],
        }


@dataclass(frozen=True, slots=True)
class Watching:
    """Safe to call from any thread and replica: each state is alerted of once."""

    database: Database
    metrics: Metrics
    gate: Gate
    lookback_minutes: int

    def look(self) -> None:
        """All of it."""
        self.freshness()
        self.timeliness(self.lookback_minutes)
        self.missing()

    def freshness(self) -> Looked:
        """Find pipelines whose newest data is too old; those that recovered get a pass."""
        now = datetime.now(UTC)
        with self.database.begin() as db:
            rows = watching.written(db)
            found: dict[int, Finding] = {}
            for row in rows:
                verdict = judge_freshness(row[2:5], interval(row.number, row.datepart), now)
                if verdict is None:
                    continue
                found[row.id] = Finding(
                    row.id,
                    row.name,
                    "freshness",
                    verdict.newest.isoformat(),
                    now,
                    verdict.sentence,
                    {"age_s": verdict.age_s, "due": verdict.due.isoformat()},
                    status="fail" if verdict.is_stale else "pass",
                )
            stale = [one for one in found.values() if one.status == "fail"]
            standing = [one.state_key for one in stale]
            resolved = alerts.resolve(db, "freshness", list(found), standing, now)
            new, kept = alerts.record(db, stale)
            alerts.close_gate(db, new, self.gate)
            fresh = [found[one] for one in resolved if found[one].status == "pass"]
            kept += alerts.observe(db, fresh)
        self._tell(new, kept)
        return Looked(len(found), len(stale), new)

    def timeliness(self, lookback_minutes: int) -> Looked:
        """Find executions that take, or took, longer than they may."""
        now = datetime.now(UTC)
        since = now - timedelta(minutes=lookback_minutes)
        with self.database.begin() as db:
            rows = watching.suspects(db, since, now)
            late = [finding for row in rows if (finding := _late(row, now)) is not None]
            new, kept = alerts.record(db, late)
        self._tell(new, kept)
        return Looked(len(rows), len(late), new)

    def missing(self) -> Looked:
        """Find pipelines that did not start when they had to."""
        now = datetime.now(UTC)
        with self.database.begin() as db:
            rows = watching.expected(db)
            due = {
                row.id: slot
                for row in rows
                if (slot := newest_slot(row.cadence, row.cadence_grace_s, row.cadence_since, now))
            }
            spans = {number: (slot.begins, slot.ends) for number, slot in due.items()}
            kept_up = watching.started(db, spans)
            found = [
                _missing(row, due[row.id], now)
                for row in rows
                if row.id in due and row.id not in kept_up
            ]
            resolved = alerts.resolve(db, "missing", sorted(kept_up), [], now)
            back = [_missing(row, due[row.id], now, "pass") for row in rows if row.id in resolved]
            new, kept = alerts.record(db, found)
            alerts.close_gate(db, new, self.gate)
            kept += alerts.observe(db, back)
        self._tell(new, kept)
        return Looked(len(rows), len(found), new)

    def _tell(self, new: Sequence[Finding], kept: Sequence[Kept]) -> None:
        for one in kept:
            self.metrics.count_outcome(one.outcome, SOURCE)
        for finding in new:
            log.warning(
                "pipeline_alert",
                kind=finding.kind,
                pipeline=finding.pipeline,
                pipeline_id=finding.pipeline_id,
                execution_id=finding.execution_id,
                message=finding.message,
            )


def _late(row: Any, now: datetime) -> Finding | None:
    threshold = interval(row.number, row.datepart)
    lateness = judge_timeliness(
        row.start_date, row.end_date, row.completed_successfully, threshold, now
    )
    if lateness is None:
        return None
    return Finding(
        row.pipeline_id,
        row.name,
        "timeliness",
        str(row.id),
        now,
        lateness.sentence,
        {"seconds": lateness.seconds, "state": lateness.state},
        execution_id=row.id,
        status="warn" if lateness.state == "completed" else "fail",
    )


def _missing(row: Any, slot: Slot, now: datetime, status: RuleStatus = "fail") -> Finding:
    due = slot.due.isoformat(timespec="seconds")
    word = "started" if status == "pass" else "did not start"
    return Finding(
        row.id,
        row.name,
        "missing",
        slot.due.isoformat(),
        now,
        f"the execution due at {due} ({row.cadence}) {word}",
        {"due": slot.due.isoformat(), "ends": slot.ends.isoformat()},
        status=status,
    )
