"""Recorded runs of task files."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from api.store.paging import Page, fetch_page
from api.store.task_schema import task_run
from quality.errors import Conflict, NotFound
from quality.tasks.record import RunRecord

_FORGET = text(
    """
    delete from task_run where id in (
        select id from task_run where received_at < now() - make_interval(days => :days)
        limit :limit
    )
    """
)
_HEAD = [column for column in task_run.c if column.name not in ("tasks", "received_at")]


def add(db: Connection, record: RunRecord, reported_by: str, action_id: int | None = None) -> bool:
    """Store a run, once; whether it is new. Conflict where the id is another run's.

    A run of an action that is tried again replaces what is known of it.
    """
    values = record.model_dump(mode="json")
    values |= {"started_at": record.started_at, "finished_at": record.finished_at}
    statement = insert(task_run).values(**values, reported_by=reported_by, action_id=action_id)
    if action_id is None:
        made = db.scalar(statement.on_conflict_do_nothing().returning(task_run.c.id))
        if made is None and db.scalar(
            select(func.count())
            .select_from(task_run)
            .where(task_run.c.id == record.id, task_run.c.started_at != record.started_at)
        ):
            raise Conflict(f"the id {record.id} is another run's", code="task_run_id")
        return made is not None
    again = {name: statement.excluded[name] for name in (*values, "reported_by")}
    db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=again))
    return True


def get(db: Connection, run_id: str) -> dict[str, Any]:
    """One run with its tasks; NotFound with code `task_run_unknown`."""
    query = select(*_HEAD, task_run.c.tasks).where(task_run.c.id == run_id)
    row = db.execute(query).mappings().first()
    if row is None:
        raise NotFound("there is no run of that id", code="task_run_unknown")
    return dict(row)


def page(
    db: Connection, *, file: str | None, status: str | None, limit: int, cursor: str | None
) -> Page:
    """Runs without their tasks, newest first."""
    query = select(*_HEAD, func.jsonb_array_length(task_run.c.tasks).label("task_count"))
    for column, value in ((task_run.c.file, file), (task_run.c.status, status)):
        if value is not None:
            query = query.where(column == value)
    keys = [task_run.c.started_at, task_run.c.id]
    return fetch_page(db, query, keys, limit=limit, cursor=cursor, descending=True)


def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
    """Drop at most so many runs that were recorded longer ago; how many they were."""
    return db.execute(_FORGET, {"days": older_than_days, "limit": limit}).rowcount
