"""What is too old: how much of it there is, and dropping a batch of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from api.store import dead_letters, gate, measurements, samples

MIN_AUDIT_DAYS = 90
"""A trigger of the database refuses to drop what is younger."""

_EXECUTIONS = text(
    """
    with old as (
        select id from pipeline_execution
        where start_date < now() - make_interval(days => :days)
        order by start_date limit :limit for update skip locked
    ), parents as (
        delete from pipeline_execution_closure c using old
        where c.parent_execution_id = old.id returning c.child_execution_id as id
    ), children as (
        delete from pipeline_execution_closure c using old
        where c.child_execution_id = old.id
            and not exists (select from old o where o.id = c.parent_execution_id)
        returning c.child_execution_id as id
    ), compared as (
        delete from anomaly_detection_result r using old
        where r.pipeline_execution_id = old.id returning r.pipeline_execution_id as id
    ), gone as (
        delete from pipeline_execution e using old where e.id = old.id returning e.id
    )
    select (select count(*) from gone) as executions, (select count(*) from parents) as parents,
        (select count(*) from children) as children, (select count(*) from compared) as compared
    """
)
_ALERTS = text(
    """
    delete from pipeline_alert where id in (
        select id from pipeline_alert where at < now() - make_interval(days => :days)
            and (kind <> 'freshness' or resolved_at is not null)
        order by at limit :limit for update skip locked
    ) returning kind
    """
)
# The newest check of a table is what its verdict stands on.
_RESULTS = text(
    """
    delete from check_run where id in (
        select c.id from check_run c
        where c.received_at < now() - make_interval(days => :days) and c.state = 'finished'
            and not exists (select from monitored_table t where t.last_check_id = c.id)
        order by c.received_at limit :limit for update skip locked
    )
    """
)
_AUDIT = text(
    """
    delete from audit_event where id in (
        select id from audit_event where at < now() - make_interval(days => :days)
        order by at limit :limit
    )
    """
)


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one batch of executions took along."""

    executions: int = 0
    closure_as_parent: int = 0
    closure_as_child: int = 0
    comparisons: int = 0


def forget_executions(db: Connection, *, older_than_days: int, limit: int) -> Dropped:
    """Drop at most so many executions that started longer ago than that, with all about them."""
    row = db.execute(_EXECUTIONS, {"days": older_than_days, "limit": limit}).one()
    return Dropped(*row)


def forget_alerts(db: Connection, *, older_than_days: int, limit: int) -> dict[str, int]:
    """Drop at most so many alerts that are older than that; how many, by kind. An open alert of
    freshness stays: it says that its state was alerted of."""
    found: dict[str, int] = {}
    for kind in db.scalars(_ALERTS, {"days": older_than_days, "limit": limit}):
        found[kind] = found.get(kind, 0) + 1
    return found


def _alerts(db: Connection, *, older_than_days: int, limit: int) -> int:
    return sum(forget_alerts(db, older_than_days=older_than_days, limit=limit).values())


def _executions(db: Connection, *, older_than_days: int, limit: int) -> int:
    return forget_executions(db, older_than_days=older_than_days, limit=limit).executions


def _by(statement: TextClause) -> Callable[..., int]:
    def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
        return db.execute(statement, {"days": older_than_days, "limit": limit}).rowcount

    return forget


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that is kept for so long: the setting that says how long, where it stands, by which
    time it is old, and what drops a batch."""

    name: str
    setting: str
    table: str
    moment: str
    forget: Callable[..., int]


KINDS = (
    Kind("executions", "execution_retention_days", "pipeline_execution", "start_date", _executions),
    Kind("alerts", "execution_retention_days", "pipeline_alert", "at", _alerts),
    Kind("results", "result_retention_days", "check_run", "received_at", _by(_RESULTS)),
    Kind("samples", "sample_retention_days", "rule_sample", "created_at", samples.forget),
    Kind(
        "measurements",
        "measurement_retention_days",
        "measurement",
        "measured_at",
        measurements.forget,
    ),
    Kind(
        "dead_letters",
        "dead_letter_retention_days",
        "dead_letter",
        "failed_at",
        dead_letters.forget,
    ),
    Kind("gate_decisions", "gate_retention_days", "gate_decision", "expires_at", gate.forget),
    Kind("audit", "audit_retention_days", "audit_event", "at", _by(_AUDIT)),
)


def older(db: Connection, kind: Kind, days: int) -> tuple[int, datetime | None]:
    """How many rows of that kind are older, and the time of the oldest. What must stay though it is
    old, such as the newest check of a table, is among them."""
    statement: Any = text(
        f"select count(*), min({kind.moment}) from {kind.table} "  # noqa: S608 our own names
        f"where {kind.moment} < now() - make_interval(days => :days)"
    )
    count, oldest = db.execute(statement, {"days": days}).one()
    return count, oldest
