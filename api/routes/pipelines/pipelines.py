"""Pipelines and their types, in pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from api.operations import Answer, Operations, PageQuery, Query, paged
from api.pipelines import reach, reporting
from api.pipelines.views.executions import DailyReport
from api.pipelines.views.pipelines import PipelinePage, PipelineView, TypePage
from api.routes.identifiers import known_id
from api.services import services
from api.store.pipelines import daily, pipelines, types
from quality.names import Owner
from quality.pipelines.reports import PipelineReport
from quality.pipelines.texts import Name

operations = Operations("pipelines", __name__)
add = operations.add


class PipelinePageQuery(PageQuery):
    name: Name | None = None
    type: Name | None = None
    owner: Owner | None = None
    active: bool | None = None


class TypePageQuery(PageQuery):
    name: Name | None = None


class ReportQuery(Query):
    days: Annotated[int, Field(ge=1, le=366)] = 1
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


@add(
    "PUT",
    "/pipelines",
    body=PipelineReport,
    answers={200: PipelineView, 201: PipelineView},
    scope="pipelines",
    keeps=reach.keep_to_report,
)
def put_pipeline(body: PipelineReport) -> Answer:
    """Keep a pipeline in step with its code; answers all of it."""
    answer, is_new = reporting.report(services().database, body)
    with services().database.connect() as db:
        return Answer(pipelines.get(db, answer["id"]), 201 if is_new else 200)


@add(
    "GET", "/pipelines", query=PipelinePageQuery, answers={200: PipelinePage}, keeps=reach.filtered
)
def list_pipelines(query: PipelinePageQuery) -> Answer:
    """List pipelines."""
    with services().database.connect() as db:
        filters = query.model_dump(exclude={"limit", "cursor"})
        ids = reach.theirs(db)
        page = pipelines.page(db, limit=query.limit, cursor=query.cursor, filters=filters, ids=ids)
    return paged(page)


@add(
    "GET", "/pipelines/<int:pipeline_id>", answers={200: PipelineView}, keeps=reach.keep_to_pipeline
)
def get_pipeline(pipeline_id: int) -> Answer:
    """Read a pipeline with the tables that it fills."""
    with services().database.connect() as db:
        return Answer(pipelines.get(db, known_id(pipeline_id, "pipeline")))


@add("GET", "/pipeline-types", query=TypePageQuery, answers={200: TypePage})
def list_pipeline_types(query: TypePageQuery) -> Answer:
    """List types of pipelines."""
    with services().database.connect() as db:
        page = types.page(db, limit=query.limit, cursor=query.cursor, name=query.name)
    return paged(page)


@add("GET", "/pipelines/report", query=ReportQuery, answers={200: DailyReport})
def get_daily_report(query: ReportQuery) -> Answer:
    """What the executions of the last days (UTC) came to, by pipeline and day."""
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=query.days - 1)
    with services().database.connect() as db:
        found = daily.report(db, since, now + timedelta(days=1), query.limit + 1)
    return Answer({"is_complete": len(found) <= query.limit, "items": found[: query.limit]})
