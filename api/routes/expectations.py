"""Expectations: when checks of a table are to be asked for."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection

from api import audit
from api.operations import Answer, Operations, PageQuery, paged
from api.routes.tables import known_id
from api.services import services
from api.store import expectations
from quality.schedule import Expectation

operations = Operations("expectations", __name__)
add = operations.add


class ExpectationView(BaseModel):
    """When checks of a table are expected, and how it stands."""

    table_id: int
    connection: str
    table: str
    every: str | None
    cron: str | None
    time_zone: str | None
    grace: str
    since: AwareDatetime = Field(description="nothing before it is missed")
    next_due_at: AwareDatetime
    last_missed_at: AwareDatetime | None = Field(description="when the newest missed one was due")
    updated_at: AwareDatetime


class ExpectationPage(BaseModel):
    """Expectations by table."""

    items: list[ExpectationView]
    next_cursor: str | None


@add("GET", "/expectations", query=PageQuery, answers={200: ExpectationPage})
def list_expectations(query: PageQuery) -> Answer:
    """List the tables of which checks are expected, and when."""
    with services().database.connect() as db:
        page = expectations.page(db, limit=query.limit, cursor=query.cursor)
    return paged(page)


@add("GET", "/tables/<int:table_id>/expectation", answers={200: ExpectationView})
def get_expectation(table_id: int) -> Answer:
    """Read when checks of a table are expected."""
    with services().database.connect() as db:
        return Answer(expectations.get(db, known_id(table_id)))


@add(
    "PUT",
    "/tables/<int:table_id>/expectation",
    body=Expectation,
    answers={200: ExpectationView},
)
def put_expectation(table_id: int, body: Expectation) -> Answer:
    """Say when checks of a table are to be asked for: `every` 1h, or `cron` with a time zone.

    Where nobody asks by then and a grace, a failure of timeliness is stored, once, and the gate
    decides on it.
    """
    with services().database.begin() as db:
        before = expectations.find(db, known_id(table_id))
        after = expectations.put(db, table_id, body)
        _record(db, table_id, before, after)
    return Answer(after)


@add("DELETE", "/tables/<int:table_id>/expectation", answers={204: None})
def delete_expectation(table_id: int) -> Answer:
    """Expect nothing of a table any more; what was missed stays in its history."""
    with services().database.begin() as db:
        before = expectations.get(db, known_id(table_id))
        expectations.remove(db, table_id)
        detail = {"before": _declared(before)}
        audit.record(db, "expectation.removed", f"table {table_id}", detail)
    return Answer(status=204)


def _record(
    db: Connection, table_id: int, before: dict[str, Any] | None, after: dict[str, Any]
) -> None:
    declared = None if before is None else _declared(before)
    audit.record_change(db, "expectation", f"table {table_id}", declared, _declared(after))


def _declared(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("every", "cron", "time_zone", "grace")}
