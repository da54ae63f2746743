"""Alerts: what was found out about a pipeline, once for each state, with its quality result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, select, text

from api.store import gate
from api.store.gate import Gate
from api.store.paging import Page, fetch_page
from api.store.pipeline_schema import pipeline, pipeline_alert
from api.store.pipelines.filled import among
from api.store.synthetic import Kept, Observation, store_results
from quality.catalogue import Dimension
from quality.checks import Measure, RuleResult, RuleStatus
from quality.identity import new_id
from quality.names import TableName

Kind = Literal["freshness", "timeliness", "missing", "anomaly"]

CONNECTION = "stringx"
SCHEMA = "pipeline"
"""Results of a pipeline stand under this connection, with `pipeline.<its name>` as the table."""

_ADD = text(
    """
    insert into pipeline_alert (pipeline_id, kind, state_key, execution_id, at, message, measured,
        check_id)
    select i.pipeline_id, i.kind, i.state_key, i.execution_id, i.at, i.message, i.measured,
        i.check_id
    from jsonb_to_recordset(cast(:items as jsonb)) as i (pipeline_id bigint, kind text,
        state_key text, execution_id bigint, at timestamptz, message text, measured jsonb,
        check_id text)
    on conflict (pipeline_id, kind, state_key) do nothing
    returning check_id
    """
)
_RESOLVE = text(
    """
    update pipeline_alert set resolved_at = :at
    where pipeline_id = any(cast(:ids as bigint[])) and kind = :kind and resolved_at is null
        and not (state_key = any(cast(:standing as text[])))
    returning pipeline_id
    """
)
_FILLED = text(
    """
    select f.pipeline_id, f.connection, f.table_name, t.id
    from pipeline_table f
    join monitored_table t on t.connection = f.connection and t.name = f.table_name
    where f.pipeline_id = any(cast(:ids as bigint[])) order by t.id
    """
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A state of a pipeline that is alerted of once: the next one has another `state_key`."""

    pipeline_id: int
    pipeline: str
    kind: Kind
    state_key: str
    at: datetime
    message: str
    measured: dict[str, Measure]
    execution_id: int | None = None
    status: RuleStatus = "fail"
    rule: str = ""
    dimension: Dimension = "timeliness"
    check_id: str = field(default_factory=new_id)

    def result(self) -> RuleResult:
        """As the result of a rule."""
        return RuleResult(
            rule=self.rule or f"pipeline_{self.kind}",
            type=f"pipeline_{self.kind}",
            dimension=self.dimension,
            kind="engineering",
            severity="warn" if self.status == "warn" else "error",
            status=self.status,
            failures=0 if self.status == "pass" else 1,
            measured=self.measured,
            message=self.message[:4096],
        )


def record(db: Connection, findings: Sequence[Finding]) -> tuple[list[Finding], list[Kept]]:
    """Store those findings that are new, each with its result; answers both."""
    if not findings:
        return [], []
    items = [
        {
            "pipeline_id": one.pipeline_id,
            "kind": one.kind,
            "state_key": one.state_key,
            "execution_id": one.execution_id,
            "at": one.at.isoformat(),
            "message": one.message,
            "measured": one.measured,
            "check_id": one.check_id,
        }
        for one in findings
    ]
    added = set(db.scalars(_ADD, {"items": json.dumps(items)}))
    new = [one for one in findings if one.check_id in added]
    return new, observe(db, new)


def observe(db: Connection, findings: Sequence[Finding]) -> list[Kept]:
    """Store the results of findings: of the pipeline, and of the monitored tables it fills."""
    if not findings:
        return []
    filled: dict[int, list[Any]] = {one.pipeline_id: [] for one in findings}
    for row in db.execute(_FILLED, {"ids": list(filled)}):
        filled[row.pipeline_id].append(row)
    observations = []
    for one in findings:
        result, name = one.result(), str(TableName(SCHEMA, one.pipeline))
        observations.append(Observation(CONNECTION, name, result, one.at, id=one.check_id))
        observations += [
            Observation(row.connection, row.table_name, result, one.at, row.id)
            for row in filled[one.pipeline_id]
        ]
    return store_results(db, observations)


def close_gate(db: Connection, findings: Sequence[Finding], how: Gate) -> None:
    """Decide on the tables that failing pipelines fill, as on a failure of their own.

    The next check of a table decides anew: it has looked at what is there.
    """
    failing = {one.pipeline_id: one for one in findings if one.status == "fail"}
    if not failing:
        return
    for row in db.execute(_FILLED, {"ids": list(failing)}).all():
        finding = failing[row.pipeline_id]
        why = [f"pipeline {finding.pipeline}: {finding.message}"]
        gate.make(db, row.id, "fail", why, how, check_id=finding.check_id)


def resolve(
    db: Connection, kind: Kind, pipeline_ids: Sequence[int], standing: Sequence[str], at: datetime
) -> set[int]:
    """Close the open alerts of pipelines but those of states that still stand; whose they were."""
    values = {"ids": list(pipeline_ids), "kind": kind, "standing": list(standing), "at": at}
    return set(db.scalars(_RESOLVE, values))


def page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    filters: dict[str, Any],
    ids: list[int] | None = None,
) -> Page:
    """Alerts, newest first; only of the pipelines `ids`."""
    columns = pipeline_alert.c
    query = select(*columns, pipeline.c.name.label("pipeline")).join(
        pipeline, pipeline.c.id == columns.pipeline_id
    )
    for name in ("pipeline_id", "kind", "execution_id"):
        if filters.get(name) is not None:
            query = query.where(columns[name] == filters[name])
    if ids is not None:
        query = query.where(among(columns.pipeline_id, ids))
    if filters.get("open") is not None:
        is_open = columns.resolved_at.is_(None)
        query = query.where(is_open if filters["open"] else ~is_open)
    return fetch_page(db, query, [columns.id], limit=limit, cursor=cursor, descending=True)
