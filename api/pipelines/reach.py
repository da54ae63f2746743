"""Tokens for certain tables, at the paths of pipelines.

Theirs are the pipelines that fill tables, and none but those that the token is for: with their
executions, alerts and anomaly rules. Others look as if they were not there, and lists leave them
out. What is about pipelines as a whole (types, lineage, a look at all of them) stays closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from api.access import Caller, caller
from api.problems import Forbidden
from api.routes.identifiers import BIGGEST_ID
from api.services import services
from api.store.pipelines import filled
from api.store.pipelines.executions import no_execution, no_pipeline
from quality.errors import NotFound
from quality.pipelines.reports import PipelineChange, PipelineReport

Arguments = dict[str, Any]


def theirs(db: Connection) -> list[int] | None:
    """The ids of the pipelines that the caller may see; None for all."""
    who = caller()
    return None if who.tables is None else filled.within(db, who.is_for)


def filtered(arguments: Arguments) -> None:
    """Refuse nothing: the view lists, and asks `theirs` itself."""


def keep_to_pipeline(arguments: Arguments) -> None:
    """Refuse a pipeline that path or body names, and a parent of another's."""
    body = arguments.get("body")
    named = arguments.get("pipeline_id", getattr(body, "pipeline_id", None))
    _keep(named, _itself, no_pipeline)
    _keep(getattr(body, "parent_id", None), filled.of_execution, no_execution)


def keep_to_execution(arguments: Arguments) -> None:
    """Refuse an execution that path or body names, where its pipeline is not theirs."""
    body = arguments.get("body")
    named = arguments.get("execution_id", getattr(body, "pipeline_execution_id", None))
    _keep(getattr(body, "id", None) if named is None else named, filled.of_execution, no_execution)


def keep_to_rule(arguments: Arguments) -> None:
    """Refuse an anomaly rule that path or body names, and another's pipeline for it."""
    body = arguments.get("body")
    named = arguments.get("rule_id", getattr(body, "id", None))
    _keep(named, filled.of_rule, _no_rule)
    _keep(getattr(body, "pipeline_id", None), _itself, no_pipeline)


def keep_to_report(arguments: Arguments) -> None:
    """Refuse what a program declares of a pipeline that is not theirs, or would not be then."""
    who = caller()
    if who.tables is None:
        return
    body: PipelineReport = arguments["body"]
    with services().database.connect() as db:
        known = filled.named(db, body.name)
        is_theirs = known is None or bool(filled.within(db, who.is_for, known))
    is_new = known is None
    if not is_theirs or not _fills(who, body, is_needed=is_new):
        raise _too_far()


def keep_to_change(arguments: Arguments) -> None:
    """Refuse a change of a pipeline that is not theirs, or would not be then."""
    who = caller()
    if who.tables is None:
        return
    body: PipelineChange = arguments["body"]
    if body.id is None:
        with services().database.connect() as db:
            known = filled.named(db, body.name or "")
        _keep(known or 0, _itself, lambda _: no_pipeline(f'"{body.name}"'))
    else:
        _keep(body.id, _itself, no_pipeline)
    if not _fills(who, body, is_needed=False):
        raise _too_far()


def _keep(
    number: int | None,
    pipeline_of: Callable[[Connection, int], int | None],
    refusal: Callable[[int], NotFound],
) -> None:
    who = caller()
    if who.tables is None or number is None:
        return
    with services().database.connect() as db:
        found = pipeline_of(db, number) if number <= BIGGEST_ID else None
        is_theirs = found is not None and bool(filled.within(db, who.is_for, found))
    if not is_theirs:
        raise refusal(number)


def _itself(db: Connection, number: int) -> int:
    return number


def _fills(who: Caller, body: PipelineReport | PipelineChange, *, is_needed: bool) -> bool:
    """Whether the tables that are sent, if any are, are some and all of them permitted."""
    if "tables" not in body.model_fields_set:
        return not is_needed
    tables = body.tables or ()
    return bool(tables) and all(who.is_for(one.connection, one.table) for one in tables)


def _no_rule(rule_id: int) -> NotFound:
    return NotFound(f"there is no anomaly rule {rule_id}", code="anomaly_rule_unknown")


def _too_far() -> Forbidden:
    return Forbidden(
        "the token is for certain tables: the pipeline has to fill some of these, and no others "
        "(tables)"
    )
