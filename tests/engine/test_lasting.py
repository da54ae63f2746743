"""What a CHECK proves today must still be true tomorrow."""

from __future__ import annotations

from typing import Any

import pytest

from quality.engine.planned import PlannedEngine
from quality.engine.target.catalogue import Facts
from quality.engine.target.meaning import functions_in, is_lasting
from tests.engine.conftest import Target, rule_set

TYPES = {
    "n": "int4", "word": "text", "price": "numeric", "day": "date", "at": "timestamp",
    "then": "timestamptz", "place": "regclass", "text": "date",
}  # fmt: skip
FACTS = Facts(
    oid=1,
    database="demo",
    kind="r",
    version=180000,
    row_security=False,
    columns={name: number for number, name in enumerate([*TYPES, "kind"])},
    types=TYPES,
)
LASTING = (
    '"n" < 1', "n not in (1, 2)", '"word" not in (\'today\', \'1.2.2026\')', "n < '10'",
    "\"day\" < '2026-11-22'", "at < '2026-11-22 10:00' or at is null", "n between 1 and 5",
    "not (price > 0.5 and word like 'a%')", "day < day", '"then" < "then"', "'a' = 'b'",
)  # fmt: skip
FLEETING = (
    "\"day\" < 'today'", "day < '1.2.2026'", "at < 'now'", "at < '2026-11-22 10:00+01'",
    "\"then\" < '2026-11-22'", "kind not in ('a')", "place <> 'x'", "'x'::regclass = 1",
    "word::date < 'today'", "day < '2026-11-22' or word = 'today'", "text < 'today'",
    "unknown < 'a'", "n < 'a'::mood", "not ('today'::word > 'a')", "word 'today' > word",
)  # fmt: skip


@pytest.mark.parametrize("expression", LASTING)
def test_what_means_the_same_for_good(expression: str) -> None:
    assert is_lasting(["n > 0", expression], FACTS)


@pytest.mark.parametrize("expression", FLEETING)
def test_what_may_mean_something_else_tomorrow(expression: str) -> None:
    assert not is_lasting(["n > 0", expression], FACTS)


def test_functions_are_found_in_all_expressions() -> None:
    found = functions_in(["n > 0", "lower(word) = 'a'", 'my."Odd"(n) or n in (1)'])
    assert found == {"lower", "Odd"}
    assert functions_in(['"in"(n) > 0 and not (n = any (array[1]))']) == {"in"}


def ways(engine: PlannedEngine, table: str, *rules: dict[str, Any]) -> list[tuple[str, str | None]]:
    outcome = engine.run(rule_set(table, *rules))
    assert outcome.error_code is None, outcome.error
    return [(result.status, result.path) for result in outcome.results]


def test_a_moment_proves_nothing_for_tomorrow(engine: PlannedEngine, target: Target) -> None:
    later = target.value("select (current_date + 2)::text")
    target.execute(
        f"create table engine.dated (day date check (day >= '{later}'))",
        f"insert into engine.dated values ('{later}')",
    )
    ranges = [
        {"type": "accepted_range", "column": "day", "arguments": {"min_value": bound}}
        for bound in ("today", later, "2020-01-01")
    ]
    proved = ("pass", "constraint")
    assert ways(engine, "engine.dated", *ranges) == [("pass", "scan"), proved, proved]


def test_labels_of_an_enum_that_are_swapped_are_seen(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        "create type engine.temper as enum ('glad', 'sad', 'mad')",
        "create table engine.moods (mood engine.temper check (mood <= 'sad'))",
        "insert into engine.moods values ('glad'), ('sad')",
    )
    ranged = {"type": "accepted_range", "column": "mood", "arguments": {"max_value": "sad"}}
    assert ways(engine, "engine.moods", ranged) == [("pass", "scan")]
    target.execute(
        "alter type engine.temper rename value 'sad' to 'low'",
        "alter type engine.temper rename value 'glad' to 'sad'",
    )
    assert ways(engine, "engine.moods", ranged) == [("fail", "scan")]
