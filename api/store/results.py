"""Reading what was found: checks, their results, and the history of both."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, literal_column, select

from api.store.paging import Page, fetch_page
from api.store.schema import check_run, monitored_table, rule_result
from api.store.statement import Statement
from quality.errors import NotFound
from quality.scores import scores_by_dimension, weighted_score

_CHECK_COLUMNS = (
    check_run.c.id,
    check_run.c.connection,
    check_run.c.table_name.label("table"),
    check_run.c.table_id,
    check_run.c.state,
    check_run.c.status,
    check_run.c.source,
    check_run.c.request,
    check_run.c.received_at,
    check_run.c.started_at,
    check_run.c.finished_at,
    check_run.c.duration_ms,
    check_run.c.attempts,
    check_run.c.counts,
    check_run.c.failing_rows,
    check_run.c.rule_set_hash,
    check_run.c.rules_version,
    check_run.c.scope,
    check_run.c.error_code,
    check_run.c.error,
    check_run.c.partial_at,
)

_RESULT_COLUMNS = (
    rule_result.c.id,
    rule_result.c.check_id,
    rule_result.c.rule,
    rule_result.c.type,
    rule_result.c.column_name.label("column"),
    rule_result.c.dimension,
    rule_result.c.kind,
    rule_result.c.severity,
    rule_result.c.status,
    rule_result.c.failures,
    rule_result.c.failing_rows,
    rule_result.c.rows_tested,
    rule_result.c.rows_estimated,
    rule_result.c.measured,
    rule_result.c.path,
    rule_result.c.proof,
    rule_result.c.duration_ms,
    rule_result.c.message,
    rule_result.c.sql,
    rule_result.c.groups,
    rule_result.c.groups_left_out,
    rule_result.c.is_shadow,
    rule_result.c.weight,
    rule_result.c.finished_at,
)

_ID = literal_column(":id")
_CHECK = Statement.of(select(*_CHECK_COLUMNS).where(check_run.c.id == _ID))
_RESULTS = Statement.of(
    select(*_RESULT_COLUMNS).where(rule_result.c.check_id == _ID).order_by(rule_result.c.position)
)


def check(db: Connection, check_id: str) -> dict[str, Any]:
    """One check with a result for each rule; NotFound with code `check_unknown`."""
    row = _CHECK.first(db, {"id": check_id})
    if row is None:
        raise NotFound(f'there is no check "{check_id}"', code="check_unknown")
    version = {"rules_version": row.rules_version, "rule_set_hash": row.rule_set_hash}
    results = [{**one._asdict(), **version} for one in _RESULTS.rows(db, {"id": check_id})]
    judged = ((one["status"], one["weight"]) for one in results if not one["is_shadow"])
    return {**_shown(row._asdict()), "score": weighted_score(judged), "results": results}


def checks_page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    filters: dict[str, Any],
    since: datetime | None,
    until: datetime | None,
) -> Page:
    """Checks, newest first."""
    query = select(*_CHECK_COLUMNS)
    columns = {
        "table": check_run.c.table_name,
        "connection": check_run.c.connection,
        "state": check_run.c.state,
        "status": check_run.c.status,
        "source": check_run.c.source,
    }
    query = _narrowed(query, columns, filters, check_run.c.received_at, since, until)
    keys = [check_run.c.received_at, check_run.c.id]
    found = fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)
    return Page([_shown(row) for row in found.items], found.next_cursor)


def results_page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    filters: dict[str, Any],
    since: datetime | None,
    until: datetime | None,
) -> Page:
    """Results of rules over all checks, newest first."""
    query = select(
        *_RESULT_COLUMNS,
        check_run.c.rules_version,
        check_run.c.rule_set_hash,
        check_run.c.connection,
        check_run.c.table_name.label("table"),
    ).join(check_run, check_run.c.id == rule_result.c.check_id)
    columns = {
        "table": check_run.c.table_name,
        "connection": check_run.c.connection,
        "check_id": rule_result.c.check_id,
        "rule": rule_result.c.rule,
        "status": rule_result.c.status,
        "dimension": rule_result.c.dimension,
        "kind": rule_result.c.kind,
        "shadow": rule_result.c.is_shadow,
    }
    query = _narrowed(query, columns, filters, rule_result.c.finished_at, since, until)
    return fetch_page(db, query, [rule_result.c.id], limit=limit, cursor=cursor, descending=True)


def latest_verdicts(db: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest verdict of each table with its scores by dimension, for the metrics."""
    rows = db.execute(
        select(
            monitored_table.c.connection,
            monitored_table.c.name.label("table"),
            monitored_table.c.last_status,
            monitored_table.c.last_finished_at,
            monitored_table.c.last_check_id,
        )
        .where(monitored_table.c.last_status.is_not(None))
        .order_by(monitored_table.c.id)
        .limit(limit)
    ).mappings()
    verdicts = [dict(row) for row in rows]
    judged: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for row in db.execute(
        select(
            rule_result.c.check_id,
            rule_result.c.dimension,
            rule_result.c.status,
            rule_result.c.weight,
        ).where(
            rule_result.c.check_id.in_([verdict["last_check_id"] for verdict in verdicts]),
            rule_result.c.is_shadow.is_(False),
        )
    ):
        judged[row.check_id].append((row.dimension, row.status, row.weight))
    for verdict in verdicts:
        verdict["scores"] = scores_by_dimension(judged[verdict["last_check_id"]])
    return verdicts


def _narrowed(
    query: Select[Any],
    columns: dict[str, Any],
    filters: dict[str, Any],
    moment: Any,
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    for name, value in filters.items():
        if value is not None:
            query = query.where(columns[name] == value)
    if since is not None:
        query = query.where(moment >= since)
    if until is not None:
        query = query.where(moment < until)
    return query


def _shown(row: Any) -> dict[str, Any]:
    """With the scope as it was resolved; one without relative times is as it was asked."""
    scope = row["scope"] if row["scope"] is not None else row["request"].get("scope", [])
    is_partial = row["partial_at"] is not None and row["state"] != "finished"
    return {**row, "scope": scope, "is_partial": is_partial}
