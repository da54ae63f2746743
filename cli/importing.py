"""`stringx import`: rules from data contracts and dbt projects, as rule files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from cli import exits
from cli.printing import plain
from cli.rule_sets import print_yaml
from quality.errors import InvalidInput
from quality.exchange import dbt_manifest, odcs, rule_files
from quality.exchange.omissions import Imported, Omission


@click.group("import")
def import_() -> None:
    """Make rule files of what other tools have; nothing is sent to the API.

    What cannot be carried over is listed with its reason on standard error, and the exit code is 5.

    \b
    Example: stringx import odcs orders.odcs.yaml --into rules/
    """


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--allow-omissions", is_flag=True, help="End with code 0 whatever was left out."
        ),
        click.option(
            "--report",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write what was left out to this file, as JSON.",
        ),
        click.option("--force", is_flag=True, help="Write over files that are there."),
        click.option(
            "--into",
            type=click.Path(file_okay=False, path_type=Path),
            help="The folder to write to; without it the rules are printed.",
        ),
        click.option(
            "--connection", "-c", default="demo", show_default=True, help="Of the tables."
        ),
        click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    ):
        command = option(command)
    return command


@import_.command("odcs", epilog=exits.MEANINGS)
@click.option("--schema", help="The schema of tables that are named without one.")
@_options
def import_odcs(file: Path, connection: str, schema: str | None, **options: Any) -> int:
    """Import the quality sections of an Open Data Contract Standard file (version 3).

    \b
    Example: stringx import odcs orders.odcs.yaml --schema shop --into rules/
    """
    found = odcs.read(file.read_bytes(), file, connection=connection, schema=schema)
    return _write(found, **options)


@import_.command("dbt", epilog=exits.MEANINGS)
@_options
def import_dbt(file: Path, connection: str, **options: Any) -> int:
    """Import the generic tests of a dbt project from its target/manifest.json.

    \b
    Example: stringx import dbt target/manifest.json --connection warehouse --into rules/
    """
    return _write(dbt_manifest.read(file.read_bytes(), file, connection=connection), **options)


def report_omissions(
    omissions: Sequence[Omission], report: Path | None, allow_omissions: bool
) -> int:
    """List what was left out; answers the exit code."""
    for omission in omissions:
        click.echo(f"not carried over: {plain(str(omission))}", err=True)
    if report is not None:
        document = {"omissions": [omission.document() for omission in omissions]}
        report.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return exits.LEFT_OUT if omissions and not allow_omissions else exits.PASS


def write_files(files: dict[Path, str], force: bool) -> None:
    """Write all files, or none where one is there already and `force` is not given."""
    there = [str(file) for file in files if file.exists()]
    if there and not force:
        raise InvalidInput(f"{there[0]} is there already: give --force to write over it")
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        click.echo(f"wrote {file}", err=True)


def _write(
    found: Imported, into: Path | None, force: bool, report: Path | None, allow_omissions: bool
) -> int:
    if into is None:
        print_yaml(found.tables)
    else:
        files = {
            into / rule_files.file_name(table): rule_files.written(table) for table in found.tables
        }
        write_files(files, force)
    rules = sum(len(table.rules) for table in found.tables)
    click.echo(
        f"{rules} rules of {len(found.tables)} tables; "
        f"{len(found.omissions)} things not carried over",
        err=True,
    )
    return report_omissions(found.omissions, report, allow_omissions)
