"""Tables: what is monitored, and the state of each."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator
from sqlalchemy import Connection

from api import audit, views
from api.operations import Answer, Body, Operations, PageQuery, paged
from api.routes.identifiers import BIGGEST_ID
from api.services import services
from api.store import connections, gate, rules, tables
from quality.checks import CheckStatus
from quality.errors import Fault, InvalidInput, NotFound
from quality.names import ConnectionName, Owner, TableName, TableText, Text

operations = Operations("tables", __name__)
add = operations.add

Description = Annotated[Text, Field(max_length=2000)]


class TableBody(Body):
    connection: ConnectionName = "demo"
    table: TableText
    owner: Owner | None = None
    description: Description = ""


class TableChange(Body):
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
    return paged(page)


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
        before = tables.find(db, body.connection, body.table)
        row, is_new = tables.put(db, body.connection, body.table, body.owner, body.description)
        _record(db, "changed", before, row)
    headers = {"Location": f"/api/v1/tables/{row['id']}"} if is_new else {}
    return Answer(row, 201 if is_new else 200, headers)


@add("GET", "/tables/<int:table_id>", answers={200: views.TableView})
def get_table(table_id: int) -> Answer:
    """Read a table with the state of its newest check."""
    with services().database.connect() as db:
        return Answer(tables.get(db, known_id(table_id)))


@add("PATCH", "/tables/<int:table_id>", body=TableChange, answers={200: views.TableView})
def change_table(table_id: int, body: TableChange) -> Answer:
    """Change owner or description."""
    with services().database.begin() as db:
        before = tables.get(db, known_id(table_id))
        row = tables.change(db, table_id, body.model_dump(exclude_unset=True))
        _record(db, "changed", before, row)
    return Answer(row)


@add("DELETE", "/tables/<int:table_id>", answers={204: None})
def delete_table(table_id: int) -> Answer:
    """Delete a table with its rules; the results of its checks stay."""
    with services().database.begin() as db:
        before = tables.get(db, known_id(table_id))
        written = [rules.definition(row) for row in rules.every(db, table_id)]
        gate.take_back(db, table_id, services().checking.gate)
        tables.remove(db, table_id)
        _record(db, "deleted", {**before, "rules": written}, None)
    return Answer(status=204)


def _record(
    db: Connection, verb: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    known = after or before or {}
    audit.record(
        db,
        f"table.{verb}",
        f"table {known['id']}",
        {
            "table": f"{known['connection']}/{known['name']}",
            "before": _described(before),
            "after": _described(after),
        },
    )


def _described(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in ("owner", "description", "rules")}


def known_id(table_id: int) -> int:
    """The id, or NotFound where the database could not even hold it."""
    if not 1 <= table_id <= BIGGEST_ID:
        raise NotFound(f"table {table_id} is not configured", code="table_not_configured")
    return table_id
