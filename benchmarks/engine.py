"""The engine beside everything else that could have checked the same table, in one run.

All contenders are resident and warm (but for the command line of dbt) and take turns: in each round
every one runs once, in an order drawn anew. The first round is a warm-up and is dropped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks import figures
from benchmarks.data import CONDITIONS, Condition, make_table, truth_of, work_of
from benchmarks.database import Database, open_database
from benchmarks.environments import CONTENDERS, OURS, EnvironmentMissing, python_of
from benchmarks.report import Report, machine, say
from benchmarks.resident import ContenderFailed, Resident
from benchmarks.work import Finding, Work

CLI_ROUNDS = 3
DECLARED = "constraints declared"


@dataclass(frozen=True)
class Plan:
    """What to measure; `rounds` without the warm-up."""

    rows: Sequence[int] = (1_000,)
    checks: Sequence[int] = (10, 50)
    conditions: Sequence[Condition] = CONDITIONS
    rounds: int = 5
    cli_rounds: int = CLI_ROUNDS
    contenders: Sequence[str] = tuple(entry.name for entry in CONTENDERS)


SIZES = {
    "small": Plan(rounds=5, cli_rounds=1, conditions=("dirty",)),
    "medium": Plan(rows=(1_000, 100_000), rounds=7),
    "full": Plan(rows=(1_000, 100_000, 1_000_000), rounds=7),
}


@dataclass
class Cell:
    """One table and set of checks: the seconds of each contender's runs."""

    condition: Condition
    rows: int
    checks: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def head(self) -> str:
        """The column's head."""
        return f"{self.checks} × {figures.count(self.rows)}"

    def entry(self, name: str) -> str:
        """Median, minimum and multiple of ours; empty where it did not take part."""
        times = self.seconds.get(name)
        if not times:
            return ""
        shown = f"{figures.milliseconds(median(times))} ({figures.milliseconds(min(times))})"
        if name == OURS.name or OURS.name not in self.seconds:
            return shown
        return f"{shown} {figures.ratio(median(times) / median(self.seconds[OURS.name]))}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        ours = self.seconds.get(OURS.name)
        return {
            "condition": self.condition,
            "rows": self.rows,
            "checks": self.checks,
            "contenders": {
                name: {
                    "median_s": median(times),
                    "min_s": min(times),
                    "times_ours": median(times) / median(ours) if ours else None,
                    "seconds": times,
                }
                for name, times in self.seconds.items()
            },
        }


def measure(plan: Plan) -> Report:
    """Run the plan; a verdict or count that differs from the truth is a fault."""
    report = Report("Engine")
    with open_database() as database:
        for condition in plan.conditions:
            for rows in plan.rows:
                make_table(database.url, condition, rows, say)
        with _started(plan, database, report) as contenders:
            cells = [
                _cell(plan, database, contenders, report, Cell(condition, rows, checks))
                for condition in plan.conditions
                for rows in plan.rows
                for checks in plan.checks
            ]
            memory = {name: one.memory() for name, one in contenders.items()}
        _describe(report, plan, database, contenders)
    for condition in plan.conditions:
        report.add(_table(condition, cells, contenders, memory))
    report.document["cells"] = [cell.document() for cell in cells]
    report.document["peak_mb"] = {
        name: {"process": own, "children": children} for name, (own, children) in memory.items()
    }
    return report


@contextmanager
def _started(plan: Plan, database: Database, report: Report) -> Iterator[dict[str, Resident]]:
    """The contenders that could be started, by name."""
    started: dict[str, Resident] = {}
    with ExitStack() as ending:
        for entry in CONTENDERS:
            if entry.name not in plan.contenders:
                continue
            try:
                resident = entry.resident(python_of(entry, say))
            except EnvironmentMissing as error:
                left_out = f"{entry.title} is left out: its environment cannot be made ({error})"
                say(left_out)
                report.add(left_out)
                continue
            ending.callback(resident.stop)
            try:
                resident.start(database.target)
            except ContenderFailed as error:
                report.faults.append(str(error))
                continue
            started[entry.name] = resident
        yield started


