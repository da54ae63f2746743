"""Freshness and timeliness on request, and what they alerted of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api import audit
from api.operations import Answer, Operations, PageQuery, paged
from api.pipelines import reach, watching
from api.pipelines.views.alerts import AlertPage, Looked
from api.routes.pipelines.framework import add as add_at_root
from api.services import services
from api.store.pipelines import alerts
from api.store.pipelines.alerts import Kind
from quality.pipelines.freshness import MIN_LOOKBACK_MINUTES
from quality.pipelines.reports import Id, Report

operations = Operations("timeliness", __name__)
add = operations.add


class TimelinessRequest(Report):
    lookback_minutes: Annotated[int, Field(ge=MIN_LOOKBACK_MINUTES, le=525_600)] = 60


class AlertQuery(PageQuery):
    pipeline_id: Id | None = None
    execution_id: Id | None = None
    kind: Kind | None = None
    open: bool | None = None


@add_at_root("POST", "/freshness", answers={200: Looked}, scope="pipelines")
def check_freshness() -> Answer:
    """Find pipelines whose newest data is too old, now."""
    return _answered("freshness", services().watching.freshness())


@add_at_root(
    "POST", "/timeliness", body=TimelinessRequest, answers={200: Looked}, scope="pipelines"
)
def check_timeliness(body: TimelinessRequest) -> Answer:
    """Find executions that run, or ended within the time looked back, and took too long."""
    return _answered("timeliness", services().watching.timeliness(body.lookback_minutes))


@add("POST", "/pipelines/missing", answers={200: Looked}, scope="pipelines")
def check_missing() -> Answer:
    """Find pipelines that did not start when their cadence says, now."""
    return _answered("missing_executions", services().watching.missing())


@add("GET", "/pipeline-alerts", query=AlertQuery, answers={200: AlertPage}, keeps=reach.filtered)
def list_pipeline_alerts(query: AlertQuery) -> Answer:
    """List what was alerted of pipelines, newest first."""
    with services().database.connect() as db:
        filters = query.model_dump(exclude={"limit", "cursor"})
        ids = reach.theirs(db)
        page = alerts.page(db, limit=query.limit, cursor=query.cursor, filters=filters, ids=ids)
    return paged(page)


def _answered(noun: str, looked: watching.Looked) -> Answer:
    """What was found, recorded as looked for by somebody; the clock's own looks are not."""
    detail = {"standing": looked.standing, "new_alerts": len(looked.new)}
    with services().database.begin() as db:
        audit.record(db, f"{noun}.checked", "pipelines", detail)
    return Answer(looked.document())
