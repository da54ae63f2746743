"""`stringx tables`: what is monitored."""

from __future__ import annotations

from typing import Any

import click

from cli.options import (
    any_connection_option,
    connection_option,
    pass_service,
    table_argument,
)
from cli.printing import as_json, coloured, output_option, plain, show
from cli.service import Service

_COLUMNS = ("id", "connection", "name", "owner", "active_rules", "last_status", "last_finished_at")


@click.group()
def tables() -> None:
    """Tables that are monitored.

    \b
    Example: stringx tables list --status fail
    """


@tables.command("list")
@any_connection_option
@click.option("--owner", help="Only this owner's.")
@click.option(
    "--status",
    type=click.Choice(("pass", "warn", "fail", "error", "no_rules")),
    help="Only those whose newest verdict is this.",
)
@output_option("table", "json", "csv")
@pass_service
def list_tables(
    service: Service, connection: str | None, owner: str | None, status: str | None, output: str
) -> None:
    """List tables with their newest verdicts.

    \b
    Example: stringx tables list --owner fleet --output csv
    """
    asked = {"connection": connection, "owner": owner, "status": status}
    show(service.items("/tables", asked), _COLUMNS, output)


@tables.command("add")
@table_argument
@connection_option
@click.option("--owner", help="Who answers for the table.")
@click.option("--description", help="What the table is.")
@output_option("table", "json")
@pass_service
def add_table(
    service: Service,
    table: str,
    connection: str,
    owner: str | None,
    description: str | None,
    output: str,
) -> None:
    """Register a table, or change its owner or description.

    \b
    Example: stringx tables add flights.planes --owner fleet
    """
    body: dict[str, Any] = {"connection": connection, "table": table}
    given = {"owner": owner, "description": description}
    stored = service.find_table(connection, table)
    if stored is not None:
        body |= {"owner": stored["owner"], "description": stored["description"]}
    body |= {name: value for name, value in given.items() if value is not None}
    row = service.client.put("/tables", body)
    if output == "json":
        as_json(row)
    else:
        verb = "registered" if stored is None else "there already"
        click.echo(f"{verb}: {connection} {table} (id {row['id']})")


@tables.command("show")
@table_argument
@connection_option
@output_option("table", "json")
@pass_service
def show_table(service: Service, table: str, connection: str, output: str) -> None:
    """Show one table.

    \b
    Example: stringx tables show flights.planes --output json
    """
    row = service.table(connection, table)
    if output == "json":
        as_json(row)
        return
    for name, value in row.items():
        text = "" if value is None else plain(str(value))
        shown = coloured(text) if name == "last_status" else text
        click.echo(f"{name.replace('_', ' ') + ':':<18} {shown}".rstrip())
