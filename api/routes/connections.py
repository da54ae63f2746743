"""Connections: named dbt targets."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from api import audit, views
from api.operations import Answer, Body, Operations, PageQuery, paged
from api.services import services
from api.store import connections
from quality.budgets import UNLIMITED, Budget
from quality.errors import Fault, InvalidInput, NotFound
from quality.names import ConnectionName, Text

operations = Operations("connections", __name__)
add = operations.add

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


class ConnectionBody(Body):
    target: ConnectionName | None = None
    description: Annotated[Text, Field(max_length=2000)] = ""
    budget: Budget = Field(
        default=UNLIMITED, description="what each check on it may cost, whoever asks for it"
    )


@add(
    "GET",
    "/connections",
    query=PageQuery,
    answers={200: views.ConnectionPage},
    is_about_tables=False,
)
def list_connections(query: PageQuery) -> Answer:
    """List connections."""
    with services().database.connect() as db:
        page = connections.page(db, limit=query.limit, cursor=query.cursor)
    return paged(page)


@add(
    "PUT",
    "/connections/<name>",
    body=ConnectionBody,
    answers={200: views.ConnectionView, 201: views.ConnectionView},
    scope="admin",
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
        before = connections.find(db, name)
        row, is_new = connections.put(db, name, target, body.description, body.budget)
        audit.record(
            db, "connection.changed", f"connection {name}", {"before": before, "after": row}
        )
    return Answer(row, 201 if is_new else 200)


@add("GET", "/connections/<name>", answers={200: views.ConnectionView})
def get_connection(name: str) -> Answer:
    """Read a connection."""
    _connection_name(name)
    with services().database.connect() as db:
        return Answer(connections.get(db, name))


@add("DELETE", "/connections/<name>", answers={204: None}, problems=(409,), scope="admin")
def delete_connection(name: str) -> Answer:
    """Delete a connection that no table uses."""
    _connection_name(name)
    with services().database.begin() as db:
        before = connections.get(db, name)
        connections.remove(db, name)
        audit.record(db, "connection.deleted", f"connection {name}", {"before": before})
    return Answer(status=204)


def _connection_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise NotFound(
            "a connection's name is a letter, then letters, digits, _ and -",
            code="connection_unknown",
        )
