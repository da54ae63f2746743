"""What the processes hold in memory over many checks, and whether it stays so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import linear_regression, mean

from benchmarks import figures
from benchmarks.contenders.stringx import CONNECTION, rule_documents
from benchmarks.data import make_copies, make_table, work_of
from benchmarks.database import open_database
from benchmarks.processes import command, descendants, resident_mb
from benchmarks.report import Report, say
from benchmarks.service import Service, open_service
from benchmarks.traffic import Sender, await_stored, messages

ROWS = 1_000
CHECKS = 10
SAMPLES = 20
FLAT_SHARE = 0.02
FLAT_MB = 2.0
_DBT = re.compile(r"-m \S*dbt")


@dataclass(frozen=True)
class Plan:
    """How many checks: half over HTTP, half over Kafka."""

    checks: int = 500
    tables: int = 5
    limit_s: float = 120.0


SIZES = {"small": Plan(), "medium": Plan(2_000, 20), "full": Plan(10_000, 20)}


@dataclass
class Series:
    """One process's memory after so many checks."""

    checks: list[int] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)

    @property
    def growth_mb(self) -> float:
        """Of a straight line through the second half of the samples, over that half."""
        half = len(self.checks) // 2
        checks, mb = self.checks[half:], self.mb[half:]
        return linear_regression(checks, mb).slope * (checks[-1] - checks[0])

    @property
    def is_flat(self) -> bool:
        """Whether it grew by less than 2 % or 2 MB over the second half."""
        half = len(self.mb) // 2
        return self.growth_mb <= max(FLAT_MB, FLAT_SHARE * mean(self.mb[half:]))


def measure(plan: Plan) -> Report:
    """Run the plan; growth is shown, not judged."""
    report = Report("Memory")
    with open_database() as database:
        make_table(database.url, "clean", ROWS, say)
        tables = make_copies(database.url, "clean", ROWS, plan.tables)
        with open_service(database) as service:
            rules = rule_documents(work_of("clean", ROWS, CHECKS))
            for table in tables:
                service.api.configure(table, rules)
            series = _drive(plan, service, tables, report)
    rows = [
        [
            name,
            f"{one.mb[0]:.0f}",
            f"{one.mb[len(one.mb) // 2]:.0f}",
            f"{one.mb[-1]:.0f}",
            f"{max(one.mb):.0f}",
            f"{one.growth_mb:+.1f}",
            "flat" if one.is_flat else "grows",
        ]
        for name, one in series.items()
    ]
    report.document["series"] = {
        name: {**vars(one), "growth_mb": one.growth_mb, "flat": one.is_flat}
        for name, one in series.items()
    }
    report.add(
        f"{plan.checks} checks of {CHECKS} rules on {plan.tables} tables of {ROWS} rows, half by "
        "HTTP, half by Kafka, in turn; resident MB. Growth is that of a straight line through the "
        f"second half; flat: at most {FLAT_MB:g} MB or {FLAT_SHARE:.0%}.",
        figures.markdown(
            ["process", "at first", "half-way", "at last", "most", "growth", ""], rows
        ),
    )
    return report


def _drive(
    plan: Plan, service: Service, tables: Sequence[str], report: Report
) -> dict[str, Series]:
    series: dict[str, Series] = {}
    sender = Sender(service)
    each = max(1, plan.checks // SAMPLES // 2)
    for sample in range(SAMPLES + 1):
        if sample % 5 == 0:
            say(f"{sample * each * 2} checks")
        if sample:
            for place in range(each):
                table = tables[place % len(tables)]
                asked = {"connection": CONNECTION, "table": table, "mode": "sync"}
                service.api.call("POST", "/checks", asked)
            done = await_stored(service, sender.send(messages(tables, each)), plan.limit_s)
            if done.lost:
                report.faults.append(f"{done.lost} messages have no result")
        for name, mb in _now(service).items():
            one = series.setdefault(name, Series())
            one.checks.append(sample * each * 2)
            one.mb.append(mb)
    return {name: one for name, one in series.items() if len(one.mb) > SAMPLES // 2}


def _now(service: Service) -> dict[str, float]:
    """Resident MB by process; of the API's (granian's two) the larger, which does the work."""
    found: dict[str, float] = {}
    for name, pid in (("API", service.api_process.pid), ("consumer", service.consumer.pid)):
        for one in (pid, *descendants(pid)):
            label = f"{name}'s dbt" if _DBT.search(command(one)) else name
            found[label] = max(found.get(label, 0.0), resident_mb(one))
    return found
