"""`stringx ownership`: users, teams, and what they own inside StringX."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from cli import exits
from cli.blocking import block, unblock
from cli.claims import claim, claim_all
from cli.options import pass_service
from cli.printing import as_json, output_option, plain, show
from cli.service import Service
from quality.errors import NotFound
from quality.ownership import KINDS, ORPHANED

_THINGS = ("kind", "id", "connection", "name", "owner", "standing", "active")
_USERS = ("name", "description", "teams", "blocked_at", "blocked_by", "block_reason")
_STANDINGS = ("active", *ORPHANED)

_kind = click.option(
    "--kind",
    type=click.Choice([kind.replace("_", "-") for kind in KINDS]),
    help="Only things of this kind.",
)


@click.group()
def ownership() -> None:
    """Users, teams, and the pipelines, tables and rule sets that they own.

    Schedules on a GitLab-compatible platform are the subject of `stringx owners`.

    \b
    Examples:
      stringx ownership orphans
      stringx ownership block anna --reason "left the company"
      stringx ownership claim-all anna --activate --execute
    """


@ownership.command("list")
@_kind
@click.option("--owner", help="Only what this user or team owns.")
@click.option(
    "--standing", type=click.Choice(_STANDINGS), help="Only things whose owner stands like this."
)
@output_option("table", "json", "csv")
@pass_service
def list_things(
    service: Service, kind: str | None, owner: str | None, standing: str | None, output: str
) -> None:
    """List what is owned, by whom, and how the owner stands.

    \b
    Examples:
      stringx ownership list --owner anna
      stringx ownership list --kind pipeline --standing blocked --output csv
    """
    asked = {"kind": _field(kind), "owner": owner, "standing": standing}
    show(service.items("/ownership", asked), _THINGS, output)


@ownership.command("orphans", epilog=exits.MEANINGS)
@_kind
@click.option("--exit-code", "tells", is_flag=True, help="End with 1 where there are orphans.")
@output_option("table", "json", "csv")
@pass_service
def list_orphans(service: Service, kind: str | None, tells: bool, output: str) -> int:
    """Report what needs an owner: its own is blocked, unknown, nobody, or a team with nobody left.

    \b
    Example: stringx ownership orphans --exit-code --output csv > orphans.csv
    """
    asked = {"kind": _field(kind), "orphaned": "true"}
    found = list(service.items("/ownership", asked))
    show(found, _THINGS, output)
    return exits.FAIL if found and tells else exits.PASS


@ownership.command("users")
@click.option("--blocked/--not-blocked", default=None, help="Only those who are, or are not.")
@output_option("table", "json", "csv")
@pass_service
def list_users(service: Service, blocked: bool | None, output: str) -> None:
    """List users.

    \b
    Example: stringx ownership users --blocked
    """
    asked = {"blocked": None if blocked is None else str(blocked).lower()}
    show(service.items("/users", asked), _USERS, output)


@ownership.command("user")
@click.argument("name")
@click.option("--description", help="Who it is.")
@output_option("table", "json")
@pass_service
def put_user(service: Service, name: str, description: str | None, output: str) -> None:
    """Make or describe a user. Tokens whose holder has the name are theirs.

    \b
    Example: stringx ownership user anna --description "Anna, data engineering"
    """
    _put(service, "user", name, {"description": description}, output)


@ownership.command("teams")
@output_option("table", "json", "csv")
@pass_service
def list_teams(service: Service, output: str) -> None:
    """List teams with their members.

    \b
    Example: stringx ownership teams
    """
    show(service.items("/teams"), ("name", "description", "members"), output)


@ownership.command("team")
@click.argument("name")
@click.option("--description", help="What it does.")
@click.option(
    "--member",
    "members",
    multiple=True,
    help="A user; may be repeated. Those named are all its members; without any they stay.",
)
@output_option("table", "json")
@pass_service
def put_team(
    service: Service, name: str, description: str | None, members: tuple[str, ...], output: str
) -> None:
    """Make, describe or change a team, which owns things together.

    \b
    Example: stringx ownership team fleet --member anna --member bob
    """
    given = {"description": description, "members": [member.lower() for member in members] or None}
    _put(service, "team", name, given, output)


for command in (block, unblock, claim, claim_all):
    ownership.add_command(command)


def _put(service: Service, kind: str, name: str, given: dict[str, Any], output: str) -> None:
    """Store a user or a team; what is not given stays as it is."""
    path = f"/{kind}s/{quote(name.lower(), safe='')}"
    try:
        stored = service.client.get(path)
    except NotFound:
        stored = None
    kept = {} if stored is None else {field: stored[field] for field in given}
    body = kept | {field: value for field, value in given.items() if value is not None}
    row = service.client.put(path, body)
    if output == "json":
        as_json(row)
        return
    more = f": {plain(', '.join(row['members']) or 'nobody')}" if kind == "team" else ""
    click.echo(f"{'made' if stored is None else 'changed'}: {kind} {plain(row['name'])}{more}")


def _field(kind: str | None) -> str | None:
    """A kind as the API spells it."""
    return None if kind is None else kind.replace("-", "_")
