"""`stringx dead-letters`: messages that could not be taken."""

from __future__ import annotations

from typing import Any

import click

from cli import exits
from cli.options import Moment, TableParameter, confirm, pass_service, yes_option
from cli.printing import as_json, output_option, plain, show
from cli.service import Service

_COLUMNS = ("id", "state", "code", "table", "replays", "failed_at", "message")

code_option = click.option("--code", help="Only letters with this reason.")
table_option = click.option("--table", type=TableParameter(), help="Only letters of this table.")
since_option = click.option("--since", type=Moment(), help="Only failures since then (2h, a time).")
until_option = click.option("--until", type=Moment(), help="Only failures before then.")
state_option = click.option("--state", type=click.Choice(("open", "redriven")))


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages that could not be taken, and why.

    \b
    Example: stringx dead-letters list --state open
    """


@dead_letters.command("list")
@code_option
@table_option
@since_option
@until_option
@state_option
@output_option("table", "json", "csv")
@pass_service
def list_letters(service: Service, output: str, **asked: Any) -> None:
    """List dead letters, the newest failure first.

    \b
    Example: stringx dead-letters list --code table_not_configured --since 1d
    """
    show(service.items("/dead-letters", asked), _COLUMNS, output)


@dead_letters.command("show")
@click.argument("letter")
@output_option("text", "json")
@pass_service
def show_letter(service: Service, letter: str, output: str) -> None:
    """Show a dead letter with the message as it came.

    \b
    Example: stringx dead-letters show d-0123456789abcdef0123456789abcdef01234567
    """
    found = service.client.get(f"/dead-letters/{letter}")
    if output == "json":
        as_json(found)
        return
    origin, original = found["origin"], found["original"]
    click.echo(f"{found['state']} {found['id']}")
    click.echo(f"{found['code']} ({found['stage']}): {plain(found['message'])}")
    click.echo(
        f"from {origin['topic']}[{origin['partition']}]@{origin['offset']}, failed "
        f"{found['failed_at']} after {found['attempts']} attempts, sent again {found['replays']} "
        f"times before, request {found['request_id']}"
    )
    for header in original["headers"]:
        click.echo(f"{plain(header['name'])}: {_text(header)}")
    click.echo(f"key: {_text(original['key'])}")
    whole = "the first part of " if found["is_truncated"] else ""
    click.echo(f"value ({whole}{found['payload_bytes']} bytes): {_text(original['value'])}")


@dead_letters.command("redrive", epilog=exits.MEANINGS)
@click.argument("letters", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open letters that the options name.")
@code_option
@table_option
@since_option
@until_option
@click.option("--dry-run", is_flag=True, help="With --all: say what would be sent, send nothing.")
@yes_option
@pass_service
def redrive(
    service: Service,
    letters: tuple[str, ...],
    everything: bool,
    dry_run: bool,
    yes: bool,
    **chosen: Any,
) -> int:
    """Send originals again, each once and under its id: named letters, or with --all all open ones.

    Ends with 5 where some were refused, as they were sent three times or cannot be read.

    \b
    Examples:
      stringx dead-letters redrive d-0123456789abcdef0123456789abcdef01234567
      stringx dead-letters redrive --all --code table_not_configured --since 1d --yes
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    if bool(letters) == everything or (letters and (given or dry_run)):
        raise click.UsageError("name letters, or give --all with what to choose them by")
    if letters:
        for letter in letters:
            found = service.client.post(f"/dead-letters/{letter}/redrive", None)
            click.echo(f"redriven {found['id']} as {found['request_id']}")
        return exits.PASS
    if not dry_run:
        confirm("Send all these messages again?", yes)
    sent = refused = 0
    complete = False
    while not complete:
        found = service.client.post("/dead-letters/redrive", {**given, "dry_run": dry_run})
        sent += len(found["redriven"])
        refused = len(found["refused"])
        for one in found["refused"]:
            click.echo(f"refused {one['id']}: {plain(one['message'])}")
        complete = found["is_complete"] or dry_run or not found["redriven"]
    more = "" if found["is_complete"] or not dry_run else " at least"
    click.echo(f"{'would redrive' if dry_run else 'redriven'}{more} {sent}, refused {refused}")
    return exits.LEFT_OUT if refused else exits.PASS


@dead_letters.command("purge")
@click.option(
    "--older-than-days", type=click.IntRange(min=0), required=True, help="Failed so long ago."
)
@state_option
@click.option("--dry-run", is_flag=True, help="Count them, drop nothing.")
@yes_option
@pass_service
def purge(
    service: Service, older_than_days: int, state: str | None, dry_run: bool, yes: bool
) -> None:
    """Drop dead letters by age; the topic keeps its records.

    \b
    Example: stringx dead-letters purge --older-than-days 30 --state redriven --dry-run
    """
    if not dry_run:
        confirm(f"Drop dead letters of more than {older_than_days} days?", yes)
    body = {"older_than_days": older_than_days, "dry_run": dry_run}
    found = service.client.post("/dead-letters/purge", body | ({"state": state} if state else {}))
    click.echo(f"{'would drop' if dry_run else 'dropped'} {found['purged']}")


def _text(part: dict[str, str | None]) -> str:
    if part["base64"] is None:
        return "none"
    return plain(part["text"]) if part["text"] is not None else f"base64 {part['base64']}"
