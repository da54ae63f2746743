"""Pipelines as their code declares them: kept in step, and recorded when they change."""

from __future__ import annotations

from typing import Any

from api import audit
from api.store.database import Database
from api.store.pipelines import pipelines
from quality.pipelines.reports import PipelineReport


def report(database: Database, found: PipelineReport) -> tuple[dict[str, Any], bool]:
    """Keep a pipeline as reported; the answer to its program, and whether it is new.

    One that is as it was, which is what nearly every report says, costs one statement and leaves
    nothing in the trail.
    """
    with database.connect() as db:
        answer = pipelines.unchanged(db, found)
    if answer is not None:
        return answer, False
    with database.begin() as db:
        before = pipelines.find(db, found.name)
        answer, is_new = pipelines.put(db, found)
        after = pipelines.get(db, answer["id"])
        audit.record_change(db, "pipeline", f"pipeline {answer['id']}", before, after)
    return answer, is_new
