"""Deadlines: what matters most is judged in time, what is left is never a pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from quality.checks import CheckOutcome
from quality.engine.plan import arranging
from quality.engine.planned import PlannedEngine
from quality.rules import RuleSet
from tests.engine.conftest import Target, rule_set

EngineMaker = Callable[..., PlannedEngine]
LATE = "deadline: the time of the check was over before this rule was judged"


@pytest.fixture(scope="module", autouse=True)
def tables(target: Target) -> None:
    target.execute(
        # Said to be stable, so that only those wait who look at `slow`.
        "create function engine.nap(i integer) returns integer language plpgsql stable as "
        "$$ begin perform pg_sleep(30 * (i = 1)::integer); return i; end $$",
        "create view engine.hesitant as select i as id, i % 2 as quick, nullif(i, 1) as gappy, "
        "engine.nap(i) as slow from generate_series(1, 4) i",
        "create table engine.swift (id integer, v integer)",
        "insert into engine.swift values (1, 1), (2, null)",
    )


def found(outcome: CheckOutcome) -> dict[str, tuple[str, str | None]]:
    return {result.rule: (result.status, result.message) for result in outcome.results}


def within(engine: PlannedEngine, rules: RuleSet, deadline_s: float) -> CheckOutcome:
    """Checked by then, once the rules are compiled."""
    engine.compile(rules)
    return engine.run(rules, deadline_s=deadline_s)


def not_null(column: str, **more: Any) -> dict[str, Any]:
    return {"type": "not_null", "column": column, "name": column, **more}


def test_rules_that_can_fail_are_judged_before_those_that_warn(new_engine: EngineMaker) -> None:
    rules = rule_set("engine.hesitant", not_null("slow", severity="warn"), not_null("quick"))
    engine = new_engine()
    engine.compile(rules)
    started = time.monotonic()
    outcome = engine.run(rules, deadline_s=2.0)
    assert found(outcome) == {"slow": ("skipped", LATE), "quick": ("pass", None)}
    assert (outcome.status, outcome.error_code) == ("error", None)
    assert outcome.counts == {"pass": 1, "skipped": 1}
    late = outcome.results[0]
    assert (late.failures, late.failing_rows, late.rows_tested, late.measured) == (
        *(None, None, None),
        {},
    )
    assert time.monotonic() - started < 15  # and not the half minute


def test_a_failure_that_is_known_is_a_failure(new_engine: EngineMaker) -> None:
    rules = rule_set("engine.hesitant", not_null("slow", severity="warn"), not_null("gappy"))
    outcome = within(new_engine(), rules, 2.0)
    assert {name: status for name, (status, _) in found(outcome).items()} == {
        "slow": "skipped",
        "gappy": "fail",
    }
    assert outcome.status == "fail"


def test_cheap_rules_are_judged_before_dear_ones(new_engine: EngineMaker) -> None:
    """Both can fail: the one that shares a scan comes before the one that groups."""
    dear = {"type": "unique", "column": "slow", "name": "slow"}
    rules = rule_set("engine.hesitant", dear, not_null("quick"))
    outcome = within(new_engine(), rules, 2.0)
    assert found(outcome) == {"slow": ("skipped", LATE), "quick": ("pass", None)}


def test_percentages_and_groups_that_there_was_no_time_for_are_left_out(
    new_engine: EngineMaker,
) -> None:
    grouped = not_null("gappy", group_by=["slow"])
    rules = rule_set("engine.hesitant", not_null("quick"), grouped)
    outcome = within(new_engine(), rules, 2.0)
    assert found(outcome) == {"quick": ("pass", None), "gappy": ("skipped", LATE)}


def test_without_any_rule_judged_the_check_timed_out(new_engine: EngineMaker) -> None:
    outcome = within(new_engine(), rule_set("engine.hesitant", not_null("slow")), 1.5)
    assert (outcome.status, outcome.error_code, outcome.results) == ("error", "timeout", ())


def test_where_the_time_suffices_nothing_is_left_out(
    new_engine: EngineMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one message, and in stages on several connections."""
    rules = rule_set(
        "engine.swift",
        not_null("v", severity="warn"),
        {"type": "unique", "column": "id", "name": "id"},
        {"type": "row_count_between", "arguments": {"min_value": 1}, "name": "rows"},
        not_null("id", name="known", is_shadow=True),
    )
    expected = {"v": "warn", "id": "pass", "rows": "pass", "known": "pass"}
    for small_bytes in (arranging.SMALL_BYTES, 0):
        monkeypatch.setattr(arranging, "SMALL_BYTES", small_bytes)
        outcome = new_engine().run(rules, deadline_s=60.0)
        assert {name: status for name, (status, _) in found(outcome).items()} == expected
        assert outcome.status == "warn"


def test_a_deadline_beyond_the_time_limit_changes_nothing(new_engine: EngineMaker) -> None:
    rules = rule_set("engine.hesitant", not_null("slow"), not_null("quick"))
    engine = new_engine()
    engine.compile(rules)
    outcome = engine.run(rules, time_limit_s=1.5, deadline_s=60.0)
    assert outcome.status == "error"
    assert all(status == "error" for status, _ in found(outcome).values())
