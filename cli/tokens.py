"""`stringx token`: who may do what, for an admin."""

from __future__ import annotations

from typing import Any

import click

from cli.options import confirm, pass_service, yes_option
from cli.printing import as_json, output_option, plain, show
from cli.service import Service
from quality.access import SCOPES

_COLUMNS = ("id", "name", "holder", "scopes", "tables", "expires_at", "last_used_at", "revoked_at")


@click.group()
def token() -> None:
    """Tokens of the API: what they allow, and to whom.

    \b
    Example: stringx token create airflow --scope trigger
    """


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it allows; may be repeated.",
)
@click.option("--holder", help="Who uses it, as the audit trail will say; NAME if left out.")
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="PATTERN",
    help="Only these tables: sales.*, demo/sales.orders; may be repeated.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="For how long it is good.")
@output_option("table", "json")
@pass_service
def create(
    service: Service,
    name: str,
    scopes: tuple[str, ...],
    holder: str | None,
    tables: tuple[str, ...],
    days: int | None,
    output: str,
) -> None:
    """Make a token and print it: it is shown this once.

    \b
    Examples:
      stringx token create worker --scope results --scope read > /run/secrets/worker
      stringx token create sales --scope write_rules --scope trigger --table "sales.*" --days 30
    """
    body: dict[str, Any] = {"name": name, "scopes": list(dict.fromkeys(scopes))}
    given = {"holder": holder, "tables": list(tables) or None, "expires_in_days": days}
    body |= {field: value for field, value in given.items() if value is not None}
    made = service.client.post("/tokens", body)
    if output == "json":
        as_json(made)
        return
    click.echo(made["token"])
    click.echo(
        f"token {made['id']} of {plain(made['holder'])}: {', '.join(made['scopes'])}, good until "
        f"{made['expires_at']}; it is not shown again",
        err=True,
    )


@token.command("list")
@click.option("--holder", help="Only this holder's.")
@click.option("--all", "is_all", is_flag=True, help="Also those that are expired or revoked.")
@output_option("table", "json", "csv")
@pass_service
def list_tokens(service: Service, holder: str | None, is_all: bool, output: str) -> None:
    """List tokens, without their secrets.

    \b
    Example: stringx token list --all --output csv
    """
    asked = {"holder": holder, "usable": None if is_all else "true"}
    show(service.items("/tokens", asked), _COLUMNS, output)


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@yes_option
@pass_service
def revoke(service: Service, token_id: str, yes: bool) -> None:
    """Make a token unusable, within seconds and for good.

    \b
    Example: stringx token revoke 4fT0q9Zw1LbX --yes
    """
    if not token_id.isalnum():
        raise click.UsageError("the id has letters and digits alone (see `stringx token list`)")
    confirm(f"Revoke token {token_id}?", yes)
    service.client.delete(f"/tokens/{token_id}")
    click.echo(f"revoked: {token_id}")


@token.command("self")
@output_option("table", "json")
@pass_service
def show_self(service: Service, output: str) -> None:
    """Show whom the API takes you for.

    \b
    Example: stringx token self
    """
    found = service.client.get("/tokens/self")
    if output == "json":
        as_json(found)
        return
    click.echo(f"{plain(found['name'])}: {', '.join(found['scopes'])}")
    if found["tables"] is not None:
        click.echo(f"tables: {', '.join(plain(one) for one in found['tables'])}")
    if found["token"] is not None:
        click.echo(f"good until: {found['token']['expires_at']}")
