"""`stringx gate`: may a pipeline go on with a table, by its stored verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from cli import exits
from cli.options import (
    Duration,
    connection_option,
    fail_on_warn_option,
    pass_service,
    table_argument,
)
from cli.printing import as_json, coloured, output_option
from cli.service import Service

_GATES = {"pass": "allow", "warn": "warn", "fail": "block"}


@click.command(epilog=exits.MEANINGS)
@table_argument
@connection_option
@click.option(
    "--max-age",
    type=Duration(),
    help="An older verdict counts as unknown: 15m, 2h, 1d. Without it any age will do.",
)
@fail_on_warn_option
@output_option("table", "json")
@pass_service
def gate(
    service: Service,
    table: str,
    connection: str,
    max_age: float | None,
    fail_on_warn: bool,
    output: str,
) -> int:
    """Say whether to go on with a table: allow (0), warn (0 or 4), block (1) or unknown (3).

    Nothing is checked: this reads the newest verdict on the whole table and its whole rule set.

    \b
    Example: stringx gate flights.planes --max-age 2h && load_the_rest
    """
    found = decide(service.find_table(connection, table), max_age, datetime.now(UTC))
    if output == "json":
        as_json({"connection": connection, "table": table, **found})
    else:
        click.echo(f"{coloured(found['gate'])} {connection} {table}: {found['reason']}")
    if found["gate"] == "unknown":
        return exits.NOT_CHECKED
    return exits.of_status(found["status"], fail_on_warn=fail_on_warn)


def decide(table: dict[str, Any] | None, max_age_s: float | None, now: datetime) -> dict[str, Any]:
    """The gate of a table as the API shows it: `gate`, the verdict it comes from, and `reason`."""
    if table is None:
        return {"gate": "unknown", "status": None, "reason": "the table is not registered"}
    status, at = table["last_status"], table["last_finished_at"]
    if status is None or at is None:
        return {"gate": "unknown", "status": None, "reason": "the table was never checked"}
    age = (now - datetime.fromisoformat(at)).total_seconds()
    found = {
        "gate": _GATES.get(status, "unknown"),
        "status": status,
        "check_id": table["last_check_id"],
        "finished_at": at,
        "age_s": round(age, 3),
        "reason": f"{status}, {_ago(age)}, check {table['last_check_id']}",
    }
    if max_age_s is not None and age > max_age_s:
        found["gate"] = "unknown"
        found["reason"] += f": older than {_length(max_age_s)}"
    return found


def _ago(seconds: float) -> str:
    return f"{_length(max(seconds, 0.0))} ago"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
