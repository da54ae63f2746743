"""Rules of a table. Every change makes a version, whose author and reason the query may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from api import rule_views as views
from api.operations import Answer, Body, Operations, PageQuery, Query, paged
from api.routes.tables import known_id
from api.services import services
from api.store import rules, versions
from quality.catalogue import Dimension
from quality.documents import strictly
from quality.errors import Conflict, NotFound, invalid_input
from quality.names import Owner, Text
from quality.rules import MAX_RULES, Kind, Rule

operations = Operations("rules", __name__)
add = operations.add

_MERGE_ATTEMPTS = 10


def _names_once(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise ValueError(f'two rules have the name "{rule.name}"; give one another name')
        seen.add(rule.name)
    return rules


Rules = Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES), AfterValidator(_names_once)]
"""The rules of one table."""


class RuleSetBody(Body):
    rules: Rules


class RuleChange(Body):
    """Fields of a rule to change; the others stay."""

    model_config = ConfigDict(extra="allow", frozen=True)


class RuleQuery(PageQuery):
    type: str | None = None
    dimension: Dimension | None = None
    kind: Kind | None = None
    severity: Literal["error", "warn"] | None = None
    owner: Owner | None = None
    is_active: bool | None = None
    is_shadow: bool | None = None


class Signature(Query):
    """Who changes the rules, and why: kept with the version that the change makes."""

    author: Owner | None = None
    reason: Annotated[Text, Field(max_length=400)] | None = None


class ReplaceQuery(Signature):
    plan: bool = Field(default=False, description="answer the difference, and change nothing")


@add("GET", "/tables/<int:table_id>/rules", query=RuleQuery, answers={200: views.RulePage})
def list_rules(table_id: int, query: RuleQuery) -> Answer:
    """List the rules of a table."""
    filters = query.model_dump(exclude={"limit", "cursor"})
    with services().database.connect() as db:
        page = rules.page(
            db, known_id(table_id), limit=query.limit, cursor=query.cursor, filters=filters
        )
    return paged(page)


@add(
    "PUT",
    "/tables/<int:table_id>/rules",
    body=RuleSetBody,
    query=ReplaceQuery,
    takes_yaml=True,
    answers={200: views.ReplacedView},
)
def replace_rules(table_id: int, body: RuleSetBody, query: ReplaceQuery) -> Answer:
    """Replace the whole rule set of a table; all of it is valid and stored, or nothing is."""
    new = list(body.rules)
    paths = [f"rules[{place}]" for place in range(len(new))]
    services().drafts.validate(known_id(table_id), new, paths)
    if query.plan:
        return Answer(services().drafts.plan(table_id, new))
    with services().drafts.changing(table_id, query.author, query.reason) as db:
        items = rules.replace(db, table_id, new)
        return Answer({"items": items, "rules_version": versions.settle(db, table_id)})


@add(
    "POST",
    "/tables/<int:table_id>/rules",
    body=Rule,
    query=Signature,
    answers={201: views.RuleView},
    problems=(409,),
)
def add_rule(table_id: int, body: Rule, query: Signature) -> Answer:
    """Add a rule to a table."""
    services().drafts.validate(known_id(table_id), [body], [""])
    with services().drafts.changing(table_id, query.author, query.reason) as db:
        row = rules.add(db, table_id, body)
    return Answer(row, 201, {"Location": f"/api/v1/tables/{table_id}/rules/{row['name']}"})


@add("GET", "/tables/<int:table_id>/rules/<name>", answers={200: views.RuleView})
def get_rule(table_id: int, name: str) -> Answer:
    """Read a rule."""
    with services().database.connect() as db:
        return Answer(rules.one(db, known_id(table_id), _plain(name)))


@add(
    "PATCH",
    "/tables/<int:table_id>/rules/<name>",
    body=RuleChange,
    query=Signature,
    answers={200: views.RuleView},
    problems=(409,),
)
def change_rule(table_id: int, name: str, body: RuleChange, query: Signature) -> Answer:
    """Change fields of a rule, or switch it on and off with `is_active`."""
    for _ in range(_MERGE_ATTEMPTS):
        with services().database.connect() as db:
            stored = rules.one(db, known_id(table_id), _plain(name))
        if _definition(stored) is None and body.model_extra == {"is_active": False}:
            with services().drafts.changing(table_id, query.author, query.reason) as db:
                return Answer(rules.switch_off(db, table_id, name))
        document = rules.definition(stored) | (body.model_extra or {})
        try:
            changed = strictly(Rule, document)
        except ValidationError as error:
            raise invalid_input(error, "the rule") from None
        if changed.model_dump(exclude={"is_active"}) != _definition(stored):
            services().drafts.validate(table_id, [changed], [""])
        with services().drafts.changing(table_id, query.author, query.reason) as db:
            row = rules.change(db, table_id, name, changed, seen=stored["updated_at"])
        if row is not None:
            return Answer(row)
    raise Conflict("the rule is being changed by others; try again", code="changed_meanwhile")


@add("DELETE", "/tables/<int:table_id>/rules/<name>", query=Signature, answers={204: None})
def delete_rule(table_id: int, name: str, query: Signature) -> Answer:
    """Delete a rule; its results stay."""
    with services().drafts.changing(known_id(table_id), query.author, query.reason) as db:
        rules.remove(db, table_id, _plain(name))
    return Answer(status=204)


def _definition(stored: dict[str, Any]) -> dict[str, Any] | None:
    """None for a rule that this version does not understand."""
    try:
        rule = strictly(Rule, rules.definition(stored))
    except ValidationError:
        return None
    return rule.model_dump(exclude={"is_active"})


def _plain(name: str) -> str:
    if not name.isascii() or not name.isprintable():
        raise NotFound("the table has no rule of that name", code="rule_unknown")
    return name
