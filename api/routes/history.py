"""What rules measured over time."""

from __future__ import annotations

from api import views
from api.operations import Answer, Operations, PageQuery
from api.routes.checks import Moment
from api.routes.tables import known_id
from api.services import services
from api.store import measurements
from api.store.tables import get
from quality.names import RuleName

operations = Operations("history", __name__)
add = operations.add


class MeasurementQuery(PageQuery):
    rule: RuleName | None = None
    since: Moment | None = None
    until: Moment | None = None


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
    return Answer({"items": page.items, "next_cursor": page.next_cursor})
