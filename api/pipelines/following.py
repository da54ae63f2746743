"""After a successful end: compare the execution with earlier ones, and check what it filled.

The end only leaves a note, in its own transaction. So its answer waits for nothing, and what Kafka
or a target being away stopped is caught up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.checking import Checking
from api.store.checks import Request
from api.store.pipelines import alerts, anomalies, follow_ups
from api.store.pipelines.alerts import Finding
from api.store.synthetic import SOURCE
from quality.catalogue import Dimension
from quality.checks import CheckRequest
from quality.documents import strictly
from quality.errors import InvalidInput, NotFound, Unavailable
from quality.logs import get_logger, unbind_correlation
from quality.pipelines.anomalies import Comparison, Metric, compare
from quality.pipelines.scopes import written

log = get_logger(__name__)

BATCH = 200
LONGEST_PAUSE_S = 300.0

_TIMED: tuple[Metric, ...] = ("duration_seconds", "throughput")


@dataclass(frozen=True, slots=True)
class Following:
    """Run by the clock, in one process among all replicas."""

    checking: Checking
    is_stopping: Callable[[], bool]

    def follow(self) -> int:
        """Do what is due; for how many executions."""
        with self.checking.database.connect() as db:
            due = follow_ups.due(db, BATCH)
        for row in due:
            if self.is_stopping():
                break
            try:
                self._follow(row.execution_id)
            except Unavailable as error:
                pause = min(2.0**row.attempts, LONGEST_PAUSE_S)
                log.warning(
                    "follow_up_waits", execution_id=row.execution_id, code=error.code, in_s=pause
                )
                with self.checking.database.begin() as db:
                    follow_ups.later(db, row.execution_id, pause)
            finally:
                unbind_correlation()
        return len(due)

    def _follow(self, execution_id: int) -> None:
        database = self.checking.database
        with database.begin() as db:
            execution = anomalies.tested(db, execution_id)
            found = self._compare(db, execution)
            new, kept = alerts.record(db, found)
            tables = follow_ups.tables_of(db, execution.pipeline_id)
        for one in kept:
            self.checking.metrics.count_outcome(one.outcome, SOURCE)
        for finding in new:
            log.warning("pipeline_alert", kind="anomaly", message=finding.message)
        for table in tables:
            self._check(execution, table)
        with database.begin() as db:
            follow_ups.done(db, execution_id)

    def _compare(self, db: Any, execution: Any) -> list[Finding]:
        rules = anomalies.rules_of(db, execution.pipeline_id)
        if not rules:
            return []
        now = datetime.now(UTC)
        longest = now - timedelta(days=max(rule.lookback_days for rule in rules))
        others = anomalies.others(db, execution, longest)
        found, compared = [], []
        for rule in rules:
            comparison = _compared(execution, rule, others, now)
            if comparison is None:
                continue
            metric = rule.metric_field
            compared.append(
                {
                    "metric_field": metric,
                    "is_anomaly": comparison.is_anomaly,
                    "numbers": comparison.document(),
                    "z_threshold": rule.z_threshold,
                }
            )
            if comparison.is_anomaly:
                found.append(_finding(execution, metric, comparison, now))
        anomalies.keep(db, execution.id, compared)
        return found

    def _check(self, execution: Any, table: Any) -> None:
        """Trigger the check of a table; the same one, however often this is tried."""
        place = f"{table.connection}/{table.table_name}"
        check_id = f"e-{execution.id}-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
        scope = written(table.column_name, table.scoped_by, execution._mapping)
        document = {
            "connection": table.connection,
            "table": table.table_name,
            "scope": scope,
            "requested_by": f"pipeline {execution.pipeline}",
            "pipeline_execution_id": execution.id,
        }
        request = Request(check_id, strictly(CheckRequest, document))
        try:
            if self.checking.kafka.bootstrap_servers:
                self.checking.trigger(request)
            else:
                self.checking.perform(request)
        except (NotFound, InvalidInput) as error:  # asking again would not help
            log.warning(
                "check_not_triggered", execution_id=execution.id, table=place, code=error.code
            )


def _compared(execution: Any, rule: Any, others: list[Any], now: datetime) -> Comparison | None:
    metric = rule.metric_field
    value = getattr(execution, metric)
    if value is None:
        return None
    since = now - timedelta(days=rule.lookback_days)
    values = [
        float(getattr(one, metric))
        for one in others
        if one.end_date >= since
        and getattr(one, metric) is not None
        and (one.anomaly_flags or {}).get(metric) is not True
    ]
    return compare(float(value), values, rule.z_threshold, rule.minimum_executions)


def _finding(execution: Any, metric: str, comparison: Comparison, now: datetime) -> Finding:
    dimension: Dimension = "timeliness" if metric in _TIMED else "completeness"
    return Finding(
        execution.pipeline_id,
        execution.pipeline,
        "anomaly",
        f"{execution.id}:{metric}",
        now,
        comparison.sentence(metric),
        comparison.document(),
        execution_id=execution.id,
        status="warn",
        rule=f"anomaly_{metric}",
        dimension=dimension,
    )
