"""`stringx results`: the history of what rules found."""

from __future__ import annotations

from typing import Any

import click

from cli.options import Moment, TableParameter, any_connection_option, pass_service
from cli.printing import output_option, show
from cli.service import Service

_COLUMNS = (
    "finished_at",
    "connection",
    "table",
    "rule",
    "status",
    "failures",
    "rows_tested",
    "check_id",
)


@click.group()
def results() -> None:
    """What rules found, check by check.

    \b
    Example: stringx results list --status fail --since 1d
    """


@results.command("list")
@click.option("--table", type=TableParameter(), help="Only this table's.")
@any_connection_option
@click.option("--check", "check_id", help="Only those of this check.")
@click.option("--rule", help="Only this rule's.")
@click.option(
    "--status",
    type=click.Choice(("pass", "warn", "fail", "error", "skipped")),
    help="Only those that ended so.",
)
@click.option("--dimension", help="Only this dimension's.")
@click.option("--kind", type=click.Choice(("engineering", "business")), help="Only this kind's.")
@click.option("--since", type=Moment(), help="From this time on: 2026-01-31T12:00:00Z, or 2h ago.")
@click.option("--until", type=Moment(), help="Up to this time.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="The newest so many.",
)
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
@output_option("table", "json", "csv")
@pass_service
def list_results(service: Service, limit: int, everything: bool, output: str, **asked: Any) -> None:
    """List results, newest first.

    \b
    Example: stringx results list --table flights.planes --status fail --since 1d --output csv
    """
    rows = service.items("/results", asked, None if everything else limit)
    show(rows, _COLUMNS, output)
