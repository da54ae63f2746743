"""Finished checks with all that is needed to judge them again under other rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from api.store import measurements, versions
from api.store.measurements import Place
from api.store.paging import Page, fetch_page
from api.store.schema import check_run, measurement, rule_result
from quality.checks import Group, RuleResult
from quality.documents import strictly
from quality.history import reach
from quality.history.replay import Kept, StoredCheck, replay
from quality.rules import Rule

_RESULT_COLUMNS = tuple(
    rule_result.c[name]
    for name in (
        *("check_id", "rule", "type", "dimension", "kind", "severity", "status", "failures"),
        *("failing_rows", "rows_tested", "rows_estimated", "measured", "groups"),
        *("groups_left_out", "is_shadow", "weight"),
    )
)


def page(
    db: Connection,
    table_id: int,
    rules: Sequence[Rule],
    *,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """The table's checks as these rules would have judged them, newest first; see
    `quality.history.replay.ReplayedCheck`. Nothing but our own database is asked."""
    query = select(
        check_run.c.id,
        check_run.c.received_at,
        check_run.c.finished_at,
        check_run.c.status,
        check_run.c.rules_version,
        check_run.c.error_code,
    ).where(check_run.c.table_id == table_id, check_run.c.state == "finished")
    if since is not None:
        query = query.where(check_run.c.received_at >= since)
    if until is not None:
        query = query.where(check_run.c.received_at < until)
    keys = [check_run.c.received_at, check_run.c.id]
    found = fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)
    ids = [row["id"] for row in found.items]
    results = _results(db, ids)
    known = _known_rules(db, table_id, [row["rules_version"] for row in found.items])
    kept = _kept(db, table_id, ids, rules)
    checks = [
        StoredCheck(
            row["id"],
            row["finished_at"],
            row["status"],
            results[row["id"]],
            known.get(row["rules_version"], {}),
            kept[row["id"]],
            row["error_code"],
        )
        for row in found.items
    ]
    return Page([replay(check, rules).document() for check in checks], found.next_cursor)


def _results(db: Connection, ids: Sequence[str]) -> dict[str, list[RuleResult]]:
    order = rule_result.c.check_id, rule_result.c.position
    query = select(*_RESULT_COLUMNS).where(rule_result.c.check_id.in_(ids)).order_by(*order)
    found: dict[str, list[RuleResult]] = defaultdict(list)
    for row in db.execute(
        query.order_by(rule_result.c.check_id, rule_result.c.position)
    ).mappings():
        values = dict(row)
        groups = tuple(Group.model_construct(**group) for group in values.pop("groups"))
        check_id = values.pop("check_id")
        found[check_id].append(RuleResult.model_construct(**values, groups=groups))
    return found


def _known_rules(
    db: Connection, table_id: int, numbers: Iterable[int | None]
) -> dict[int | None, dict[str, Rule]]:
    """Rules by name of several versions; those that this version of the service understands."""
    read: dict[int | None, dict[str, Rule]] = {}
    for number, documents in versions.rules_of(db, table_id, numbers).items():
        read[number] = {}
        for document in documents:
            try:
                rule = strictly(Rule, document)
            except ValidationError:
                continue
            read[number][rule.name] = rule
    return read


def _kept(
    db: Connection, table_id: int, ids: Sequence[str], rules: Sequence[Rule]
) -> dict[str, dict[str, Kept]]:
    """What rules on history measured in the checks, each with what was there before it."""
    on_history = {rule.name: rule for rule in rules if rule.rule_type.category == "H"}
    found: dict[str, dict[str, Kept]] = defaultdict(dict)
    if not on_history:
        return found
    query = select(measurement).where(
        measurement.c.table_id == table_id,
        measurement.c.check_id.in_(ids),
        measurement.c.rule.in_(list(on_history)),
    )
    rows: list[Any] = list(db.execute(query))
    asked = [
        (
            Place(table_id, row.rule, row.definition_hash, row.scope_hash, before_id=row.id),
            reach(on_history[row.rule], row.at),
        )
        for row in rows
    ]
    for row, earlier in zip(rows, measurements.earlier(db, asked), strict=True):
        found[row.check_id][row.rule] = Kept(row.at, row.measured, earlier)
    return found
