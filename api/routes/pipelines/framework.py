"""The paths of the Watcher framework, at the root: its programs work here with another base URL.

Statuses, names and lists without an envelope are the framework's; problems are ours.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlencode

from flask import request
from pydantic import Field

from api import audit
from api.access import actor
from api.operations import Answer, Limit, Operations, PageQuery, Query
from api.pipelines import reach, reporting
from api.pipelines.views.executions import ExecutionView
from api.pipelines.views.pipelines import (
    Made,
    PipelineList,
    PipelineView,
    Reported,
    TypeList,
    TypeView,
)
from api.routes.identifiers import known_id
from api.services import services
from api.store.paging import Page
from api.store.pipelines import executions, pipelines, types
from quality.names import Owner
from quality.pipelines.reports import (
    EndReport,
    PipelineChange,
    PipelineReport,
    StartReport,
    TypeChange,
    TypeReport,
)
from quality.pipelines.texts import Name

operations = Operations("watcher framework", __name__, prefix="")
add = operations.add


class ListQuery(PageQuery):
    """Lists come in pages of 500; where there is more, a Link header leads on."""

    limit: Limit = 500
    name: Name | None = None


class PipelineQuery(ListQuery):
    type: Name | None = None
    owner: Owner | None = None
    active: bool | None = None


class EndQuery(Query):
    answer: Literal["representation", "minimal"] = Field(default="minimal", alias="return")


@add(
    "POST",
    "/pipeline",
    body=PipelineReport,
    answers={200: Reported, 201: Reported},
    scope="pipelines",
    keeps=reach.keep_to_report,
)
def report_pipeline(body: PipelineReport) -> Answer:
    """Keep a pipeline in step with its code; answers where it stands."""
    answer, is_new = reporting.report(services().database, body)
    return Answer(answer, 201 if is_new else 200)


@add(
    "PATCH",
    "/pipeline",
    body=PipelineChange,
    answers={200: PipelineView},
    problems=(404, 409),
    scope="pipelines",
    keeps=reach.keep_to_change,
)
def patch_pipeline(body: PipelineChange) -> Answer:
    """Change what is sent of a pipeline."""
    with services().database.begin() as db:
        before, after = pipelines.change(db, body)
        audit.record_change(db, "pipeline", f"pipeline {after['id']}", before, after)
    return Answer(after)


@add(
    "GET",
    "/pipeline",
    query=PipelineQuery,
    answers={200: PipelineList},
    scope="pipelines",
    keeps=reach.filtered,
)
def watcher_pipelines(query: PipelineQuery) -> Answer:
    """List pipelines."""
    with services().database.connect() as db:
        filters = query.model_dump(exclude={"limit", "cursor"})
        ids = reach.theirs(db)
        page = pipelines.page(db, limit=query.limit, cursor=query.cursor, filters=filters, ids=ids)
    return listed(page)


@add(
    "GET",
    "/pipeline/<int:pipeline_id>",
    answers={200: PipelineView},
    scope="pipelines",
    keeps=reach.keep_to_pipeline,
)
def watcher_pipeline(pipeline_id: int) -> Answer:
    """Read a pipeline."""
    with services().database.connect() as db:
        return Answer(pipelines.get(db, known_id(pipeline_id, "pipeline")))


@add(
    "POST",
    "/pipeline_type",
    body=TypeReport,
    answers={200: Made, 201: Made},
    scope="pipelines",
)
def report_pipeline_type(body: TypeReport) -> Answer:
    """Make a type of pipelines, or find the one of that name."""
    with services().database.begin() as db:
        type_id, is_new = types.report(db, body)
        if is_new:
            after = body.model_dump()
            audit.record_change(db, "pipeline_type", f"pipeline type {type_id}", None, after)
    return Answer({"id": type_id}, 201 if is_new else 200)


@add(
    "PATCH",
    "/pipeline_type",
    body=TypeChange,
    answers={200: TypeView},
    problems=(404, 409),
    scope="pipelines",
)
def patch_pipeline_type(body: TypeChange) -> Answer:
    """Change what is sent of a pipeline type."""
    with services().database.begin() as db:
        before, after = types.change(db, body)
        audit.record_change(db, "pipeline_type", f"pipeline type {after['id']}", before, after)
    return Answer(after)


@add("GET", "/pipeline_type", query=ListQuery, answers={200: TypeList}, scope="pipelines")
def watcher_pipeline_types(query: ListQuery) -> Answer:
    """List types of pipelines."""
    with services().database.connect() as db:
        page = types.page(db, limit=query.limit, cursor=query.cursor, name=query.name)
    return listed(page)


@add("GET", "/pipeline_type/<int:type_id>", answers={200: TypeView}, scope="pipelines")
def watcher_pipeline_type(type_id: int) -> Answer:
    """Read a type of pipelines."""
    with services().database.connect() as db:
        return Answer(types.get(db, known_id(type_id, "pipeline type")))


@add(
    "POST",
    "/start_pipeline_execution",
    body=StartReport,
    answers={201: Made},
    problems=(404,),
    scope="pipelines",
    keeps=reach.keep_to_pipeline,
)
def start_pipeline_execution(body: StartReport) -> Answer:
    """Start an execution, now or at a given time, below another one or by itself."""
    return Answer({"id": services().executing.start(body, actor())["id"]}, 201)


@add(
    "POST",
    "/end_pipeline_execution",
    body=EndReport,
    query=EndQuery,
    answers={200: ExecutionView, 204: None},
    problems=(404, 409),
    scope="pipelines",
    keeps=reach.keep_to_execution,
)
def end_pipeline_execution(body: EndReport, query: EndQuery) -> Answer:
    """End an execution. With return=representation the execution is answered."""
    services().executing.end(body, actor())
    if query.answer == "minimal":
        return Answer(status=204)
    with services().database.connect() as db:
        return Answer(_whole_seconds(shown(db, body.id)))


@add(
    "GET",
    "/pipeline_execution/<int:execution_id>",
    answers={200: ExecutionView},
    scope="pipelines",
    keeps=reach.keep_to_execution,
)
def watcher_execution(execution_id: int) -> Answer:
    """Read an execution with its direct children and the checks of what it wrote."""
    with services().database.connect() as db:
        return Answer(_whole_seconds(shown(db, known_id(execution_id, "execution"))))


def shown(db: Any, execution_id: int) -> dict[str, Any]:
    """An execution as it is shown."""
    return {
        **executions.get(db, execution_id),
        "checks": executions.checks_of(db, execution_id),
    }


def _whole_seconds(execution: dict[str, Any]) -> dict[str, Any]:
    """The framework's clients take a duration for a whole number."""
    for one in (execution, *execution["child_executions"]):
        if one["duration_seconds"] is not None:
            one["duration_seconds"] = int(one["duration_seconds"])
    return execution


def listed(page: Page) -> Answer:
    """A list without an envelope; a Link header leads to the next page."""
    headers = {}
    if page.next_cursor is not None:
        following = urlencode({**request.args.to_dict(), "cursor": page.next_cursor})
        headers["Link"] = f'<{request.path}?{following}>; rel="next"'
    return Answer(page.items, headers=headers)
