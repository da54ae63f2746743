"""`stringx rules versions` and `restore`: what the rules were, and going back."""

from __future__ import annotations

import click

from cli.options import (
    author_option,
    confirm,
    connection_option,
    pass_service,
    reason_option,
    table_argument,
    yes_option,
)
from cli.printing import as_json, output_option, plain, show
from cli.rule_sets import print_yaml
from cli.service import Service, changing, rule_of
from quality.exchange.table_rules import TableRules

_COLUMNS = ("number", "created_at", "author", "reason", "rules", "hash")


@click.command("versions")
@table_argument
@connection_option
@click.option("--show", "number", type=click.IntRange(min=1), help="Print this one's rules.")
@click.option(
    "--diff",
    "pair",
    type=(click.IntRange(min=1), click.IntRange(min=1)),
    help="Print what differs between two.",
)
@output_option("table", "json", "csv")
@pass_service
def versions(
    service: Service,
    table: str,
    connection: str,
    number: int | None,
    pair: tuple[int, int] | None,
    output: str,
) -> None:
    """List the versions of a table's rules, newest first.

    \b
    Examples:
      stringx rules versions flights.planes
      stringx rules versions flights.planes --show 3 > planes.yaml
      stringx rules versions flights.planes --diff 3 5
    """
    if number is not None and pair is not None:
        raise click.UsageError("--show and --diff exclude each other")
    found = service.table(connection, table)
    path = f"/tables/{found['id']}/versions"
    if number is not None:
        version = service.client.get(f"{path}/{number}")
        if output == "json":
            as_json(version)
            return
        rules = tuple(rule_of(item) for item in version["rules"])
        print_yaml([TableRules(connection=connection, table=table, rules=rules)])
    elif pair is not None:
        difference = service.client.get(f"{path}/{pair[0]}/diff/{pair[1]}")
        if output == "json":
            as_json(difference)
            return
        _show_difference(difference)
    else:
        show(service.items(path), _COLUMNS, output)


@click.command("restore")
@table_argument
@click.argument("number", type=click.IntRange(min=1))
@connection_option
@yes_option
@author_option
@reason_option
@pass_service
def restore(
    service: Service,
    table: str,
    number: int,
    connection: str,
    yes: bool,
    author: str | None,
    reason: str | None,
) -> None:
    """Make a table's rules what they were in version NUMBER; that is a new version.

    \b
    Example: stringx rules restore flights.planes 3 --yes --reason "the range was too narrow"
    """
    found = service.table(connection, table)
    service.client.get(f"/tables/{found['id']}/versions/{number}")
    confirm(f"Replace the rules of {connection} {table} with version {number}?", yes)
    path = changing(f"/tables/{found['id']}/versions/{number}/restore", author, reason)
    service.client.post(path, {})
    click.echo(f"restored {connection} {table} to version {number}")


def _show_difference(difference: dict[str, list[dict[str, object]]]) -> None:
    lines = [f"+ {rule['name']}" for rule in difference["added"]]
    lines += [f"- {rule['name']}" for rule in difference["removed"]]
    for change in difference["changed"]:
        lines.append(f"~ {change['name']}")
        fields = change["fields"]
        if isinstance(fields, dict):
            lines += [
                f"    {name}: {value['before']} -> {value['after']}"
                for name, value in fields.items()
            ]
    for line in lines or ["no differences"]:
        click.echo(plain(line))
