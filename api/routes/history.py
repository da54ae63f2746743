"""What rules measured over time, and how other rules would have judged it."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from api import views
from api.operations import Answer, Body, Cursor, Limit, Operations, PageQuery, paged
from api.routes.checks import Moment
from api.routes.rules import Rules
from api.routes.tables import known_id
from api.services import services
from api.store import measurements, replays
from api.store.tables import get
from quality.names import RuleName

operations = Operations("history", __name__)
add = operations.add


class MeasurementQuery(PageQuery):
    rule: RuleName | None = None
    since: Moment | None = None
    until: Moment | None = None


class ReplayBody(Body):
    rules: Rules | None = Field(default=None, description="the table's own if left out")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


@add(
    "GET",
    "/tables/<int:table_id>/measurements",
    query=MeasurementQuery,
    answers={200: views.MeasurementPage},
)
def list_measurements(table_id: int, query: MeasurementQuery) -> Answer:
    """List what the rules of a table measured, newest first."""
    with services().database.connect() as db:
        get(db, known_id(table_id))
        page = measurements.page(
            db,
            table_id,
            rule=query.rule,
            since=query.since,
            until=query.until,
            limit=query.limit,
            cursor=query.cursor,
        )
    return paged(page)


@add(
    "POST",
    "/tables/<int:table_id>/replay",
    body=ReplayBody,
    answers={200: views.ReplayPage},
    problems=(409,),
    scope="read",
)
def replay_checks(table_id: int, body: ReplayBody) -> Answer:
    """Judge stored checks again, newest first, under these rules; the target is not asked."""
    rules = body.rules
    if rules is None:
        rules = services().drafts.rules(known_id(table_id))
    with services().database.connect() as db:
        get(db, known_id(table_id))
        page = replays.page(
            db,
            table_id,
            rules,
            since=body.since,
            until=body.until,
            limit=body.limit,
            cursor=body.cursor,
        )
    return paged(page)
