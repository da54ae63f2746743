"""Connections, tables, rules and the catalogue of rule types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api import views
from api.operations import Answer, Operations, Query
from api.services import services
from api.store import connections, tables
from quality.catalogue import RULE_TYPES, Dimension
from quality.checks import CheckStatus
from quality.documents import strictly
from quality.errors import Fault, InvalidInput, NotFound, invalid_input
from quality.names import ConnectionName, Owner, TableName, TableText, Text
from quality.rules import MAX_RULES, Kind, Rule

operations = Operations("configuration", __name__)
add = operations.add

Description = Annotated[Text, Field(max_length=2000)]
BIGGEST_ID = 2**63 - 1


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Query):
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, Field(min_length=1)] | None = None


class ConnectionBody(_Body):
    target: ConnectionName | None = None
    description: Description = ""


class TableBody(_Body):
    connection: ConnectionName = "demo"
    table: TableText
    owner: Owner | None = None
    description: Description = ""


class TableChange(_Body):
    owner: Owner | None = None
    description: Description = ""

    @model_validator(mode="after")
    def _something(self) -> TableChange:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change: owner, description")
        return self


class TableQuery(PageQuery):
    connection: ConnectionName | None = None
    table: TableText | None = None
    owner: Owner | None = None
    status: CheckStatus | None = None


class RuleSetBody(_Body):
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)]

    @model_validator(mode="after")
    def _unique_names(self) -> RuleSetBody:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.name in seen:
                raise ValueError(f'two rules have the name "{rule.name}"; give one another name')
            seen.add(rule.name)
        return self


class RuleChange(_Body):
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


@add("GET", "/connections", query=PageQuery, answers={200: views.ConnectionPage})
def list_connections(query: PageQuery) -> Answer:
    """List connections."""
    with services().database.connect() as db:
        page = connections.page(db, limit=query.limit, cursor=query.cursor)
    return Answer({"items": page.items, "next_cursor": page.next_cursor})


@add(
    "PUT",
    "/connections/<name>",
    body=ConnectionBody,
    answers={200: views.ConnectionView, 201: views.ConnectionView},
)
def put_connection(name: str, body: ConnectionBody) -> Answer:
    """Create or change a connection; its target is an output of the dbt profile."""
    _connection_name(name)
    target = body.target or name
    known = services().engine.targets()
    if target not in known:
        raise InvalidInput(
            f'the dbt profile has no output "{target}"; it has: {", ".join(known) or "none"}',
            code="target_unknown",
            faults=[Fault("target", "target_unknown", "is not an output of the dbt profile")],
        )
    with services().database.begin() as db:
        row, is_new = connections.put(db, name, target, body.description)
    return Answer(row, 201 if is_new else 200)


@add("GET", "/connections/<name>", answers={200: views.ConnectionView})
def get_connection(name: str) -> Answer:
    """Read a connection."""
    _connection_name(name)
    with services().database.connect() as db:
        return Answer(connections.get(db, name))


@add("DELETE", "/connections/<name>", answers={204: None}, problems=(409,))
def delete_connection(name: str) -> Answer:
    """Delete a connection that no table uses."""
    _connection_name(name)
    with services().database.begin() as db:
        connections.remove(db, name)
    return Answer(status=204)


@add("GET", "/tables", query=TableQuery, answers={200: views.TablePage})
def list_tables(query: TableQuery) -> Answer:
    """List tables with the state of their newest checks."""
    with services().database.connect() as db:
        page = tables.page(
            db,
            limit=query.limit,
            cursor=query.cursor,
            connection_name=query.connection,
            name=query.table,
            owner=query.owner,
            status=query.status,
        )
    return Answer({"items": page.items, "next_cursor": page.next_cursor})


@add(
    "PUT",
    "/tables",
    body=TableBody,
    answers={200: views.TableView, 201: views.TableView},
    problems=(404,),
)
def put_table(body: TableBody) -> Answer:
    """Register a table of a connection, or change its owner and description."""
    with services().database.connect() as db:
        target = connections.get(db, body.connection)["target"]
    try:
        services().engine.describe(target, TableName.parse(body.table))
    except NotFound as error:
        raise InvalidInput(
            str(error), code=error.code, faults=[Fault("table", error.code, str(error))]
        ) from None
    with services().database.begin() as db:
        row, is_new = tables.put(db, body.connection, body.table, body.owner, body.description)
    headers = {"Location": f"/api/v1/tables/{row['id']}"} if is_new else {}
    return Answer(row, 201 if is_new else 200, headers)


@add("GET", "/tables/<int:table_id>", answers={200: views.TableView})
def get_table(table_id: int) -> Answer:
    """Read a table with the state of its newest check."""
    with services().database.connect() as db:
        return Answer(tables.get(db, _id(table_id)))


@add("PATCH", "/tables/<int:table_id>", body=TableChange, answers={200: views.TableView})
def change_table(table_id: int, body: TableChange) -> Answer:
    """Change owner or description."""
    with services().database.begin() as db:
        return Answer(tables.change(db, _id(table_id), body.model_dump(exclude_unset=True)))


@add("DELETE", "/tables/<int:table_id>", answers={204: None})
def delete_table(table_id: int) -> Answer:
    """Delete a table with its rules; the results of its checks stay."""
    with services().database.begin() as db:
        tables.remove(db, _id(table_id))
    return Answer(status=204)


@add("GET", "/tables/<int:table_id>/rules", query=RuleQuery, answers={200: views.RulePage})
def list_rules(table_id: int, query: RuleQuery) -> Answer:
    """List the rules of a table."""
    filters = query.model_dump(exclude={"limit", "cursor"})
    with services().database.connect() as db:
        page = tables.rules_page(
            db, _id(table_id), limit=query.limit, cursor=query.cursor, filters=filters
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
    services().checking.validate_rules(_id(table_id), rules, paths)
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
    services().checking.validate_rules(_id(table_id), [body], [""])
    with services().database.begin() as db:
        row = tables.add_rule(db, table_id, body)
    return Answer(row, 201, {"Location": f"/api/v1/tables/{table_id}/rules/{row['name']}"})


@add("GET", "/tables/<int:table_id>/rules/<name>", answers={200: views.RuleView})
def get_rule(table_id: int, name: str) -> Answer:
    """Read a rule."""
    with services().database.connect() as db:
        return Answer(tables.rule_of(db, _id(table_id), _plain(name)))


@add(
    "PATCH",
    "/tables/<int:table_id>/rules/<name>",
    body=RuleChange,
    answers={200: views.RuleView},
    problems=(409,),
)
def change_rule(table_id: int, name: str, body: RuleChange) -> Answer:
    """Change fields of a rule, or switch it on and off with `is_active`."""
    with services().database.connect() as db:
        stored = tables.rule_of(db, _id(table_id), _plain(name))
    document = {field: stored[field] for field in Rule.model_fields} | (body.model_extra or {})
    try:
        changed = strictly(Rule, document)
    except ValidationError as error:
        raise invalid_input(error, "the rule") from None
    if changed.model_dump(exclude={"is_active"}) != _definition(stored):
        services().checking.validate_rules(table_id, [changed], [""])
    with services().database.begin() as db:
        return Answer(tables.change_rule(db, table_id, name, changed))


@add("DELETE", "/tables/<int:table_id>/rules/<name>", answers={204: None})
def delete_rule(table_id: int, name: str) -> Answer:
    """Delete a rule; its results stay."""
    with services().database.begin() as db:
        tables.remove_rule(db, _id(table_id), _plain(name))
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


def _id(table_id: int) -> int:
    if not 1 <= table_id <= BIGGEST_ID:
        raise NotFound(f"table {table_id} is not configured", code="table_not_configured")
    return table_id


def _plain(name: str) -> str:
    if not name.isascii() or not name.isprintable():
        raise NotFound("the table has no rule of that name", code="rule_unknown")
    return name


def _connection_name(name: str) -> None:
    if not (name.isascii() and name[:1].isalpha() and len(name) <= 63) or not all(
        letter.isalnum() or letter in "_-" for letter in name
    ):
        raise NotFound(
            "a connection's name is a letter, then letters, digits, _ and -",
            code="connection_unknown",
        )
