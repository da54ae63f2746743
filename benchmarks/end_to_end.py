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
        # Clean and dirty in turn.
        tables = sorted(expected, key=lambda name: name[::-1])
        say("starting the service")
        with open_service(database, plan.broker) as service:
            rules = rule_documents(work_of("clean", ROWS, CHECKS))
            for table in tables:
                service.api.configure(table, rules)
            _describe(report, plan, service, database.described())
            sender = Sender(service)
            # Every table once, so that nothing is compiled while it is measured.
            _deliver(service, sender, tables, len(tables), report, expected, plan)
            _throughput(report, plan, service, sender, tables, expected)
            _latency(report, plan, service, sender, tables, expected)
            _synchronous(report, plan, service, tables, expected)
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


def _throughput(
    report: Report,
    plan: Plan,
    service: Service,
    sender: Sender,
    tables: Sequence[str],
    expected: Mapping[str, str],
) -> None:
    rows, figures_of = [], {}
    kinds = {
        "one table": (tables[:1], False),
        f"{len(tables)} tables": (tables, False),
        f"{len(tables)} tables, nothing to share": (tables, True),
    }
    for kind, (chosen, scoped) in kinds.items():
        say(f"{plan.messages} messages at once: {kind}")
        before = service.metrics()
        done = _deliver(
            service, sender, chosen, plan.messages, report, expected, plan, scoped=scoped
        )
        grown = stages(before, service.metrics())
        if not done.stored:
            continue
        per_second = len(done.stored) / done.seconds
        runs = sum(stage.count for stage in grown if stage.name == ENGINE_RUNS)
        rows.append(
            [
                kind,
                str(len(done.stored)),
                f"{per_second:.0f}",
                f"{per_second * CHECKS:.0f}",
                str(runs),
            ]
        )
        figures_of[kind] = {
            "messages": len(done.stored),
            "seconds": done.seconds,
            "messages_per_s": per_second,
            "checks_per_s": per_second * CHECKS,
            "engine_runs": runs,
            "stages": [vars(stage) for stage in grown],
        }
    report.document["throughput"] = figures_of
    heads = ["as fast as possible", "messages", "messages/s", "checks/s a worker", "engine runs"]
    report.add(figures.markdown(heads, rows), _stage_table(kind, grown))


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


def _latency(
    report: Report,
    plan: Plan,
    service: Service,
    sender: Sender,
    tables: Sequence[str],
    expected: Mapping[str, str],
) -> None:
    rows, figures_of = [], {}
    for rate in plan.rates:
        count = round(rate * plan.rate_s)
        say(f"{rate} messages a second for {plan.rate_s:g} s")
        done = _deliver(service, sender, tables, count, report, expected, plan, per_second=rate)
        if not done.stored:
            continue
        figures_of[str(rate)] = _percentiles(done.latencies)
        rows.append([f"{rate} messages/s", str(len(done.stored)), *_shown(done.latencies)])
    report.document["latency"] = figures_of
    heads = ["message → stored result", "messages", "p50 ms", "p95 ms", "p99 ms", "max ms"]
    report.add(figures.markdown(heads, rows))


def _synchronous(
    report: Report,
    plan: Plan,
    service: Service,
    tables: Sequence[str],
    expected: Mapping[str, str],
) -> None:
    say(f"{plan.requests} synchronous checks over HTTP")
    seconds = []
    for place in range(plan.requests + len(tables)):
        table = tables[place % len(tables)]
        asked = {"connection": CONNECTION, "table": table, "mode": "sync"}
        began = time.perf_counter()
        check = service.api.call("POST", "/checks", asked)
        took = time.perf_counter() - began
        if check["status"] != expected[table]:
            report.faults.append(f"HTTP: {table} is {check['status']}, not {expected[table]}")
        if place >= len(tables):  # each table once to warm up
            seconds.append(took)
    report.document["synchronous"] = _percentiles(seconds)
    heads = ["POST /checks, sync, one after the other", "requests", "p50 ms", "p95 ms", "p99 ms"]
    report.add(
        figures.markdown(
            [*heads, "max ms"],
            [["keep-alive connection", str(len(seconds)), *_shown(seconds)]],
        )
    )


def _deliver(
    service: Service,
    sender: Sender,
    tables: Sequence[str],
    count: int,
    report: Report,
    expected: Mapping[str, str],
    plan: Plan,
    *,
    scoped: bool = False,
    per_second: float | None = None,
) -> Delivered:
    """Send, wait, and hold the verdicts against what they must be."""
    wanted = messages(tables, count, scoped=scoped)
    done = await_stored(service, sender.send(wanted, per_second=per_second), plan.limit_s)
    if done.lost:
        report.faults.append(
            f"{done.lost} of {count} messages have no result {plan.limit_s:g} s after the last"
        )
    wrong = [
        f"{message.table} is {done.statuses[message.id]}, not {expected[message.table]}"
        for message in wanted
        if done.statuses.get(message.id, expected[message.table]) != expected[message.table]
    ]
    report.faults += sorted(set(wrong))
    return done


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
