"""`stringx check`: check a table now, or by Kafka, and obey the verdict."""

from __future__ import annotations

from typing import Any

import click
from pydantic import ValidationError

from cli import exits, junit
from cli.options import (
    connection_option,
    fail_on_warn_option,
    pass_service,
    scope_option,
    table_argument,
)
from cli.printing import as_json, coloured, output_option, plain, show
from cli.service import Service
from cli.waiting import Waiting, run_and_watch
from quality.checks import CheckRequest
from quality.documents import strictly
from quality.errors import InvalidInput, Unavailable, invalid_input
from quality.identity import new_id
from quality.shorthand import predicate, selection

_COLUMNS = ("rule", "status", "failures", "failing_rows", "rows_tested", "message")


@click.group()
def check() -> None:
    """Check tables.

    \b
    Example: stringx check run flights.planes --scope 'year>=2000'
    """


@check.command("run", epilog=exits.MEANINGS)
@table_argument
@connection_option
@scope_option
@click.option(
    "--select",
    multiple=True,
    metavar="WHAT=VALUES",
    help="Only these rules: rules=a,b, tags=x, dimensions=validity, kind=business.",
)
@click.option("--id", "check_id", help="The check's id; the same id is answered once.")
@click.option("--requested-by", help="Who asks.")
@click.option("--label", multiple=True, metavar="NAME=TEXT", help="Stored with the check.")
@click.option(
    "--deadline-ms", type=click.IntRange(min=1), help="In how long there is to be a verdict."
)
@click.option("--async", "by_kafka", is_flag=True, help="Ask by Kafka and do not wait.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long to wait for the verdict: 60 unless told otherwise; with --async not at all.",
)
@click.option("--watch", is_flag=True, help="Show how it goes while it runs, on standard error.")
@fail_on_warn_option
@output_option("table", "json", "junit", "csv")
@pass_service
def run(
    service: Service,
    table: str,
    connection: str,
    by_kafka: bool,
    wait: float | None,
    watch: bool,
    fail_on_warn: bool,
    output: str,
    **asked: Any,
) -> int:
    """Check a table and end with its verdict.

    The API checks at once, with --async a worker does, told by Kafka. --select and --scope narrow
    the check; a narrowed one does not change the table's verdict.

    \b
    Examples:
      stringx check run flights.planes
      stringx check run flights.flights --scope 'time_hour>=2013-12-31' --select kind=business
      stringx check run flights.planes --async --wait 120 --watch --output junit > report.xml
    """
    body = {
        **_request(table, connection, asked).document(),
        "mode": "async" if by_kafka else "sync",
    }
    waiting = Waiting(service, body["id"], wait if wait is not None else 60.0)
    if watch:
        found = run_and_watch(waiting, body)
    elif by_kafka:
        found = service.client.post("/checks", body)
        if wait is not None:
            found = waiting.finished()
    else:
        found = _at_once(service, waiting, body)
    print_check(found, output, fail_on_warn=fail_on_warn)
    if by_kafka and wait is None and not watch and found["state"] != "finished":
        return exits.PASS  # asked is done
    return exits.of_check(found, fail_on_warn=fail_on_warn)


def print_check(found: dict[str, Any], output: str, *, fail_on_warn: bool = False) -> None:
    """Print a check as the API shows it, finished or not."""
    if output == "json":
        as_json(found)
    elif output == "junit":
        click.echo(junit.report(found, fail_on_warn=fail_on_warn))
    elif output == "csv":
        show(found["results"], _COLUMNS, "csv")
    else:
        _for_reading(found)


def _for_reading(found: dict[str, Any]) -> None:
    if found["status"] is None:
        click.echo(f"{found['state']}: {found['connection']} {found['table']}, check {found['id']}")
        return
    took = "" if found["duration_ms"] is None else f" ({found['duration_ms']:.0f} ms)"
    click.echo(
        f"{coloured(found['status'])} {found['connection']} {found['table']}{took}, "
        f"check {found['id']}"
    )
    if found.get("is_partial"):
        click.echo("  the deadline left rules, which are being judged: ask for the check again")
    if found["error"]:
        click.echo(f"  {found['error_code']}: {plain(found['error'])}")
    if found["results"]:
        show(found["results"], _COLUMNS, "table")


def _request(table: str, connection: str, asked: dict[str, Any]) -> CheckRequest:
    document = {
        "id": asked["check_id"] or new_id(),
        "connection": connection,
        "table": table,
        "scope": [predicate(text) for text in asked["scope"]],
        "select": selection(list(asked["select"])),
        "requested_by": asked["requested_by"],
        "deadline_ms": asked["deadline_ms"],
        "labels": dict(_label(text) for text in asked["label"]),
    }
    try:
        given = {name: value for name, value in document.items() if value not in (None, [], {})}
        return strictly(CheckRequest, given)
    except ValidationError as error:
        raise invalid_input(error, "the check") from None


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f'--label "{text}" is no label; write NAME=TEXT')
    return name, value


def _at_once(service: Service, waiting: Waiting, body: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = service.patient(waiting.seconds).post("/checks", body)
    except Unavailable as error:
        # The answer did not come, but the check may be running: its id finds it.
        if error.code != "api_unreachable" or not waiting.is_known():
            raise
        return waiting.finished()
    return found if found["status"] is not None else waiting.finished()
