"""`stringx rules`: what a table must satisfy, by command or from files."""

from __future__ import annotations

import json
from typing import Any

import click
from pydantic import ValidationError

from cli.options import (
    author_option,
    connection_option,
    pass_service,
    reason_option,
    table_argument,
)
from cli.printing import as_json, output_option, show
from cli.rule_sets import print_yaml
from cli.service import Service, changing
from quality.documents import read_yaml, strictly
from quality.errors import InvalidInput, invalid_input
from quality.exchange.table_rules import brief
from quality.rules import Rule
from quality.shorthand import predicate

_COLUMNS = ("name", "type", "column", "arguments", "severity", "dimension", "owner", "is_active")


@click.group()
def rules() -> None:
    """Rules of tables: listed, added, or applied from files.

    \b
    Example: stringx rules apply rules/ --prune --yes
    """


@rules.command("list")
@table_argument
@connection_option
@output_option("table", "json", "csv", "yaml")
@pass_service
def list_rules(service: Service, table: str, connection: str, output: str) -> None:
    """List the rules of a table.

    \b
    Example: stringx rules list flights.planes --output yaml
    """
    found = service.table(connection, table)
    if output == "yaml":
        print_yaml([service.with_rules(found)])
        return
    show(service.items(f"/tables/{found['id']}/rules"), _COLUMNS, output)


@rules.command("types")
@output_option("table", "json", "csv")
@pass_service
def list_types(service: Service, output: str) -> None:
    """List the rule types with their arguments.

    \b
    Example: stringx rules types --output json
    """
    items = service.client.get("/rule-types")["items"]
    rows = [{**item, "takes": list(item["arguments"].get("properties", {}))} for item in items]
    columns = ("name", "dimension", "takes_column", "takes", "summary")
    show(items if output == "json" else rows, columns, output)


@rules.command("add")
@table_argument
@connection_option
@click.option("--type", "-t", "type_", help="The rule's type: see `stringx rules types`.")
@click.option("--column", help="The column that it looks at.")
@click.option(
    "--argument",
    "-a",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument of the type; the value is JSON, or else text.",
)
@click.option("--name", help="The rule's name; made of type and column if left out.")
@click.option("--where", multiple=True, metavar="PREDICATE", help="Only these rows: see --scope.")
@click.option("--severity", type=click.Choice(("error", "warn")), help="error if left out.")
@click.option("--warn-if", help='When it warns: "> 10".')
@click.option("--error-if", help='When it fails: "> 10".')
@click.option("--dimension", help="The type's own if left out.")
@click.option("--kind", type=click.Choice(("engineering", "business")), help="Whose rule it is.")
@click.option("--owner", help="Who answers for it.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@click.option("--description", help="What it is for.")
@click.option(
    "--file",
    type=click.File("rb"),
    help="The rule as YAML or JSON (- for standard input); options add to it.",
)
@author_option
@reason_option
@output_option("table", "json")
@pass_service
def add_rule(
    service: Service,
    table: str,
    connection: str,
    file: Any,
    author: str | None,
    reason: str | None,
    output: str,
    **fields: Any,
) -> None:
    """Add a rule to a table.

    \b
    Examples:
      stringx rules add flights.planes --type not_null --column tailnum
      stringx rules add flights.planes -t accepted_range --column seats -a min_value=1 \\
          --severity warn --where 'year>=2000' --tag fleet
    """
    rule = _rule(file, fields)
    found = service.table(connection, table)
    path = changing(f"/tables/{found['id']}/rules", author, reason)
    stored = service.client.post(path, brief(rule))
    if output == "json":
        as_json(stored)
    else:
        click.echo(f"added {stored['name']} to {connection} {table}")


def _rule(file: Any, fields: dict[str, Any]) -> Rule:
    document: Any = read_yaml(file.read()) if file is not None else {}
    if not isinstance(document, dict):
        raise InvalidInput("--file: is no single rule (a mapping with type, column, …)")
    given = {
        "type": fields["type_"],
        "arguments": dict(_argument(text) for text in fields["arguments"]),
        "where": [predicate(text, "--where") for text in fields["where"]],
        "tags": list(fields["tags"]),
        **{
            name: fields[name]
            for name in (
                *("name", "column", "severity", "warn_if", "error_if"),
                *("dimension", "kind", "owner", "description"),
            )
        },
    }
    document |= {name: value for name, value in given.items() if value not in (None, [], {})}
    if "type" not in document:
        raise InvalidInput("--type is missing: `stringx rules types` lists them")
    try:
        return strictly(Rule, document)
    except ValidationError as error:
        raise invalid_input(error, "the rule") from None


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f'--argument "{text}" is no argument; write NAME=VALUE')
    try:
        return name, json.loads(value, parse_constant=str)  # NaN is a text
    except ValueError:
        return name, value
