"""Rules tried before they are stored."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api import audit
from api import rule_views as views
from api.operations import Answer, Body, Operations
from api.routes.rules import Rules
from api.routes.tables import known_id
from api.services import services
from quality.predicates import Predicates

operations = Operations("drafts", __name__)
add = operations.add


class DryRunBody(Body):
    rules: Rules | None = Field(
        default=None, description="the rules to try; the table's own if left out"
    )
    scope: Predicates = ()
    estimate_only: bool = False


@add("POST", "/tables/<int:table_id>/dry-run", body=DryRunBody, answers={200: views.DryRun})
def dry_run(table_id: int, body: DryRunBody) -> Answer:
    """Try rules, or the table's own, on its data: nothing is stored and nothing is counted."""
    answer = services().drafts.try_out(
        known_id(table_id), body.rules, body.scope, estimate_only=body.estimate_only
    )
    detail = {
        "rules": None if body.rules is None else [rule.document() for rule in body.rules],
        "estimate_only": body.estimate_only,
    }
    _record("rules.tried", table_id, detail)
    return Answer(answer)


@add("POST", "/tables/<int:table_id>/suggest", answers={200: views.SuggestionList})
def suggest_rules(table_id: int) -> Answer:
    """Suggest rules to start from, by what is in the table now; nothing is stored."""
    suggested = services().drafts.suggest(known_id(table_id))
    _record("rules.suggested", table_id, {"count": len(suggested)})
    return Answer({"rules": suggested})


def _record(action: str, table_id: int, detail: dict[str, Any]) -> None:
    """Nothing was stored, but the target was asked: who had that done is in the trail."""
    with services().database.begin() as db:
        audit.record(db, action, f"table {table_id}", detail, is_awaited=False)
