"""Rules of a table, and the catalogue of rule types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api import views
from api.operations import Answer, Body, Operations, PageQuery
from api.routes.tables import known_id
from api.services import services
from api.store import tables
from quality.catalogue import RULE_TYPES, Dimension
from quality.documents import strictly
from quality.errors import Conflict, NotFound, invalid_input
from quality.names import Owner
from quality.rules import MAX_RULES, Kind, Rule

operations = Operations("rules", __name__)
add = operations.add

_MERGE_ATTEMPTS = 10


class RuleSetBody(Body):
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)]

    @model_validator(mode="after")
    def _unique_names(self) -> RuleSetBody:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.name in seen:
                raise ValueError(f'two rules have the name "{rule.name}"; give one another name')
            seen.add(rule.name)
        return self


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


class RuleSetView(BaseModel):
    """The whole rule set as it is now."""

    items: list[views.RuleView]


@add("GET", "/tables/<int:table_id>/rules", query=RuleQuery, answers={200: views.RulePage})
def list_rules(table_id: int, query: RuleQuery) -> Answer:
    """List the rules of a table."""
    filters = query.model_dump(exclude={"limit", "cursor"})
    with services().database.connect() as db:
        page = tables.rules_page(
            db, known_id(table_id), limit=query.limit, cursor=query.cursor, filters=filters
        )
    return Answer({"items": page.items, "next_cursor": page.next_cursor})


@add(
    "PUT",
    "/tables/<int:table_id>/rules",
    body=RuleSetBody,
    takes_yaml=True,
    answers={200: RuleSetView},
)
def replace_rules(table_id: int, body: RuleSetBody) -> Answer:
    """Replace the whole rule set of a table; all of it is valid and stored, or nothing is."""
    rules = list(body.rules)
    paths = [f"rules[{place}]" for place in range(len(rules))]
    services().checking.validate_rules(known_id(table_id), rules, paths)
    with services().database.begin() as db:
        return Answer({"items": tables.replace_rules(db, table_id, rules)})


@add(
    "POST",
    "/tables/<int:table_id>/rules",
    body=Rule,
    answers={201: views.RuleView},
    problems=(409,),
)
def add_rule(table_id: int, body: Rule) -> Answer:
    """Add a rule to a table."""
    services().checking.validate_rules(known_id(table_id), [body], [""])
    with services().database.begin() as db:
        row = tables.add_rule(db, table_id, body)
    return Answer(row, 201, {"Location": f"/api/v1/tables/{table_id}/rules/{row['name']}"})


@add("GET", "/tables/<int:table_id>/rules/<name>", answers={200: views.RuleView})
def get_rule(table_id: int, name: str) -> Answer:
    """Read a rule."""
    with services().database.connect() as db:
        return Answer(tables.rule_of(db, known_id(table_id), _plain(name)))


@add(
    "PATCH",
    "/tables/<int:table_id>/rules/<name>",
    body=RuleChange,
    answers={200: views.RuleView},
    problems=(409,),
)
def change_rule(table_id: int, name: str, body: RuleChange) -> Answer:
    """Change fields of a rule, or switch it on and off with `is_active`."""
    for _ in range(_MERGE_ATTEMPTS):
        with services().database.connect() as db:
            stored = tables.rule_of(db, known_id(table_id), _plain(name))
        document = {field: stored[field] for field in Rule.model_fields} | (body.model_extra or {})
        try:
            changed = strictly(Rule, document)
        except ValidationError as error:
            raise invalid_input(error, "the rule") from None
        if changed.model_dump(exclude={"is_active"}) != _definition(stored):
            services().checking.validate_rules(table_id, [changed], [""])
        with services().database.begin() as db:
            row = tables.change_rule(db, table_id, name, changed, seen=stored["updated_at"])
        if row is not None:
            return Answer(row)
    raise Conflict("the rule is being changed by others; try again", code="changed_meanwhile")


@add("DELETE", "/tables/<int:table_id>/rules/<name>", answers={204: None})
def delete_rule(table_id: int, name: str) -> Answer:
    """Delete a rule; its results stay."""
    with services().database.begin() as db:
        tables.remove_rule(db, known_id(table_id), _plain(name))
    return Answer(status=204)


@add("GET", "/rule-types", answers={200: views.RuleTypeList})
def list_rule_types() -> Answer:
    """The catalogue of rule types with the JSON Schema of their arguments."""
    return Answer(
        {
            "items": [
                {
                    "name": entry.name,
                    "dimension": entry.dimension,
                    "summary": entry.summary,
                    "takes_column": entry.takes_column,
                    "arguments": entry.arguments.model_json_schema(),
                    "example": entry.example,
                }
                for entry in RULE_TYPES.values()
            ]
        }
    )


def _definition(stored: dict[str, Any]) -> dict[str, Any]:
    rule = strictly(Rule, {field: stored[field] for field in Rule.model_fields})
    return rule.model_dump(exclude={"is_active"})


def _plain(name: str) -> str:
    if not name.isascii() or not name.isprintable():
        raise NotFound("the table has no rule of that name", code="rule_unknown")
    return name
