"""Actions on verdicts: which task files a table names, and which verdicts are events for them.

The changes of a table's verdict have ascending ids in the order of their commits, because each is
made while the table's row is locked; so each table remembers the last one that it has seen.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from api.store.paging import Page, fetch_page
from api.store.schema import monitored_table
from api.store.tables import get as get_table
from api.store.task_schema import action_run, table_action
from quality.tasks.events import EVENTS, next_state

_BATCH = 200
_FILES = [f"on_{event}" for event in EVENTS]
_BEHIND = text(
    """
    select a.*, t.connection, t.name, t.owner, t.last_status, t.last_check_id, t.last_finished_at
    from table_action a join monitored_table t on t.id = a.table_id
    where exists (
        select from verdict_change v where v.table_id = a.table_id and v.id > a.last_change_id
    ) or (a.state is null and t.last_status is not null)
    order by a.table_id limit :limit for update of a skip locked
    """
)
_CHANGES = text(
    """
    select id, check_id, at, before, after, cause, before_check_id, before_at from verdict_change
    where table_id = :table_id and id > :after order by id limit 500
    """
)
_ADD = text(
    """
    insert into action_run (table_id, check_id, event, file, variables)
    values (:table_id, :check_id, :event, :file, cast(:variables as jsonb))
    on conflict (table_id, check_id) do nothing
    """
)


def configured(db: Connection, table_id: int) -> dict[str, str | None]:
    """The files that a table names, by `on_…`."""
    get_table(db, table_id)
    columns = [table_action.c[name] for name in _FILES]
    row = db.execute(select(*columns).where(table_action.c.table_id == table_id)).mappings().first()
    return dict(row) if row is not None else dict.fromkeys(_FILES)


def configure(db: Connection, table_id: int, files: dict[str, str | None]) -> None:
    """Name files. What a table's verdict was until then is no event any more."""
    get_table(db, table_id)
    newest = text("select coalesce(max(id), 0) from verdict_change where table_id = :id")
    lock = select(monitored_table.c.last_status).where(monitored_table.c.id == table_id)
    state = db.scalar(lock.with_for_update(key_share=True))
    statement = insert(table_action).values(
        table_id=table_id,
        state=state,
        last_change_id=db.scalar(newest, {"id": table_id}),
        **files,
    )
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["table_id"], set_={**files, "updated_at": text("now()")}
        )
    )


def collect(db: Connection) -> Counter[str]:
    """Turn changes of verdicts into actions to run; how many were made, by event."""
    made: Counter[str] = Counter()
    for row in db.execute(_BEHIND, {"limit": _BATCH}).mappings().all():
        given = {"table_id": row["table_id"], "after": row["last_change_id"]}
        changes = db.execute(_CHANGES, given).mappings().all()
        state = row["state"]
        for seen in _seen(row, changes):
            before = state
            state, event = next_state(state, seen["status"])
            file = row[f"on_{event}"] if event is not None else None
            if file is None:
                continue
            variables = _variables(row, seen, before, str(event))
            made[str(event)] += db.execute(
                _ADD,
                {
                    "table_id": row["table_id"],
                    "check_id": seen["check_id"],
                    "event": event,
                    "file": file,
                    "variables": json.dumps(variables),
                },
            ).rowcount
        last = changes[-1]["id"] if changes else row["last_change_id"]
        db.execute(
            table_action.update()
            .where(table_action.c.table_id == row["table_id"])
            .values(state=state, last_change_id=last)
        )
    return made


def _seen(row: Any, changes: Any) -> list[dict[str, Any]]:
    """Verdicts in their order; the first that a table ever had is no change, and counts too."""
    found = []
    if row["state"] is None and changes:
        first = changes[0]
        found.append(
            _verdict(first["before"], first["before_check_id"], first["before_at"], "first")
        )
    elif row["state"] is None:
        found.append(
            _verdict(row["last_status"], row["last_check_id"], row["last_finished_at"], "first")
        )
    return found + [
        _verdict(one["after"], one["check_id"], one["at"], one["cause"]) for one in changes
    ]


def _verdict(status: str, check_id: str, at: datetime | None, cause: str) -> dict[str, Any]:
    return {"status": status, "check_id": check_id, "at": at, "cause": cause}


def _variables(row: Any, seen: dict[str, Any], before: str | None, event: str) -> dict[str, str]:
    return {
        "VERDICT_EVENT": event,
        "VERDICT_STATUS": seen["status"],
        "VERDICT_BEFORE": before or "none",
        "VERDICT_CAUSE": seen["cause"],
        "VERDICT_CONNECTION": row["connection"],
        "VERDICT_TABLE": row["name"],
        "VERDICT_TABLE_ID": str(row["table_id"]),
        "VERDICT_OWNER": row["owner"] or "",
        "VERDICT_CHECK_ID": seen["check_id"],
        "VERDICT_AT": seen["at"].isoformat() if seen["at"] is not None else "",
    }


def page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    action_id: int | None = None,
    table_id: int | None = None,
    table: str | None = None,
    connection: str | None = None,
    state: str | None = None,
) -> Page:
    """Actions of a table or of all, newest first."""
    hidden = ("variables", "lease_until", "begin_at")
    columns = [column for column in action_run.c if column.name not in hidden]
    named = [monitored_table.c.connection, monitored_table.c.name.label("table")]
    query = select(*columns, *named).join(monitored_table)
    for column, value in (
        (action_run.c.id, action_id),
        (action_run.c.table_id, table_id),
        (monitored_table.c.name, table),
        (monitored_table.c.connection, connection),
        (action_run.c.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    return fetch_page(db, query, [action_run.c.id], limit=limit, cursor=cursor, descending=True)


def waiting(db: Connection) -> dict[str, Any]:
    """How many actions wait and run, and for how many seconds the oldest of them has."""
    is_open = action_run.c.state.in_(("waiting", "running"))
    age = func.extract("epoch", func.now() - func.min(action_run.c.created_at))
    counts = dict.fromkeys(("waiting", "running"), 0)
    query = select(action_run.c.state, func.count(), age).where(is_open)
    oldest_s = 0.0
    for state, count, age_s in db.execute(query.group_by(action_run.c.state)):
        counts[state] = count
        oldest_s = max(oldest_s, float(age_s))
    return {**counts, "oldest_s": oldest_s}
