"""Shows the demo's verdicts and compares them with the known ones."""

from importlib.resources import files
from typing import Any

import yaml
from rich import box
from rich.table import Table

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "error": "magenta"}
Checks = dict[str, dict[str, Any]]


def expected() -> dict[str, Any]:
    """The known verdicts: `tables` and `facts` of expected.yaml."""
    document: dict[str, Any] = yaml.safe_load(
        (files("embedded.demo") / "expected.yaml").read_text()
    )
    return document


def verdicts(checks: Checks) -> Table:
    """One line a table: rules, how they ended, failing rows, milliseconds."""
    # Fits a terminal of 80 columns.
    table = Table(
        title="Data quality of the demo",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("table", "verdict"):
        table.add_column(heading, no_wrap=True)
    numbers = ("rules", "pass", "warn", "fail", "error", "failing\nrows", "duration")
    for heading in numbers:
        table.add_column(heading, justify="right")
    for name, check in checks.items():
        status = check["status"]
        counts = check["counts"]
        table.add_row(
            name,
            f"[bold {_COLOURS.get(status, 'white')}]{status}[/]",
            str(len(check["results"])),
            *(
                f"[{_COLOURS[kind]}]{counts[kind]}[/]" if counts.get(kind) else "0"
                for kind in _COLOURS
            ),
            f"{check['failing_rows']:,}",
            f"{check['duration_ms']:,.0f} ms",
        )
    return table


def findings(checks: Checks) -> list[str]:
    """The known facts that these checks have found, as sentences."""
    lines = []
    for fact in expected()["facts"]:
        failures = _results(checks, fact["table"]).get(fact["rule"], ("", 0))[1]
        if failures:
            rule = f"{fact['table'].split('.')[-1]}.{fact['rule']}"
            lines.append(f"{fact['text'].format(failures=f'{failures:,}')} ({rule})")
    return lines


def differences(checks: Checks) -> list[str]:
    """Where these verdicts are not exactly the known ones; [] when they are."""
    lines = []
    for table, known in expected()["tables"].items():
        if table not in checks:
            lines.append(f"{table}: not checked")
            continue
        status = checks[table]["status"]
        if status != known["status"]:
            lines.append(f"{table}: {status} instead of {known['status']}")
        results = _results(checks, table)
        for rule in known["rules"].keys() | results.keys():
            wanted = tuple(known["rules"].get(rule, ("no such rule", 0)))
            found = results.get(rule, ("no result", 0))
            if found != wanted:
                lines.append(
                    f"{table}: rule {rule}: {found[0]} with {found[1]} failures "
                    f"instead of {wanted[0]} with {wanted[1]}{_message(checks, table, rule)}"
                )
    return sorted(lines + [f"{table}: not expected" for table in checks.keys() - _known_tables()])


def _known_tables() -> set[str]:
    return set(expected()["tables"])


def _results(checks: Checks, table: str) -> dict[str, tuple[str, int]]:
    results = checks.get(table, {}).get("results", [])
    return {result["rule"]: (result["status"], result["failures"] or 0) for result in results}


def _message(checks: Checks, table: str, rule: str) -> str:
    for result in checks[table]["results"]:
        if result["rule"] == rule and result["status"] == "error":
            return f" ({result['message']})"
    return ""
