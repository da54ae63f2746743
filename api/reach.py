"""Tokens for certain tables: what they may ask about.

It follows from the operation's own arguments which table it is about. What is outside looks as if
it were not there; a list has to be asked for one table; and what is about no table in particular is
refused, so that a new operation is closed to such tokens until it says otherwise. This is about
what is asked for: a rule of a permitted table may look at another, as `relationships` does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from api.access import Caller, caller
from api.problems import Forbidden
from api.services import services
from api.store.schema import check_run, monitored_table
from api.store.tables import no_table
from quality.errors import NotFound
from quality.names import TableName


def keep(arguments: dict[str, Any]) -> None:
    """Refuse arguments of a view that lead beyond the tables of the caller's token."""
    who = caller()
    if who.tables is None:
        return
    if "table_id" in arguments:
        _keep_to_table(who, arguments["table_id"])
    elif "check_id" in arguments:
        _keep_to_check(who, arguments["check_id"])
    else:
        connection, table = _named(arguments)
        if not who.is_for(connection, table):
            raise no_table(table)


def _keep_to_table(who: Caller, table_id: int) -> None:
    columns = (monitored_table.c.connection, monitored_table.c.name)
    with services().database.connect() as db:
        row = db.execute(
            select(*columns).where(monitored_table.c.id == min(table_id, 2**63 - 1))
        ).first()
    if row is None or not who.is_for(row.connection, row.name):
        raise no_table(str(table_id))


def _keep_to_check(who: Caller, check_id: str) -> None:
    row = None
    if check_id.isascii() and check_id.isprintable():
        query = select(check_run.c.connection, check_run.c.table_name)
        with services().database.connect() as db:
            row = db.execute(query.where(check_run.c.id == check_id)).first()
    if row is None or not who.is_for(row.connection, row.table_name):
        raise NotFound("there is no check of that id", code="check_unknown")


def _named(arguments: dict[str, Any]) -> tuple[str | None, str]:
    """The connection and the table that a body, a query or the path names."""
    given = [arguments.get("body"), arguments.get("query")]
    connection = next((one.connection for one in given if hasattr(one, "connection")), None)
    table = next((one.table for one in given if hasattr(one, "table")), arguments.get("table"))
    if table is None:
        raise Forbidden(
            "the token is for certain tables: name one of them (table=…), if this can be asked of "
            "one table"
        )
    try:
        return connection, str(TableName.parse(table))
    except ValueError:
        raise no_table(table) from None
