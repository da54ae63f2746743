"""`stringx ownership claim` and `claim-all`: taking over what nobody looks after."""

from __future__ import annotations

from typing import Any

import click

from cli import exits
from cli.options import connection_option, pass_service
from cli.printing import as_json, output_option, plain, show
from cli.service import Service
from quality.errors import Conflict, NotFound
from quality.names import TableName
from quality.ownership import KINDS

_THINGS = ("kind", "id", "connection", "name", "owner", "standing", "active")

_kinds = click.Choice([kind.replace("_", "-") for kind in KINDS])
_owner = click.option(
    "--owner", help="Who is to own it: you, a team of yours or, for an admin, anybody."
)
_activate = click.option("--activate", is_flag=True, help="Make pipelines active too.")


@click.command("claim", epilog=exits.MEANINGS)
@click.argument("kind", type=_kinds)
@click.argument("thing")
@connection_option
@_owner
@_activate
@click.option("--force", is_flag=True, help="For an admin: whoever owns it now.")
@output_option("table", "json")
@pass_service
def claim(
    service: Service,
    kind: str,
    thing: str,
    connection: str,
    owner: str | None,
    activate: bool,
    force: bool,
    output: str,
) -> None:
    """Take over one thing that is an orphan: a pipeline by id or name, a table or its rules.

    \b
    Examples:
      stringx ownership claim pipeline nightly_load --activate
      stringx ownership claim table flights.planes --owner fleet
      stringx ownership claim rule-set flights.planes --owner anna --force
    """
    if activate and kind != "pipeline":
        raise click.UsageError("--activate is for a pipeline")
    body = {"owner": owner and owner.lower(), "force": force} | (
        {"activate": activate} if activate else {}
    )
    path = _path(service, kind, thing, connection)
    row = service.client.post(path, {name: value for name, value in body.items() if value})
    if output == "json":
        as_json(row)
        return
    active = {True: ", active", False: ", not active", None: ""}[row["active"]]
    click.echo(f"claimed: {kind} {plain(row['name'])} is now {plain(row['owner'])}'s{active}")


@click.command("claim-all", epilog=exits.MEANINGS)
@click.argument("former")
@click.option("--kind", "kinds", multiple=True, type=_kinds, help="Only these; may be repeated.")
@_owner
@_activate
@click.option("--execute", is_flag=True, help="Do it; without this nothing is changed.")
@output_option("table", "json", "csv")
@pass_service
def claim_all(
    service: Service,
    former: str,
    kinds: tuple[str, ...],
    owner: str | None,
    activate: bool,
    execute: bool,
    output: str,
) -> int:
    """Take over all that a blocked user, or a name nobody has, still owns. A dry run, unless
    --execute is given.

    \b
    Examples:
      stringx ownership claim-all anna
      stringx ownership claim-all anna --owner fleet --activate --execute
    """
    wanted = [kind.replace("-", "_") for kind in kinds] or list(KINDS)
    if execute:
        given: dict[str, Any] = {"former": former, "kinds": wanted, "activate": activate}
        body = given | ({"owner": owner.lower()} if owner else {})
        found = service.client.post("/ownership/claims", body)["items"]
        show(found, _THINGS, output)
        click.echo(f"stringx: {len(found)} claimed", err=True)
        return exits.PASS
    found = [
        thing for thing in service.items("/ownership", {"owner": former}) if thing["kind"] in wanted
    ]
    if not found:
        raise Conflict(f'"{former}" has nothing to claim')
    if any(thing["standing"] == "active" for thing in found):
        raise Conflict(f'"{former}" is in good standing: only orphans can be claimed')
    show(found, _THINGS, output)
    click.echo("stringx: nothing was changed; --execute claims these", err=True)
    if {"table", "rule_set"} <= {thing["kind"] for thing in found}:
        click.echo("stringx: rules without an owner of their own follow their table", err=True)
    return exits.PASS


def _path(service: Service, kind: str, thing: str, connection: str) -> str:
    if kind == "pipeline":
        return f"/pipelines/{_pipeline(service, thing)}/claim"
    try:
        name = str(TableName.parse(thing))
    except ValueError as error:
        raise click.UsageError(f'"{thing}": {error}') from None
    table_id = service.table(connection, name)["id"]
    return f"/tables/{table_id}/{'rule-set/claim' if kind == 'rule-set' else 'claim'}"


def _pipeline(service: Service, thing: str) -> int:
    """The id of a pipeline that is given by it, or by its name."""
    if thing.isascii() and thing.isdigit():
        return int(thing)
    found = list(service.items("/pipelines", {"name": thing}))
    if not found:
        raise NotFound(f'there is no pipeline "{thing}"')
    if len(found) > 1:
        ids = ", ".join(str(one["id"]) for one in found)
        raise Conflict(f'there are several pipelines "{thing}": name one by its id ({ids})')
    return int(found[0]["id"])
