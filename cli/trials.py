"""`stringx rules suggest` and `dry-run`: rules before they count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import exits
from cli.options import (
    connection_option,
    fail_on_warn_option,
    pass_service,
    scope_option,
    table_argument,
)
from cli.printing import as_json, coloured, output_option, plain, show
from cli.rule_sets import print_yaml
from cli.service import Service, rule_of
from quality.errors import InvalidInput
from quality.exchange import rule_files
from quality.exchange.table_rules import TableRules
from quality.shorthand import predicate

_COLUMNS = ("rule", "status", "failures", "rows_tested", "message")


@click.command("suggest")
@table_argument
@connection_option
@output_option("table", "json", "yaml")
@pass_service
def suggest(service: Service, table: str, connection: str, output: str) -> None:
    """Suggest rules for a table by what is in it now. Nothing is stored.

    As YAML it is a rule file, in which the reason is the description.

    \b
    Example: stringx rules suggest flights.planes --output yaml > rules/planes.yaml
    """
    found = service.table(connection, table)
    items = service.patient(120).post(f"/tables/{found['id']}/suggest", {})["rules"]
    if output == "json":
        as_json(items)
    elif output == "yaml":
        rules = tuple(
            rule_of({**item, "description": item.get("description") or item["because"]})
            for item in items
        )
        print_yaml([TableRules(connection=connection, table=table, rules=rules)])
    else:
        show(items, ("type", "column", "arguments", "severity", "because"), "table")


@click.command("dry-run", epilog=exits.MEANINGS)
@table_argument
@connection_option
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The rule file to try; without it the rules that are stored.",
)
@scope_option
@click.option("--estimate-only", is_flag=True, help="Only say what it would cost.")
@fail_on_warn_option
@output_option("table", "json", "csv")
@pass_service
def dry_run(
    service: Service,
    table: str,
    connection: str,
    file: Path | None,
    scope: tuple[str, ...],
    estimate_only: bool,
    fail_on_warn: bool,
    output: str,
) -> int:
    """Judge rules without storing anything, and end with the verdict they would give.

    \b
    Example: stringx rules dry-run flights.planes --file rules/planes.yaml
    """
    body: dict[str, Any] = {"estimate_only": estimate_only}
    if file is not None:
        body["rules"] = _rules_of(file, connection, table)
    if scope:
        body["scope"] = [predicate(text) for text in scope]
    found = service.table(connection, table)
    answer = service.patient(120).post(f"/tables/{found['id']}/dry-run", body)
    if output == "json":
        as_json(answer)
    elif output == "csv":
        show(answer.get("results") or [], _COLUMNS, "csv")
    else:
        _for_reading(answer, connection, table)
    if estimate_only:
        return exits.PASS
    return exits.of_check(answer, fail_on_warn=fail_on_warn)


def _rules_of(file: Path, connection: str, table: str) -> list[dict[str, Any]]:
    [found] = rule_files.read([file])
    if found.content.key != (connection, table):
        raise InvalidInput(
            f"{found.place('table')}: is {found.content.connection} {found.content.table}, "
            f"not {connection} {table}"
        )
    return [rule.document() for rule in found.content.rules]


def _for_reading(answer: dict[str, Any], connection: str, table: str) -> None:
    if answer.get("estimate"):
        known = (f"{name} {value}" for name, value in answer["estimate"].items())
        click.echo(plain(f"estimate: {', '.join(known)}"))
    if answer.get("status"):
        click.echo(f"{coloured(answer['status'])} {connection} {table} (nothing was stored)")
    if answer.get("results"):
        show(answer["results"], _COLUMNS, "table")
