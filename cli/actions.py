"""`stringx actions`: what is done when a table's verdict changes."""

from __future__ import annotations

import click

from cli.options import (
    TableParameter,
    any_connection_option,
    connection_option,
    pass_service,
    table_argument,
)
from cli.printing import as_json, output_option, show
from cli.service import Service
from quality.tasks.events import EVENTS

_NONE = "none"
_COLUMNS = (
    "id",
    "created_at",
    "connection",
    "table",
    "event",
    "file",
    "state",
    "attempts",
    "error",
    "run_id",
)
_STATES = ("waiting", "running", "succeeded", "partial", "failed", "superseded", "suppressed")


@click.group()
def actions() -> None:
    """Task files that the API runs when a table's verdict changes.

    They are files of its folder STRINGX_ACTIONS_DIR.

    \b
    Examples:
      stringx actions set flights.planes --on-fail tell-ops.conf --on-recovery tell-ops.conf
      stringx actions runs --state failed
    """


@actions.command("show")
@table_argument
@connection_option
@output_option("table", "json")
@pass_service
def show_actions(service: Service, table: str, connection: str, output: str) -> None:
    """Show which files are run for a table.

    \b
    Example: stringx actions show flights.planes
    """
    table_id = service.table(connection, table)["id"]
    _print(service.client.get(f"/tables/{table_id}/actions"), output)


@actions.command("set")
@table_argument
@connection_option
@click.option("--on-fail", metavar="FILE", help="When the data break a rule.")
@click.option("--on-warn", metavar="FILE", help="When they break one that only warns.")
@click.option("--on-error", metavar="FILE", help="When they cannot be checked.")
@click.option("--on-recovery", metavar="FILE", help="When all is well again.")
@output_option("table", "json")
@pass_service
def set_actions(
    service: Service, table: str, connection: str, output: str, **named: str | None
) -> None:
    """Name files for a table; those of other events stay, and `none` takes one away.

    \b
    Examples:
      stringx actions set flights.planes --on-fail tell-ops.conf --on-recovery tell-ops.conf
      stringx actions set flights.planes --on-warn none
    """
    given = {name: file for name, file in named.items() if file is not None}
    if not given:
        raise click.UsageError("name a file: --on-fail, --on-warn, --on-error or --on-recovery")
    path = f"/tables/{service.table(connection, table)['id']}/actions"
    files = service.client.get(path)
    files |= {name: None if file == _NONE else file for name, file in given.items()}
    _print(service.client.put(path, files), output)


@actions.command("runs")
@click.option("--table", type=TableParameter(), help="Only this table's.")
@any_connection_option
@click.option("--state", type=click.Choice(_STATES), help="Only those; failed ones are given up.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="The newest so many.",
)
@output_option("table", "json", "csv")
@pass_service
def list_runs(
    service: Service,
    table: str | None,
    connection: str | None,
    state: str | None,
    limit: int,
    output: str,
) -> None:
    """List what was run, or waits to be, newest first; `stringx tasks show RUN_ID` has its output.

    \b
    Examples:
      stringx actions runs --table flights.planes
      stringx actions runs --state failed --output csv
    """
    asked = {"table": table, "connection": connection, "state": state}
    show(service.items("/action-runs", asked, limit), _COLUMNS, output)


@actions.command("retry")
@table_argument
@click.argument("action", metavar="ID", type=click.IntRange(min=1))
@connection_option
@pass_service
def retry(service: Service, table: str, action: int, connection: str) -> None:
    """Run an action again that was given up, from the task that failed.

    \b
    Example: stringx actions retry flights.planes 12
    """
    table_id = service.table(connection, table)["id"]
    found = service.client.post(f"/tables/{table_id}/action-runs/{action}/retry", None)
    click.echo(f"{found['state']}: {found['file']} for {found['event']} (run {found['run_id']})")


def _print(files: dict[str, str | None], output: str) -> None:
    if output == "json":
        as_json(files)
        return
    rows = [{"event": event, "file": files[f"on_{event}"] or "none"} for event in EVENTS]
    show(rows, ("event", "file"), "table")
