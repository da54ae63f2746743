"""Recorded runs of task files."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api import audit
from api.access import actor
from api.operations import Answer, Operations, PageQuery, paged
from api.services import services
from api.store import task_runs
from quality.errors import NotFound
from quality.names import Text
from quality.tasks.record import RunRecord, RunStatus, TaskRecord

operations = Operations("tasks", __name__)
add = operations.add

_RUN_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")


class RunBody(RunRecord):
    """A run, as `stringx tasks run` records it."""


class RunQuery(PageQuery):
    file: Annotated[Text, Field(min_length=1, max_length=1000)] | None = None
    status: RunStatus | None = None


class _Run(BaseModel):
    id: str
    file: str
    host: str
    status: str
    started_at: datetime
    finished_at: datetime
    duration_ms: float
    reported_by: str
    action_id: int | None = Field(description="the action on a verdict that it is a run of")


class RunSummary(_Run):
    """A run without its tasks."""

    task_count: int


class RunView(_Run):
    """A run with its tasks."""

    tasks: list[TaskRecord]


class RunPage(BaseModel):
    """Runs, newest first."""

    items: list[RunSummary]
    next_cursor: str | None


@add(
    "POST",
    "/task-runs",
    body=RunBody,
    answers={200: RunView, 201: RunView},
    problems=(409,),
    scope="trigger",
    is_about_tables=False,
)
def create_task_run(body: RunBody) -> Answer:
    """Record a run of a task file; the same again changes nothing."""
    with services().database.begin() as db:
        is_new = task_runs.add(db, body, actor())
        if is_new:
            detail = {"file": body.file, "status": body.status}
            audit.record(db, "task_run.recorded", f"task run {body.id}", detail)
        row = task_runs.get(db, body.id)
    return Answer(row, 201 if is_new else 200, {"Location": f"/api/v1/task-runs/{body.id}"})


@add("GET", "/task-runs", query=RunQuery, answers={200: RunPage})
def list_task_runs(query: RunQuery) -> Answer:
    """List runs of task files, newest first."""
    with services().database.connect() as db:
        page = task_runs.page(
            db, file=query.file, status=query.status, limit=query.limit, cursor=query.cursor
        )
    return paged(page)


@add("GET", "/task-runs/<run_id>", answers={200: RunView})
def get_task_run(run_id: str) -> Answer:
    """Read a run with its tasks: what, when, how long, how it ended, the end of its output."""
    if not _RUN_ID.fullmatch(run_id):
        raise NotFound("there is no run of that id", code="task_run_unknown")
    with services().database.connect() as db:
        return Answer(task_runs.get(db, run_id))
