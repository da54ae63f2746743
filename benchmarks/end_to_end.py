"""From a Kafka message to the stored result, and from an HTTP request to its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import figures
from benchmarks.contenders.stringx import CONNECTION, rule_documents
from benchmarks.data import make_copies, make_table, work_of
from benchmarks.database import open_database
from benchmarks.report import Report, machine, say
from benchmarks.service import BrokerName, Service, open_service
from benchmarks.stages import Stage, stages
from benchmarks.traffic import Delivered, Sender, await_stored, messages

ROWS = 1_000
CHECKS = 10
ENGINE_RUNS = "stringx_engine_duration_seconds"
PERCENTILES = ("p50 ms", "p95 ms", "p99 ms", "max ms")


@dataclass(frozen=True)
class Plan:
    """What to measure; `tables` are half clean, half dirty."""

    broker: BrokerName = "embedded"
    tables: int = 20
    messages: int = 400
    rates: Sequence[int] = (50,)
    rate_s: float = 4.0
    requests: int = 100
    limit_s: float = 90.0


SIZES = {
    "small": Plan(tables=10),
    "medium": Plan(messages=2_000, rates=(50, 100), rate_s=15, requests=500),
    "full": Plan(messages=10_000, rates=(50, 100, 200), rate_s=60, requests=2_000, limit_s=600),
}


def measure(plan: Plan) -> Report:
    """Run the plan; a lost message or a wrong verdict is a fault."""
    report = Report("End to end")
    with open_database() as database:
        expected: dict[str, str] = {}
        for condition in ("clean", "dirty"):
            make_table(database.url, condition, ROWS, say)
            names = make_copies(database.url, condition, ROWS, plan.tables // 2)
            expected |= dict.fromkeys(names, "pass" if condition == "clean" else "fail")
        say("starting the service")
        with open_service(database, plan.broker) as service:
            rules = rule_documents(work_of("clean", ROWS, CHECKS))
            for table in expected:
                service.api.configure(table, rules)
            _describe(report, plan, service, database.described())
            phases = _Phases(plan, report, service, Sender(service), expected)
            # Every table once, so that nothing is compiled while it is measured.
            phases.deliver(phases.tables, len(phases.tables))
            phases.throughput()
            phases.latency()
            phases.synchronous()
    return report


def _describe(report: Report, plan: Plan, service: Service, database: str) -> None:
    here = machine()
    report.document["about"] = {"database": database, "broker": service.broker}
    report.add(
        f"{plan.tables} tables of {ROWS} rows with {CHECKS} rules each; one API process, one "
        f"consumer, {service.broker}, the service's own database and the target on one PostgreSQL, "
        f"everything on {here['cores']} cores. A message's time ends with the commit of its "
        "result (commit timestamp of PostgreSQL, the same clock as the producer's).",
        f"{database}; Python {here['python']}; load before {report.load}.",
    )


@dataclass(frozen=True)
class _Phases:
    """What is measured with one running service; `expected` has the verdict of each table."""

    plan: Plan
    report: Report
    service: Service
    sender: Sender
    expected: Mapping[str, str]

    @property
    def tables(self) -> list[str]:
        """Clean and dirty ones in turn."""
        return sorted(self.expected, key=lambda name: name[::-1])

    def throughput(self) -> None:
        """All messages at once."""
        rows, document = [], {}
        many = f"{len(self.tables)} tables"
        for kind, tables, scoped in (
            ("one table", self.tables[:1], False),
            (many, self.tables, False),
            (f"{many}, nothing to share", self.tables, True),
        ):
            say(f"{self.plan.messages} messages at once: {kind}")
            before = self.service.metrics()
            done = self.deliver(tables, self.plan.messages, scoped=scoped)
            grown = stages(before, self.service.metrics())
            if not done.stored:
                continue
            rate = len(done.stored) / done.seconds
            runs = sum(stage.count for stage in grown if stage.name == ENGINE_RUNS)
            shown = (len(done.stored), round(rate), round(rate * CHECKS), runs)
            rows.append([kind, *map(str, shown)])
            document[kind] = {
                "messages": len(done.stored),
                "seconds": done.seconds,
                "messages_per_s": rate,
                "checks_per_s": rate * CHECKS,
                "engine_runs": runs,
                "stages": [vars(stage) for stage in grown],
            }
        self.report.document["throughput"] = document
        heads = ["as fast as possible", "messages", "messages/s", "checks/s a worker"]
        self.report.add(figures.markdown([*heads, "engine runs"], rows), _stage_table(kind, grown))

    def latency(self) -> None:
        """Messages at a steady rate."""
        rows, document = [], {}
        for rate in self.plan.rates:
            count = round(rate * self.plan.rate_s)
            say(f"{rate} messages a second for {self.plan.rate_s:g} s")
            done = self.deliver(self.tables, count, per_second=rate)
            if done.stored:
                document[str(rate)] = _percentiles(done.latencies)
                rows.append([f"{rate} messages/s", str(len(done.stored)), *_shown(done.latencies)])
        self.report.document["latency"] = document
        heads = ["message → stored result", "messages", *PERCENTILES]
        self.report.add(figures.markdown(heads, rows))

    def synchronous(self) -> None:
        """Checks over HTTP, one after the other."""
        say(f"{self.plan.requests} synchronous checks over HTTP")
        seconds = []
        for place in range(-len(self.tables), self.plan.requests):  # each table once to warm up
            table = self.tables[place % len(self.tables)]
            asked = {"connection": CONNECTION, "table": table, "mode": "sync"}
            began = time.perf_counter()
            check = self.service.api.call("POST", "/checks", asked)
            took = time.perf_counter() - began
            self._hold(table, check["status"], "over HTTP")
            if place >= 0:
                seconds.append(took)
        self.report.document["synchronous"] = _percentiles(seconds)
        heads = ["POST /checks, sync, one after the other", "requests", *PERCENTILES]
        row = ["keep-alive connection", str(len(seconds)), *_shown(seconds)]
        self.report.add(figures.markdown(heads, [row]))

    def deliver(
        self,
        tables: Sequence[str],
        count: int,
        *,
        scoped: bool = False,
        per_second: float | None = None,
    ) -> Delivered:
        """Send, wait, and hold the verdicts against what they must be."""
        wanted = messages(tables, count, scoped=scoped)
        produced = self.sender.send(wanted, per_second=per_second)
        done = await_stored(self.service, produced, self.plan.limit_s)
        if done.lost:
            limit = f"{self.plan.limit_s:g} s after the last"
            self.report.faults.append(f"{done.lost} of {count} messages have no result {limit}")
        for message in wanted:
            if message.id in done.statuses:
                self._hold(message.table, done.statuses[message.id], "over Kafka")
        return done

    def _hold(self, table: str, status: str, door: str) -> None:
        """A wrong verdict is a fault, said once for each table and door."""
        fault = f"{table} is {status} {door}, not {self.expected[table]}"
        if status != self.expected[table] and fault not in self.report.faults:
            self.report.faults.append(fault)


def _stage_table(kind: str, grown: Sequence[Stage]) -> str:
    """What the processes' own histograms say of a phase; seconds only."""
    rows = [
        [
            f"{stage.process}: {stage.name.removeprefix('stringx_')} {stage.labels}".strip(),
            str(stage.count),
            figures.milliseconds(stage.mean),
            f"{stage.total:.2f}",
        ]
        for stage in grown
        if "seconds" in stage.name and "/metrics" not in stage.labels
    ]
    return figures.markdown([f"stages ({kind})", "times", "mean ms", "sum s"], rows)


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "count": len(seconds),
        "p50_s": median(seconds),
        "p95_s": figures.at_percent(seconds, 95),
        "p99_s": figures.at_percent(seconds, 99),
        "max_s": max(seconds),
    }


def _shown(seconds: Sequence[float]) -> list[str]:
    found = _percentiles(seconds)
    return [figures.milliseconds(found[name]) for name in ("p50_s", "p95_s", "p99_s", "max_s")]
