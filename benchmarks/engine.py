"""The engine beside everything else that could have checked the same table, in one run.

All contenders are resident and warm (but for the command line of dbt) and take turns: in each round
every one runs once, in an order drawn anew. The first round is a warm-up and is dropped.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
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
from benchmarks.verdicts import differences

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
    "small": Plan(
        rounds=3,
        cli_rounds=1,
        conditions=("dirty",),
        contenders=("stringx", "sql-fused", "sql-each", "soda", "dbt-4", "dbt-cli"),
    ),
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
    report.add(*(_table(condition, cells, contenders, memory) for condition in plan.conditions))
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
            started[entry.name] = resident

        def start(resident: Resident) -> None:
            resident.start(database.target)
            ending.callback(resident.stop)

        yield _side_by_side(started, start, "start", report)


def _side_by_side(
    contenders: dict[str, Resident], ask: Callable[[Resident], None], what: str, report: Report
) -> dict[str, Resident]:
    """Let all do something at the same time; those that did it. That another did not is a fault."""
    done = dict(contenders)
    for step in (ask, Resident.ready):
        for name, contender in list(done.items()):
            try:
                step(contender)
            except ContenderFailed as error:
                report.faults.append(f"{what}: {error}")
                del done[name]
    return done


def _cell(
    plan: Plan, database: Database, contenders: dict[str, Resident], report: Report, cell: Cell
) -> Cell:
    say(f"{cell.condition}, {cell.head}")
    work = work_of(cell.condition, cell.rows, cell.checks)
    truth = truth_of(database.url, cell.condition, cell.rows)
    where = f"{cell.condition} {cell.head}"
    playing = list(_side_by_side(contenders, lambda one: one.prepare(work), where, report))
    wrong: dict[str, None] = {}
    for turn in range(plan.rounds + 1):
        order = [name for name in playing if _takes_part(name, turn, plan)]
        random.shuffle(order)
        for name in order:
            try:
                run = contenders[name].run(work)
            except ContenderFailed as error:
                report.faults.append(f"{where}: {error}")
                playing.remove(name)
                continue
            for difference in differences(work, run.findings, truth):
                wrong[f"{where}: {contenders[name].name}: {difference}"] = None
            if turn:
                cell.seconds.setdefault(name, []).append(run.seconds)
    report.faults += wrong
    return cell


def _takes_part(name: str, turn: int, plan: Plan) -> bool:
    """A process for each run has nothing to warm up, and takes long."""
    return name != "dbt-cli" or 0 < turn <= plan.cli_rounds


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
