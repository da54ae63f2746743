"""What is still to be done after successful ends; a note goes when all of it is done."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

_DUE = text(
    """
    select execution_id, attempts from execution_follow_up
    where due_at <= now() order by due_at, execution_id limit :limit
    """
)
_DONE = text("delete from execution_follow_up where execution_id = :id")
_LATER = text(
    """
    update execution_follow_up
    set attempts = attempts + 1, due_at = now() + make_interval(secs => :seconds)
    where execution_id = :id
    """
)
_TABLES = text(
    """
    select connection, table_name, column_name, scoped_by from pipeline_table
    where pipeline_id = :id order by connection, table_name
    """
)


def due(db: Connection, limit: int) -> list[Any]:
    """Executions that have something to follow, those that wait longest first."""
    return list(db.execute(_DUE, {"limit": limit}))


def done(db: Connection, execution_id: int) -> None:
    db.execute(_DONE, {"id": execution_id})


def later(db: Connection, execution_id: int, seconds: float) -> None:
    """Try again after that time."""
    db.execute(_LATER, {"id": execution_id, "seconds": seconds})


def tables_of(db: Connection, pipeline_id: int) -> list[Any]:
    """The tables that a pipeline fills."""
    return list(db.execute(_TABLES, {"id": pipeline_id}))
