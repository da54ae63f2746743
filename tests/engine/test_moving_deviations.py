"""Sums of days against the ones before them: in young tables, and where one jumps."""

from __future__ import annotations

from typing import Any

import pytest

from quality.checks import RuleResult
from quality.engine.planned import PlannedEngine
from tests.engine.conftest import Target, rule_set, where

AGES = range(3, 30)
"""How many days there are: 8 are one change since the week before, 15 enough to compare it with."""


@pytest.fixture(scope="module")
def days(target: Target) -> None:
    """Daily sums of 1000, 2 % more or less; `place` counts days back from yesterday, 1."""
    target.execute(
        "create table engine.daily as select current_date - place as day, place, "
        "1000 + 20 * sin(place * place)::numeric as plain, "
        "1000 * case when place = 1 then 2 else 1 end + 20 * sin(place * place)::numeric as jump, "
        "case when place = 15 then 0 else 1000 + 20 * sin(place * place)::numeric end as gone "
        "from generate_series(1, 30) place"
    )


def found(
    engine: PlannedEngine, column: str, ages: range, arguments: dict[str, Any]
) -> dict[int, RuleResult]:
    """The result for a table of each age."""
    rules = [
        {
            "type": "within_n_moving_stdevs",
            "column": column,
            "arguments": {"date_column": "day", "sigma_threshold": 5, **arguments},
            "where": [where("place", "<=", age).document()],
        }
        for age in ages
    ]
    outcome = engine.run(rule_set("engine.daily", *rules), time_limit_s=60)
    assert outcome.error_code is None, outcome.error
    return dict(zip(ages, outcome.results, strict=True))


def statuses(results: dict[int, RuleResult]) -> dict[int, str]:
    return {age: result.status for age, result in results.items()}


@pytest.mark.parametrize("take_logs", [True, False])
@pytest.mark.parametrize("lookback", [1, 2, 7])
def test_a_young_table_without_a_jump_passes(
    engine: PlannedEngine, days: None, lookback: int, take_logs: bool
) -> None:
    arguments = {"lookback_periods": lookback, "take_logs": take_logs}
    results = statuses(found(engine, "plain", AGES, arguments))
    assert set(results.values()) == {"pass"}, results


@pytest.mark.parametrize(("lookback", "enough"), [(1, 9), (7, 15)])
def test_a_jump_fails_as_soon_as_there_are_changes_to_compare_it_with(
    engine: PlannedEngine, days: None, lookback: int, enough: int
) -> None:
    results = found(engine, "jump", AGES, {"lookback_periods": lookback})
    assert statuses(results) == {age: "fail" if age >= enough else "pass" for age in AGES}
    assert {result.failures for age, result in results.items() if age >= enough} == {1}


def test_a_sum_of_0_is_compared_with(engine: PlannedEngine, days: None) -> None:
    """A day that is there and adds up to 0 is what the one a week later rose from."""
    arguments = {"lookback_periods": 7, "trend_periods": 6, "take_logs": False}
    [result] = found(engine, "gone", range(30, 31), arguments).values()
    assert (result.status, result.failures) == ("fail", 1)
