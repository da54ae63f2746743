"""`stringx gate`: may a pipeline go on with a table, by what its gate decided."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click

from cli import exits
from cli.options import (
    Duration,
    connection_option,
    fail_on_warn_option,
    pass_service,
    scope_option,
    table_argument,
)
from cli.printing import as_json, coloured, output_option
from cli.service import Service
from quality.errors import Unavailable
from quality.shorthand import predicate

_CODES = {"allow": exits.PASS, "block": exits.FAIL, "unknown": exits.NOT_CHECKED}
_WAIT_S = 20.0
"""How long one question waits: shorter than clients and proxies do."""


@click.command(epilog=exits.MEANINGS)
@table_argument
@connection_option
@click.option("--check-id", help="The decision on this check, whatever was decided later.")
@scope_option
@click.option(
    "--wait",
    type=Duration(),
    default=None,
    help="Wait so long for a decision that holds, or for the check of --check-id: 30s, 10m.",
)
@click.option(
    "--whole", is_flag=True, help="Wait for all rules, where the check's deadline left some."
)
@click.option(
    "--max-age",
    type=Duration(),
    help="An older decision counts as unknown: 15m, 2h, 1d. None holds longer than it says.",
)
@fail_on_warn_option
@output_option("table", "json")
@pass_service
def gate(
    service: Service,
    table: str,
    connection: str,
    check_id: str | None,
    scope: tuple[str, ...],
    wait: float | None,
    whole: bool,
    max_age: float | None,
    fail_on_warn: bool,
    output: str,
) -> int:
    """Say whether to go on with a table: allow (0), warn (0 or 4), block (1) or unknown (3).

    Nothing is checked: this reads what was decided with the newest verdict on the whole table, on
    the rows of --scope, or on one check.

    \b
    Examples:
      stringx gate flights.planes --max-age 2h && load_the_rest
      stringx gate flights.flights --check-id $ID --wait 5m
    """
    params: dict[str, Any] = {"connection": connection}
    if whole:
        params["whole"] = "true"
    if check_id is not None:
        params["check_id"] = check_id
    if scope:
        params["scope"] = json.dumps([predicate(text) for text in scope])
    found = aged(_asked(service, table, params, wait or 0.0), max_age, datetime.now(UTC))
    if output == "json":
        as_json(found)
    else:
        click.echo(f"{coloured(found['decision'])} {connection} {table}: {found['reason']}")
    if found["decision"] == "warn":
        return exits.WARN if fail_on_warn else exits.PASS
    return _CODES.get(found["decision"], exits.NOT_CHECKED)


def _asked(service: Service, table: str, params: dict[str, Any], wait_s: float) -> dict[str, Any]:
    """The gate's answer, asked for again until it has decided or the time is up."""
    until = time.monotonic() + wait_s
    client = service.patient(_WAIT_S + 10)
    path = f"/gate/{quote(table, safe='')}"
    while True:
        left = max(0.0, until - time.monotonic())
        again_s = 0.0
        found: dict[str, Any] = {}
        try:
            found = client.get(path, {**params, "wait": round(min(left, _WAIT_S), 3)})
        except Unavailable as error:
            if left <= error.retry_after_s:
                raise
            again_s = error.retry_after_s
        is_partial = "whole" in params and found.get("is_partial", False)
        is_decided = found.get("decision", "unknown") != "unknown" or found.get("decided_at")
        if (is_decided and not is_partial) or left <= 0:
            return found
        time.sleep(again_s)


def aged(found: dict[str, Any], max_age_s: float | None, now: datetime) -> dict[str, Any]:
    """The gate's answer with `age_s` and `reason`; `unknown` where it is older than it may be."""
    at = found["decided_at"]
    age = None if at is None else (now - datetime.fromisoformat(at)).total_seconds()
    found = {**found, "age_s": None if age is None else round(age, 3)}
    known = [found["verdict"], _ago(age)] if age is not None else []
    if age is not None and found["check_id"] is not None:
        known.append(f"check {found['check_id']}")
    if age is not None and max_age_s is not None and age > max_age_s:
        found["decision"] = "unknown"
        found["reasons"] = [f"older than {_length(max_age_s)}", *found["reasons"]]
    said = ", ".join(known)
    why = "; ".join(found["reasons"])
    return {**found, "reason": f"{said}: {why}" if said and why else said or why}


def _ago(seconds: float) -> str:
    return f"{_length(max(seconds, 0.0))} ago"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