def _cell(
    plan: Plan, database: Database, contenders: dict[str, Resident], report: Report, cell: Cell
) -> Cell:
    say(f"{cell.condition}, {cell.head}")
    work = work_of(cell.condition, cell.rows, cell.checks)
    truth = truth_of(database.url, cell.condition, cell.rows)
    playing = []
    for name, contender in contenders.items():
        try:
            contender.prepare(work)
            playing.append(name)
        except ContenderFailed as error:
            report.faults.append(f"{cell.condition} {cell.head}: {error}")
    wrong: dict[str, None] = {}
    for turn in range(plan.rounds + 1):
        order = [name for name in playing if _takes_part(name, turn, plan)]
        random.shuffle(order)
        for name in order:
            try:
                run = contenders[name].run(work)
            except ContenderFailed as error:
                report.faults.append(f"{cell.condition} {cell.head}: {error}")
                playing.remove(name)
                continue
            for difference in differences(work, run.findings, truth):
                wrong[f"{cell.condition} {cell.head}: {contenders[name].name}: {difference}"] = None
            if turn:
                cell.seconds.setdefault(name, []).append(run.seconds)
    report.faults += wrong
    return cell


def _takes_part(name: str, turn: int, plan: Plan) -> bool:
    """A process for each run has nothing to warm up, and takes long."""
    return name != "dbt-cli" or 0 < turn <= plan.cli_rounds


def differences(
    work: Work, findings: Sequence[Finding], truth: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Where verdicts or counts are not the truth, one line each."""
    found = {finding.check: finding for finding in findings}
    wrong = [f"{name} was not asked for" for name in found.keys() - {c.name for c in work.checks}]
    for check in work.checks:
        finding = found.get(check.name)
        if finding is None:
            wrong.append(f"{check.name} has no result")
            continue
        expected = "fail" if truth[check.name]["failures"] else "pass"
        if finding.status != expected:
            words = f" ({finding.message})" if finding.message else ""
            wrong.append(f"{check.name} is {finding.status}, not {expected}{words}")
        for count, number in truth[check.name].items():
            said = getattr(finding, count)
            if said is not None and said != number:
                wrong.append(f"{check.name} has {said} {count}, not {number}")
    return wrong


def _table(
    condition: Condition,
    cells: list[Cell],
    contenders: dict[str, Resident],
    memory: dict[str, tuple[float, float]],
) -> str:
    shown = [cell for cell in cells if cell.condition == condition]
    named = DECLARED if condition == "declared" else condition
    rows = [
        [
            entry.title,
            *(cell.entry(entry.name) for cell in shown),
            " + ".join(f"{mb:.0f}" for mb in memory[entry.name] if mb >= 1),
        ]
        for entry in CONTENDERS
        if entry.name in contenders
    ]
    return figures.markdown([named, *(cell.head for cell in shown), "peak MB"], rows)


def _describe(
    report: Report, plan: Plan, database: Database, contenders: dict[str, Resident]
) -> None:
    versions: dict[str, str] = {}
    for contender in contenders.values():
        versions |= contender.versions
    here = machine()
    about = {
        "database": database.described(),
        "versions": versions,
        "rows": list(plan.rows),
        "rounds": plan.rounds,
        "dbt_cli_rounds": plan.cli_rounds,
    }
    report.document["about"] = about
    words = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    report.add(
        f"A table of 40 columns; checks × rows. Median ms (minimum) and the multiple of "
        f"{OURS.title}'s median; {plan.rounds} rounds ({plan.cli_rounds} of `dbt test`) after one "
        "of warm-up, contenders in random order within each. Peak MB: the process + those that it "
        "starts.",
        f"{about['database']}; {words}; Python {here['python']}, {here['cores']} cores, "
        f"load before {report.load}.",
    )


def entry_names() -> list[str]:
    """The names by which contenders are chosen."""
    return [entry.name for entry in CONTENDERS]
