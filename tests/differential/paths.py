"""Which way tests took through the engine: counted, shown at the end, and not allowed to decay."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quality.catalogue import RuleType

FUSED = ("scan", "second_scan", "grouped", "constraint")
ALL = (*FUSED, "dbt_sql", "dbt")
_OF_ARRAYS = ("items", "contains", "uniqueItems", "minProperties", "maxProperties")
"""Words of a JSON Schema that take a query of their own."""
OF_TYPE: dict[str, tuple[str, ...]] = {
    "unique": ("scan", "grouped"),
    "unique_combination_of_columns": ("scan", "grouped"),
    "accepted_values": ("scan", "second_scan"),
    "not_accepted_values": ("scan", "second_scan"),
    # With two limits, a percentile, or more than one aggregate: no plain aggregate.
    "freshness": ("scan", "dbt_sql"),
    "event_lag_between": ("scan", "dbt_sql"),
    "expression_between": ("scan", "dbt_sql"),
}


def ways(entry: RuleType, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """By which ways a rule of the catalogue is judged where no constraint proves it. What is no
    condition on a row and no plain aggregate is left to the database, as dbt writes it."""
    compares_spellings = entry.name == "consistent_casing" and arguments.get("case") is None
    looks_inside = any(f'"{word}"' in json.dumps(arguments, default=str) for word in _OF_ARRAYS)
    if arguments.get("case_insensitive") or compares_spellings:
        return ("dbt_sql",)
    if entry.name == "json_schema" and looks_inside:
        return ("dbt_sql",)
    if entry.name in OF_TYPE:
        return OF_TYPE[entry.name]
    return ("scan",) if entry.category in ("R", "A") else ("dbt_sql",)


FUSED_AT_LEAST = {
    "holds": 0.85,
    "holds_in_every_row": 0.9,
    "in_range": 0.95,
    "null_where": 1.0,
    "never": 0.65,
    "counted": 0.7,
    "aggregate_is": 0.4,
    "listed": 0.35,
    "singular": 0.4,
}
"""Of users' own tests that can be judged: many of the fixed ones are made to be hard to read."""
OVERALL_AT_LEAST = 0.55


@dataclass(frozen=True, slots=True)
class Paths:
    """Counts what a kind of test took; `record` hands it on to the end of the run."""

    record: Callable[[str, object], None]

    def count(self, kind: str, status: str, path: str | None) -> None:
        """Once for a test; one that could not be judged is counted as `error`."""
        self.record("path", (kind, "error" if status == "error" else path))


def table(counted: Counter[tuple[str, str]]) -> list[str]:
    """The counts as lines, a kind each."""
    columns = (*ALL, "error")
    kinds = sorted({kind for kind, _ in counted})
    lines = [f"{'':32}" + "".join(f"{name:>12}" for name in columns)]
    for kind in kinds:
        numbers = "".join(f"{counted[kind, name] or '':>12}" for name in columns)
        lines.append(f"{kind:32}{numbers}")
    totals = [sum(counted[kind, name] for kind in kinds) for name in columns]
    lines.append(f"{'in all':32}" + "".join(f"{number:>12}" for number in totals))
    fused = sum(totals[: len(FUSED)])
    judged = sum(totals[: len(ALL)])
    lines.append(f"fused: {fused} of {judged} that were judged ({fused / max(1, judged):.0%})")
    return lines


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the counts of all tests of this run."""
    counted: Counter[tuple[str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "path" and report.when == "call":
                    counted[tuple(value)] += 1
    if counted:
        terminalreporter.section("ways through the engine")
        for line in table(counted):
            terminalreporter.write_line(line)
