"""What a check of one day costs beside a check of the whole year, with an index on the day."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

import psycopg

from benchmarks import figures
from benchmarks.contenders.stringx import CONNECTION, engine_on
from benchmarks.database import SCHEMA, data_folder, open_database
from benchmarks.report import Report, machine, say
from quality.engine import Engine
from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet

DAYS = 365
FIRST = date(2025, 1, 1)
TABLE = f"{SCHEMA}.year"
RULES: tuple[dict[str, object], ...] = (
    *({"type": "not_null", "column": name} for name in ("id", "day", "kind", "amount", "hash")),
    {"type": "accepted_values", "column": "kind", "arguments": {"values": ["k0", "k1", "k2"]}},
    {"type": "unique", "column": "id"},
    {"type": "unique", "column": "hash"},
    {"type": "match_regex", "column": "hash", "arguments": {"regex": "^[0-9a-f]+$"}},
    {"type": "row_count_between", "arguments": {"min_value": 1}},
)


@dataclass(frozen=True)
class Plan:
    rows_a_day: int = 300
    rounds: int = 5


SIZES = {
    "small": Plan(),
    "medium": Plan(rows_a_day=3_000, rounds=7),
    "full": Plan(rows_a_day=30_000, rounds=7),
}


def measure(plan: Plan) -> Report:
    """Run the plan; a check that does not look at exactly its rows is a fault."""
    report = Report("A scope")
    with open_database() as database:
        say(f"a year of {plan.rows_a_day} rows a day")
        with psycopg.connect(database.url, autocommit=True) as connection:
            _make(connection, plan)
        folder = data_folder() / "scope"
        shutil.rmtree(folder, ignore_errors=True)
        engine = engine_on(database.target, folder)
        try:
            times = _measured(engine, plan, report)
        finally:
            engine.close()
        report.add(
            f"{len(RULES)} checks on {DAYS} days of {plan.rows_a_day} rows, an index on the day. "
            f"Medians of {plan.rounds} rounds after one of warm-up. {database.described()}; "
            f"{machine()['cores']} cores, load before {report.load}.",
            figures.markdown(["a check of", "rows", "ms"], _lines(times, plan)),
        )
    report.document["seconds"] = times
    return report


def _make(connection: psycopg.Connection[tuple[object, ...]], plan: Plan) -> None:
    connection.execute(f"drop table if exists {TABLE}")
    connection.execute(
        f"create table {TABLE} as select n as id, date '{FIRST}' + n / {plan.rows_a_day} as day,"
        " 'k' || n % 5 as kind, case when n % 97 = 0 then null else n % 1000 end as amount,"
        f" md5(n::text) as hash from generate_series(0, {DAYS * plan.rows_a_day - 1}) n"
    )
    connection.execute(f"create index on {TABLE} (day)")
    connection.execute(f"vacuum analyze {TABLE}")


def _measured(engine: Engine, plan: Plan, report: Report) -> dict[str, list[float]]:
    rules = tuple(Rule.model_validate(document) for document in RULES)
    rule_set = RuleSet(CONNECTION, TableName.parse(TABLE), rules)
    engine.compile(rule_set)
    times: dict[str, list[float]] = {"year": [], "day": []}
    for place in range(plan.rounds + 1):
        day = str(FIRST + timedelta(days=100 + place))
        for name, scope in (("year", ()), ("day", (Predicate(column="day", op="=", value=day),))):
            began = time.perf_counter()
            outcome = engine.run(rule_set, scope)
            times[name].append(time.perf_counter() - began)
            expected = plan.rows_a_day * (DAYS if name == "year" else 1)
            if outcome.results[0].rows_tested != expected:
                report.faults.append(f"{name}: looked at {outcome.results[0].rows_tested} rows")
    return {name: seconds[1:] for name, seconds in times.items()}


def _lines(times: dict[str, list[float]], plan: Plan) -> Sequence[Sequence[str]]:
    rows = {"year": DAYS * plan.rows_a_day, "day": plan.rows_a_day}
    lines = [[name, str(rows[name]), figures.milliseconds(median(times[name]))] for name in times]
    share = median(times["year"]) / median(times["day"])
    return [*lines, ["year / day", f"{DAYS}", figures.ratio(share)]]
