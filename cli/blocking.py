"""`stringx ownership block` and `unblock`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from cli import exits
from cli.options import pass_service
from cli.printing import as_json, output_option, plain, show
from cli.service import Service

_EXECUTIONS = ("id", "pipeline", "start_date")


@click.command("block", epilog=exits.MEANINGS)
@click.argument("user")
@click.option("--reason", help="Why; it is shown and recorded. Needed with --execute.")
@click.option("--force", is_flag=True, help="End unfinished executions as failed.")
@click.option("--execute", is_flag=True, help="Do it; without this nothing is changed.")
@output_option("table", "json")
@pass_service
def block(
    service: Service, user: str, reason: str | None, force: bool, execute: bool, output: str
) -> int:
    """Block a user. A preview, unless --execute is given.

    Their unfinished executions end as failed, their pipelines become inactive, their tokens stop
    working. What they own stays theirs until somebody claims it.

    \b
    Examples:
      stringx ownership block anna
      stringx ownership block anna --reason "left the company" --force --execute
    """
    path = _path(user)
    if execute and not reason:
        raise click.UsageError("say why: --reason")
    if execute:
        body = {"reason": reason, "force": force}
        _show_done(service.client.post(f"{path}/block", body), output)
        return exits.PASS
    found = service.client.get(f"{path}/block-preview")
    if output == "json":
        as_json(found)
    else:
        _show_preview(found)
    is_refused = found["is_refused_without_force"] and not force
    if is_refused or found["user"]["blocked_at"] is not None:
        return exits.USAGE
    click.echo("stringx: nothing was changed; --execute does it", err=True)
    return exits.PASS


@click.command("unblock")
@click.argument("user")
@pass_service
def unblock(service: Service, user: str) -> None:
    """Let a blocked user work again. Tokens stay revoked, pipelines inactive until activated.

    \b
    Example: stringx ownership unblock anna
    """
    service.client.post(f"{_path(user)}/unblock", None)
    click.echo(f"unblocked: {plain(user)}; they need a new token (stringx token create)")


def _path(user: str) -> str:
    return f"/users/{quote(user.lower(), safe='')}"


def _show_preview(found: dict[str, Any]) -> None:
    user, left = found["user"], found["will_leave"]
    name = plain(user["name"])
    if user["blocked_at"] is not None:
        click.echo(f"{name} is blocked already, since {user['blocked_at']}")
        return
    click.echo(
        f"blocking {name} would end {found['will_fail_executions']} unfinished executions as "
        f"failed, make {found['will_deactivate_pipelines']} pipelines inactive and revoke "
        f"{found['will_revoke_tokens']} tokens"
    )
    click.echo(
        f"{name} would go on owning {left['pipelines']} pipelines, {left['tables']} tables and "
        f"{left['rule_sets']} rule sets, for others to claim"
    )
    if found["executions"]:
        show(found["executions"], _EXECUTIONS, "table")
    if found["is_refused_without_force"]:
        click.echo("without --force it is refused while these are unfinished", err=True)


def _show_done(done: dict[str, Any], output: str) -> None:
    if output == "json":
        as_json(done)
        return
    click.echo(
        f"blocked: {plain(done['name'])}; {len(done['failed_executions'])} executions failed, "
        f"{len(done['deactivated_pipelines'])} pipelines inactive, "
        f"{len(done['revoked_tokens'])} tokens revoked"
    )
