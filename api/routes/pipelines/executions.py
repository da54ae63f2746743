"""Executions, with all that is known of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic_core import to_json

from api.access import actor
from api.operations import Answer, Encoded, Operations, PageQuery, paged
from api.pipelines import reach
from api.pipelines.views.executions import ExecutionPage, ExecutionTree, ExecutionView
from api.routes.checks import Moment
from api.routes.identifiers import known_id
from api.routes.pipelines.framework import shown
from api.services import services
from api.store.pipelines import executions, listing
from quality.pipelines.reports import EndReport, Id, StartReport
from quality.pipelines.texts import Name
from quality.pipelines.trees import tree

operations = Operations("executions", __name__)
add = operations.add


class ExecutionQuery(PageQuery):
    pipeline_id: Id | None = None
    pipeline: Name | None = None
    parent_id: Id | None = None
    state: listing.State | None = None
    anomalous: bool | None = Field(default=None, description="only those with an anomaly flag")
    since: Moment | None = None
    until: Moment | None = None


@add(
    "POST",
    "/executions",
    body=StartReport,
    answers={201: ExecutionView},
    problems=(404,),
    scope="pipelines",
    keeps=reach.keep_to_pipeline,
)
def start_execution(body: StartReport) -> Answer:
    """Start an execution; answers it."""
    with services().database.begin() as db:  # what cannot be shown was not started either
        execution_id = executions.start(db, executions.start_values(body, actor()))["id"]
        document = shown(db, execution_id)
    return Answer(document, 201, {"Location": f"/api/v1/executions/{execution_id}"})


@add(
    "POST",
    "/executions/end",
    body=EndReport,
    answers={200: ExecutionView},
    problems=(404, 409),
    scope="pipelines",
    keeps=reach.keep_to_execution,
)
def end_execution(body: EndReport) -> Answer:
    """End an execution; answers it."""
    services().executing.end(body, actor())
    with services().database.connect() as db:
        return Answer(shown(db, body.id))


@add("GET", "/executions", query=ExecutionQuery, answers={200: ExecutionPage}, keeps=reach.filtered)
def list_executions(query: ExecutionQuery) -> Answer:
    """List executions, newest first."""
    paging = {"limit", "cursor"}
    filters: dict[str, Any] = {
        name: getattr(query, name) for name in query.model_fields_set - paging
    }
    with services().database.connect() as db:
        filters["pipelines"] = reach.theirs(db)
        page = listing.page(db, limit=query.limit, cursor=query.cursor, filters=filters)
    return paged(page)


@add(
    "GET",
    "/executions/<int:execution_id>",
    answers={200: ExecutionView},
    keeps=reach.keep_to_execution,
)
def get_execution(execution_id: int) -> Answer:
    """Read an execution with its direct children and the checks of what it wrote."""
    with services().database.connect() as db:
        return Answer(shown(db, known_id(execution_id, "execution")))


@add(
    "GET",
    "/executions/<int:execution_id>/tree",
    answers={200: ExecutionTree},
    keeps=reach.keep_to_execution,
)
def get_execution_tree(execution_id: int) -> Answer:
    """The whole tree below an execution: shares of the time, and where a failure began."""
    limit = services().settings.tree_limit
    with services().database.connect() as db:
        rows = executions.descendants(db, known_id(execution_id, "execution"), limit + 1)
        names = executions.pipelines_of(db, rows)
    found = tree(execution_id, rows[:limit])
    document = {
        "executions": min(len(rows), limit),
        "is_complete": len(rows) <= limit,
        "failed_execution_id": found.failed_id,
        "pipelines": names,
        "root": found.root,
    }
    return Answer(Encoded(to_json(document)))
