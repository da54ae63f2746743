"""Rows that failed, kept for some days."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, text

from api.store.schema import check_run, rule_sample
from quality.errors import NotFound

_FORGET = text(
    """
    delete from rule_sample where (check_id, position) in (
        select check_id, position from rule_sample
        where created_at < now() - make_interval(days => :days)
        order by created_at limit :limit for update skip locked
    )
    """
)


def of_check(db: Connection, check_id: str) -> list[dict[str, Any]]:
    """The samples of a check in the order of its rules; NotFound with code `check_unknown`."""
    query = (
        select(
            rule_sample.c.rule,
            rule_sample.c.columns,
            rule_sample.c.rows,
            rule_sample.c.sql,
            rule_sample.c.is_capped,
        )
        .where(rule_sample.c.check_id == check_id)
        .order_by(rule_sample.c.position)
    )
    found = [dict(row) for row in db.execute(query).mappings()]
    if not found and db.scalar(select(check_run.c.id).where(check_run.c.id == check_id)) is None:
        raise NotFound(f'there is no check "{check_id}"', code="check_unknown")
    return found


def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
    """Drop at most so many samples that are older than that; how many they were."""
    return db.execute(_FORGET, {"days": older_than_days, "limit": limit}).rowcount
