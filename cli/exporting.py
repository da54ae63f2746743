"""`stringx export`: the rules of the API as rule files, or as tests of dbt."""

from __future__ import annotations

from pathlib import Path

import click

from cli import exits
from cli.importing import report_omissions, write_files
from cli.options import TableParameter, any_connection_option, pass_service
from cli.rule_sets import print_yaml
from cli.service import Service
from quality.errors import InvalidInput
from quality.exchange import dbt_schema, rule_files
from quality.exchange.table_rules import TableRules

_tables = click.argument("tables", nargs=-1, type=TableParameter())


@click.group()
def export() -> None:
    """Write the rules of the API to files.

    \b
    Example: stringx export yaml --into rules/
    """


@export.command("yaml")
@_tables
@any_connection_option
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write to, one file a table; without it the rules are printed.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@pass_service
def export_yaml(
    service: Service,
    tables: tuple[str, ...],
    connection: str | None,
    into: Path | None,
    force: bool,
) -> None:
    """Write rule files; applying them changes nothing. Without TABLES all are written.

    \b
    Example: stringx export yaml flights.planes flights.flights --into rules/
    """
    found = _found(service, tables, connection)
    if into is None:
        print_yaml(found)
    else:
        files = {into / rule_files.file_name(one): rule_files.written(one) for one in found}
        write_files(files, force)


@export.command("dbt", epilog=exits.MEANINGS)
@_tables
@click.option(
    "--connection", "-c", default="demo", show_default=True, help="This connection's tables."
)
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; without it the text is printed.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was left out to this file, as JSON.",
)
@click.option("--allow-omissions", is_flag=True, help="End with code 0 whatever was left out.")
@pass_service
def export_dbt(
    service: Service,
    tables: tuple[str, ...],
    connection: str,
    into: Path | None,
    force: bool,
    report: Path | None,
    allow_omissions: bool,
) -> int:
    """Write a schema.yml whose tests dbt runs without StringX, in a copy of its project `stringx`.

    What dbt has not (percentages, history, shadows) is listed with its reason on standard error,
    and the exit code is 5.

    \b
    Example: stringx export dbt --into stringx/models/rules.yml
             dbt test --project-dir stringx --profiles-dir stringx
    """
    text, omissions = dbt_schema.written(connection, _found(service, tables, connection))
    if into is None:
        click.echo(text, nl=False)
    else:
        write_files({into: text}, force)
    return report_omissions(omissions, report, allow_omissions)


def _found(service: Service, tables: tuple[str, ...], connection: str | None) -> list[TableRules]:
    rows = list(service.items("/tables", {"connection": connection}))
    missing = sorted(set(tables) - {row["name"] for row in rows})
    if missing:
        raise InvalidInput(f"table {missing[0]} is not registered: see `stringx tables list`")
    return [service.with_rules(row) for row in rows if not tables or row["name"] in tables]
