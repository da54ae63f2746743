"""Expectations: when checks of tables are expected, and whether somebody asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from api.store.expectation_schema import expectation
from api.store.paging import Page, fetch_page
from api.store.schema import monitored_table
from api.store.tables import no_table
from quality.errors import NotFound
from quality.schedule import Expectation, Slot, duration_of, next_due, seconds_of

_ASKED = text(
    """
    select exists (
        select from check_run where table_id = :table_id and source <> 'schedule'
            and received_at > :begins and received_at <= :ends
    )
    """
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A table whose expectation is to be judged."""

    table_id: int
    connection: str
    table: str
    expectation: Expectation
    since: datetime
    judged_until: datetime


def put(db: Connection, table_id: int, new: Expectation) -> dict[str, Any]:
    """Set what is expected of a table, from now on; one that stays the same goes on as it was.

    NotFound with code `table_not_configured`.
    """
    if db.scalar(select(monitored_table.c.id).where(monitored_table.c.id == table_id)) is None:
        raise no_table(str(table_id))
    values = {
        "every_s": None if new.every is None else seconds_of(new.every),
        "cron": new.cron,
        "time_zone": new.time_zone,
        "grace_s": seconds_of(new.grace),
    }
    statement = insert(expectation).values(table_id=table_id, **values)
    changed = statement.on_conflict_do_update(
        index_elements=["table_id"],
        set_={
            **values,
            "since": func.now(),
            "judged_until": func.now(),
            "updated_at": func.now(),
        },
        where=text(
            " or ".join(f"expectation.{name} is distinct from excluded.{name}" for name in values)
        ),
    )
    db.execute(changed)
    return get(db, table_id)


def get(db: Connection, table_id: int) -> dict[str, Any]:
    """What is expected of a table; NotFound with code `expectation_unknown`."""
    found = find(db, table_id)
    if found is None:
        raise NotFound(f"nothing is expected of table {table_id}", code="expectation_unknown")
    return found


def find(db: Connection, table_id: int) -> dict[str, Any] | None:
    """What is expected of a table, if anything is."""
    row = db.execute(_shown().where(expectation.c.table_id == table_id)).mappings().first()
    return None if row is None else _view(dict(row))


def page(db: Connection, *, limit: int, cursor: str | None) -> Page:
    """All expectations, by table."""
    found = fetch_page(db, _shown(), [expectation.c.table_id], limit=limit, cursor=cursor)
    return Page([_view(row) for row in found.items], found.next_cursor)


def remove(db: Connection, table_id: int) -> None:
    """Expect nothing of the table any more; NotFound with code `expectation_unknown`."""
    if not db.execute(delete(expectation).where(expectation.c.table_id == table_id)).rowcount:
        raise NotFound(f"nothing is expected of table {table_id}", code="expectation_unknown")


def watched(db: Connection) -> list[int]:
    """Tables of which something is expected."""
    return list(db.scalars(select(expectation.c.table_id).order_by(expectation.c.table_id)))


def hold(db: Connection, table_id: int) -> Watched | None:
    """The expectation, locked until the transaction ends; None where somebody else has it or it is
    gone. So no slot is judged twice."""
    query = _shown().where(expectation.c.table_id == table_id)
    row = db.execute(query.with_for_update(of=expectation, skip_locked=True)).mappings().first()
    if row is None:
        return None
    return Watched(
        table_id,
        row["connection"],
        row["table"],
        _expectation(dict(row)),
        row["since"].astimezone(UTC),
        row["judged_until"].astimezone(UTC),
    )


def was_asked(db: Connection, table_id: int, slot: Slot) -> bool:
    """Whether somebody asked for a check of the table in the time of the slot."""
    given = {"table_id": table_id, "begins": slot.begins, "ends": slot.ends}
    return bool(db.scalar(_ASKED, given))


def judged(db: Connection, table_id: int, until: datetime, missed: datetime | None) -> None:
    """All slots that ended by `until` are judged; `missed` is the newest that was missed."""
    values: dict[str, Any] = {"judged_until": until}
    if missed is not None:
        values["last_missed_at"] = missed
    db.execute(update(expectation).where(expectation.c.table_id == table_id).values(values))


def now(db: Connection) -> datetime:
    """The database's time, by which requests are received and slots end."""
    moment: datetime = db.scalar(select(func.clock_timestamp()))
    return moment.astimezone(UTC)


def _shown() -> Any:
    return select(
        expectation, monitored_table.c.connection, monitored_table.c.name.label("table")
    ).join(monitored_table, monitored_table.c.id == expectation.c.table_id)


def _expectation(row: dict[str, Any]) -> Expectation:
    return Expectation(
        every=None if row["every_s"] is None else duration_of(row["every_s"]),
        cron=row["cron"],
        time_zone=row["time_zone"],
        grace=duration_of(row["grace_s"]),
    )


def _view(row: dict[str, Any]) -> dict[str, Any]:
    known = _expectation(row)
    since = row["since"].astimezone(UTC)
    return {
        **known.model_dump(),
        "table_id": row["table_id"],
        "connection": row["connection"],
        "table": row["table"],
        "since": since,
        "next_due_at": next_due(known, since, datetime.now(UTC)),
        "last_missed_at": row["last_missed_at"],
        "updated_at": row["updated_at"],
    }
