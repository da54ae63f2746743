"""How long a changed rule takes to be in force, with few tables configured and with many."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks import figures
from benchmarks.contenders.stringx import CONNECTION, engine_on, rule_documents
from benchmarks.data import make_copies, make_table, work_of
from benchmarks.database import Database, data_folder, open_database
from benchmarks.report import Report, machine, say
from benchmarks.service import Service, open_service
from benchmarks.traffic import Sender, await_stored, messages
from quality.engine import Engine
from quality.names import TableName
from quality.rules import Rule, RuleSet

ROWS = 100
CHECKS = 10
RULE = "changing"
LIMIT_S = 60.0
_LARGEST = 1000  # of the column's values
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Plan:
    """Numbers of configured tables, in rising order, and how often a rule is changed at each."""

    tables: Sequence[int] = (1, 10)
    changes: int = 3


SIZES = {
    "small": Plan(),
    "medium": Plan(tables=(1, 10, 100), changes=10),
    "full": Plan(tables=(1, 10, 100, 1_000), changes=20),
}


@dataclass(frozen=True)
class Change:
    """What the rule is set to, and the verdict that follows from it and from nothing earlier."""

    arguments: dict[str, object]
    expected: str


@dataclass(frozen=True)
class Timed:
    """Seconds from the change's request: until its answer, and until a check has used it."""

    answered: float
    in_force: float


def measure(plan: Plan) -> Report:
    """Run the plan; a change that is not in force within a minute is a fault."""
    report = Report("A changed rule")
    with open_database() as database:
        make_table(database.url, "clean", ROWS, say)
        tables = make_copies(database.url, "clean", ROWS, max(plan.tables))
        report.add(
            f"Each table has {CHECKS + 1} rules. Median ms (maximum) of {plan.changes} changes of "
            "one table's rule, from the PATCH at the API to the answer of the first check whose "
            "verdict follows from it (for Kafka: to the commit of its result, the message being "
            f"sent when the PATCH is answered). {database.described()}; "
            f"{machine()['cores']} cores, load before {report.load}.",
        )
        heads = ["configured tables", *map(str, plan.tables)]
        rows, document = _through_the_service(plan, database, tables, report)
        report.document["service"] = document
        compiled = _in_the_engine(plan, database, tables)
        report.document["engine"] = {"compile_s": compiled}
        rows.append(["`engine.compile` alone", *(_shown(times) for times in compiled.values())])
        report.add(figures.markdown(heads, rows))
    return report


def _through_the_service(
    plan: Plan, database: Database, tables: Sequence[str], report: Report
) -> tuple[list[list[str]], dict[str, object]]:
    kinds = ("PATCH answered", "in force over HTTP", "in force over Kafka", "a check, unchanged")
    rows = [[kind] for kind in kinds]
    document: dict[str, object] = {}
    with open_service(database) as service:
        sender = Sender(service)
        ids: list[int] = []
        for count in plan.tables:
            say(f"{count} configured tables")
            for table in tables[len(ids) : count]:
                ids.append(service.api.configure(table, _rules()))
            _use(service, sender, tables[0], ids[0], _nth(0), "HTTP", report)  # warm, both doors
            _use(service, sender, tables[0], ids[0], _nth(1), "Kafka", report)
            over = {
                door: [
                    _use(service, sender, tables[0], ids[0], _nth(place), door, report)
                    for place in range(plan.changes)
                ]
                for door in ("HTTP", "Kafka")
            }
            answered = [one.answered for timed in over.values() for one in timed]
            http, kafka = ([one.in_force for one in over[door]] for door in ("HTTP", "Kafka"))
            unchanged = [_seconds(_check, service, tables[0]) for _ in range(plan.changes)]
            measured = (answered, http, kafka, unchanged)
            for row, times in zip(rows, measured, strict=True):
                row.append(_shown(times))
            document[str(count)] = dict(zip(kinds, measured, strict=True))
    return rows, document


def _use(
    service: Service,
    sender: Sender,
    table: str,
    table_id: int,
    change: Change,
    door: str,
    report: Report,
) -> Timed:
    """Change the rule and check until the verdict follows from the change."""
    began = time.time()
    service.api.call("PATCH", f"/tables/{table_id}/rules/{RULE}", {"arguments": change.arguments})
    answered = time.time()
    while True:
        if door == "HTTP":
            status = _check(service, table)
            ended = time.time()
        else:
            done = await_stored(service, sender.send(messages([table], 1)), LIMIT_S)
            status = next(iter(done.statuses.values()), "")
            ended = next(iter(done.stored.values()), time.time())
        if status == change.expected:
            break
        if ended - began > LIMIT_S:
            report.faults.append(f"{door}: a change was not in force after {LIMIT_S:g} s")
            break
    return Timed(answered - began, ended - began)


def _check(service: Service, table: str) -> str:
    asked = {"connection": CONNECTION, "table": table, "mode": "sync"}
    return str(service.api.call("POST", "/checks", asked)["status"])


def _in_the_engine(plan: Plan, database: Database, tables: Sequence[str]) -> dict[int, list[float]]:
    """Seconds of each `compile` of a changed rule set, by number of compiled tables."""
    found = {}
    with _engine(database) as engine:
        compiled = 0
        for count in plan.tables:
            say(f"engine alone: {count} compiled tables")
            for table in tables[compiled:count]:
                engine.compile(_rule_set(table, _nth(0)))
            compiled = count
            changed = [_rule_set(tables[0], _nth(place)) for place in range(plan.changes)]
            found[count] = [_seconds(engine.compile, rule_set) for rule_set in changed]
    return found


@contextmanager
def _engine(database: Database) -> Iterator[Engine]:
    folder = data_folder() / "rule-change"
    shutil.rmtree(folder, ignore_errors=True)
    engine = engine_on(database.target, folder)
    try:
        yield engine
    finally:
        engine.close()


def _nth(place: int) -> Change:
    """Bounds that were never used before; the verdict alternates."""
    number = next(_numbers)
    if place % 2:
        return Change({"max_value": _LARGEST + number}, "pass")
    return Change({"min_value": -number, "max_value": 0}, "fail")


def _rules(change: Change | None = None) -> list[dict[str, object]]:
    changing: dict[str, object] = {
        "name": RULE,
        "type": "accepted_range",
        "column": "quantity_0",
        "arguments": (change or _nth(1)).arguments,
    }
    return [*rule_documents(work_of("clean", ROWS, CHECKS)), changing]


def _rule_set(table: str, change: Change) -> RuleSet:
    rules = tuple(Rule.model_validate(document) for document in _rules(change))
    return RuleSet(CONNECTION, TableName.parse(table), rules)


def _seconds(call: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began


def _shown(times: Sequence[float]) -> str:
    return f"{figures.milliseconds(median(times))} ({figures.milliseconds(max(times))})"
