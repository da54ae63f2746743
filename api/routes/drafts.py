"""Rules tried before they are stored."""

from __future__ import annotations

from pydantic import Field

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
    return Answer(
        services().drafts.try_out(
            known_id(table_id), body.rules, body.scope, estimate_only=body.estimate_only
        )
    )


@add("POST", "/tables/<int:table_id>/suggest", answers={200: views.SuggestionList})
def suggest_rules(table_id: int) -> Answer:
    """Suggest rules to start from, by what is in the table now; nothing is stored."""
    return Answer({"rules": services().drafts.suggest(known_id(table_id))})
