"""Arguments and options that several commands take."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.service import Service
from quality.errors import StringXError
from quality.names import TableName

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_COMPLETION_TIMEOUT_S = 2.0

pass_service = click.make_pass_decorator(Service)


class TableParameter(click.ParamType[str]):
    """`schema.table`, in the spelling that the API uses."""

    name = "table"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(TableName.parse(str(value)))
        except ValueError as error:
            self.fail(f'"{value}": {error}', param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names of registered tables, if the API says them quickly."""
        service = Service()
        try:
            settings = service.settings.model_copy(update={"api_timeout_s": _COMPLETION_TIMEOUT_S})
            names = {item["name"] for item in Service(settings).items("/tables", limit=500)}
        except StringXError:
            return []
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


class Duration(click.ParamType[float]):
    """`90s`, `15m`, `2h`, `1d`, `1w`: seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            self.fail(f'"{value}" is no duration; write for example 15m, 2h or 1d', param, ctx)
        return float(int(match[1]) * _SECONDS[match[2]])


class Moment(click.ParamType[str]):
    """A time with its zone, or how long ago it is."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if match := _DURATION.fullmatch(text):
            ago = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
            return (datetime.now(UTC) - ago).isoformat()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(
                f'"{value}" is no time with its zone (2026-01-31T12:00:00Z) and no time ago (2h)',
                param,
                ctx,
            )
        return moment.isoformat()


table_argument = click.argument("table", type=TableParameter())
connection_option = click.option(
    "--connection", "-c", default="demo", show_default=True, help="The connection of the table."
)
any_connection_option = click.option("--connection", "-c", help="Only this connection's.")
author_option = click.option(
    "--author", envvar="STRINGX_AUTHOR", show_envvar=True, help="Who makes the change."
)
reason_option = click.option("--reason", help="Why it is made; stored with the version.")
scope_option = click.option(
    "--scope",
    multiple=True,
    metavar="PREDICATE",
    help='Only these rows: "time_hour>=2013-12-31", "origin in JFK,LGA", "month between 1,3", '
    '"tailnum is_null"; may be repeated, all must hold.',
)
fail_on_warn_option = click.option(
    "--fail-on-warn", is_flag=True, help="End with code 4 where the verdict is warn."
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def confirm(question: str, yes: bool) -> None:
    """Ask, unless `yes`; without a terminal nobody can answer, so that is a usage error."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: give --yes to go on")
    click.confirm(question, abort=True, err=True)
