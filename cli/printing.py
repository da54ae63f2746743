"""What commands print: tables for people, JSON, CSV and JUnit for machines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

_COLOURS = {
    "pass": "green",
    "allow": "green",
    "warn": "yellow",
    "fail": "red",
    "block": "red",
    "error": "magenta",
    "unknown": "magenta",
}
_WIDEST = 60

Rows = Iterable[dict[str, Any]]


def output_option(*kinds: str) -> Any:
    """`--output`, the first kind being the default."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(kinds),
        default=kinds[0],
        show_default=True,
        help="How to print what was found.",
    )


def show(rows: Rows, columns: Sequence[str], output: str) -> None:
    """Print rows: all their fields as JSON, the named ones as a table or CSV."""
    if output == "json":
        as_json(list(rows))
    elif output == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
        click.echo(text.getvalue(), nl=False)
    else:
        _as_table([[_short(row.get(name)) for name in columns] for row in rows], columns)


def as_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def coloured(status: str) -> str:
    """A status in its colour; click leaves the colour away where there is no terminal."""
    return click.style(status, fg=_COLOURS.get(status))


def plain(text: str) -> str:
    """Text from elsewhere without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _as_table(rows: list[list[str]], columns: Sequence[str]) -> None:
    if not rows:
        click.echo("none")
        return
    heads = [name.replace("_", " ") for name in columns]
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(columns))]
    click.echo(_aligned(heads, widths))
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        for place, name in enumerate(columns):
            if name in ("status", "last_status"):
                padded[place] = padded[place].replace(row[place], coloured(row[place]), 1)
        click.echo("  ".join(padded).rstrip())


def _aligned(cells: list[str], widths: list[int]) -> str:
    joined = zip(cells, widths, strict=True)
    return "  ".join(cell.ljust(width) for cell, width in joined).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(value: Any) -> str:
    is_names = isinstance(value, list) and all(isinstance(one, str) for one in value)
    text = plain(", ".join(value) if is_names else _cell(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
