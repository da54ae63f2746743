"""Anomalies of executions: rules, findings with their numbers, and flags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from api import access, audit
from api.operations import Answer, Body, Limit, Operations, PageQuery
from api.pipelines import reach
from api.pipelines.views.anomalies import AnomalyRuleList, AnomalyRuleView, ComparisonList
from api.pipelines.views.pipelines import Made
from api.routes.identifiers import known_id
from api.routes.pipelines.framework import add as add_at_root
from api.routes.pipelines.framework import listed
from api.services import services
from api.store.pipelines import anomalies, executions
from quality.errors import NotFound
from quality.pipelines.anomalies import Metric
from quality.pipelines.reports import Id, Report
from quality.pipelines.texts import Folded

operations = Operations("anomalies", __name__)
add = operations.add

Threshold = Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=1, le=365)]
Minimum = Annotated[int, Field(ge=5, le=1000)]
Metrics = Annotated[tuple[Metric, ...], Field(min_length=1, max_length=6)]


class AnomalyRuleReport(Report):
    pipeline_id: Id
    metric_field: Annotated[Metric, Folded]
    z_threshold: Threshold = 3.0
    lookback_days: Days = 30
    minimum_executions: Minimum = 30
    active: bool = True


class AnomalyRuleChange(Report):
    """What to change of a rule; what is left out stays."""

    id: Id
    pipeline_id: Id | None = None
    metric_field: Annotated[Metric, Folded] | None = None
    z_threshold: Threshold | None = None
    lookback_days: Days | None = None
    minimum_executions: Minimum | None = None
    active: bool | None = None


class UnflagReport(Report):
    pipeline_id: Id
    pipeline_execution_id: Id
    metric_field: Metrics


class FlagBody(Body):
    metric_field: Metrics
    is_flagged: bool


class AnomalyRuleQuery(PageQuery):
    limit: Limit = 500
    pipeline_id: Id | None = None


@add_at_root(
    "POST",
    "/anomaly_detection_rule",
    body=AnomalyRuleReport,
    answers={200: Made, 201: Made},
    problems=(404,),
    scope="pipelines",
    keeps=reach.keep_to_pipeline,
)
def report_anomaly_rule(body: AnomalyRuleReport) -> Answer:
    """Make a rule on a metric of a pipeline, or find the one that is there."""
    with services().database.begin() as db:
        rule_id, is_new = anomalies.add_rule(db, body.model_dump())
        if is_new:
            subject = f"anomaly rule {rule_id}"
            audit.record_change(db, "anomaly_rule", subject, None, body.model_dump())
    return Answer({"id": rule_id}, 201 if is_new else 200)


@add_at_root(
    "PATCH",
    "/anomaly_detection_rule",
    body=AnomalyRuleChange,
    answers={200: AnomalyRuleView},
    problems=(404, 409),
    scope="pipelines",
    keeps=reach.keep_to_rule,
)
def patch_anomaly_rule(body: AnomalyRuleChange) -> Answer:
    """Change what is sent of a rule."""
    changes = body.model_dump(exclude_none=True, exclude={"id"})
    with services().database.begin() as db:
        before, after = anomalies.change_rule(db, body.id, changes)
        audit.record_change(db, "anomaly_rule", f"anomaly rule {body.id}", before, after)
    return Answer(after)


@add_at_root(
    "GET",
    "/anomaly_detection_rule",
    query=AnomalyRuleQuery,
    answers={200: AnomalyRuleList},
    scope="pipelines",
    keeps=reach.filtered,
)
def list_anomaly_rules(query: AnomalyRuleQuery) -> Answer:
    """List the rules on executions."""
    with services().database.connect() as db:
        page = anomalies.rules_page(
            db,
            limit=query.limit,
            cursor=query.cursor,
            pipeline_id=query.pipeline_id,
            ids=reach.theirs(db),
        )
    return listed(page)


@add_at_root(
    "GET",
    "/anomaly_detection_rule/<int:rule_id>",
    answers={200: AnomalyRuleView},
    scope="pipelines",
    keeps=reach.keep_to_rule,
)
def get_anomaly_rule(rule_id: int) -> Answer:
    """Read a rule."""
    with services().database.connect() as db:
        return Answer(anomalies.get_rule(db, known_id(rule_id, "anomaly rule")))


@add_at_root(
    "POST",
    "/unflag_anomaly",
    body=UnflagReport,
    answers={204: None},
    problems=(404,),
    scope="pipelines",
    keeps=reach.keep_to_execution,
)
def unflag_anomaly(body: UnflagReport) -> Answer:
    """Take flags of an execution away: it was no anomaly, and counts among the others again."""
    with services().database.begin() as db:
        flags = anomalies.flagged(db, body.pipeline_execution_id, body.pipeline_id)
        metrics = [metric for metric in body.metric_field if metric in flags]
        if not metrics:
            raise NotFound("none of these metrics is flagged", code="anomaly_flag_unknown")
        _set(db, body.pipeline_execution_id, metrics, is_flagged=False)
    return Answer(status=204)


@add(
    "GET",
    "/executions/<int:execution_id>/anomalies",
    answers={200: ComparisonList},
    keeps=reach.keep_to_execution,
)
def get_anomalies(execution_id: int) -> Answer:
    """What comparing an execution with others found, with the numbers."""
    with services().database.connect() as db:
        return Answer(_shown(db, known_id(execution_id, "execution")))


@add(
    "PUT",
    "/executions/<int:execution_id>/anomalies",
    body=FlagBody,
    answers={200: ComparisonList},
    scope="pipelines",
    keeps=reach.keep_to_execution,
)
def set_anomalies(execution_id: int, body: FlagBody) -> Answer:
    """Flag metrics of an execution by hand, or take their flags away."""
    with services().database.begin() as db:
        _set(db, known_id(execution_id, "execution"), body.metric_field, is_flagged=body.is_flagged)
        return Answer(_shown(db, execution_id))


def _set(db: Any, execution_id: int, metrics: Sequence[str], *, is_flagged: bool) -> None:
    by = access.actor()
    anomalies.set_flags(db, execution_id, metrics, is_flagged=is_flagged, by=by)
    verb = "flagged" if is_flagged else "unflagged"
    subject = f"execution {execution_id}"
    audit.record(db, f"anomaly.{verb}", subject, {"metrics": list(metrics)})


def _shown(db: Any, execution_id: int) -> dict[str, Any]:
    items = anomalies.results_of(db, execution_id)
    flags = executions.get(db, execution_id)["anomaly_flags"] or {}
    return {"flags": flags, "items": items}
