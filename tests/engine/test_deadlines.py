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
        "create function engine.dawdle(i integer) returns integer language plpgsql stable as "
        "$$ begin perform pg_sleep(1.5 * (i = 1)::integer); return nullif(i, 2) % 3; end $$",
        "create view engine.patient as select i as id, i % 2 as quick, nullif(i, 1) as gappy, "
        "engine.dawdle(i) as slow from generate_series(1, 4) i",
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


def test_without_any_rule_judged_all_are_left_to_be_judged(new_engine: EngineMaker) -> None:
    outcome = within(new_engine(), rule_set("engine.hesitant", not_null("slow")), 1.5)
    assert (outcome.status, outcome.error_code, outcome.late) == ("error", None, (0,))
    assert found(outcome) == {"slow": ("skipped", LATE)}


def test_what_the_deadline_left_is_judged_afterwards(new_engine: EngineMaker) -> None:
    """Only that: what was found before stays as it was found."""
    rules = rule_set(
        "engine.patient",
        not_null("slow", severity="warn"),
        not_null("gappy"),
        {"type": "unique", "column": "slow", "name": "unlike"},
        not_null("slow", name="known", is_shadow=True),
    )
    engine = new_engine()
    first = within(engine, rules, 1.0)
    assert first.late == (0, 2, 3)
    whole = engine.complete(rules, (), first)
    assert {name: status for name, (status, _) in found(whole).items()} == {
        "slow": "warn",
        "gappy": "fail",
        "unlike": "fail",
        "known": "fail",
    }
    assert (whole.status, whole.late, whole.results[1]) == ("fail", (), first.results[1])
    assert whole.counts == {"warn": 1, "fail": 2}
    assert (whole.started_at, whole.rule_set_hash) == (first.started_at, rules.hash)
    assert whole.duration_ms > first.duration_ms
    assert engine.complete(rules, (), whole) is whole


def test_percentages_are_completed_as_if_all_were_judged_at_once(new_engine: EngineMaker) -> None:
    rules = rule_set(
        "engine.patient",
        not_null("quick"),
        not_null("slow", name="percent", warn_if="> 20%", severity="warn"),
        not_null("gappy", name="share", warn_if="> 40%"),
    )
    engine = new_engine()
    first = within(engine, rules, 1.0)
    assert first.late == (1,)
    whole = engine.complete(rules, (), first)
    alone = engine.run(rules)
    assert found(whole) == found(alone)
    assert whole.status == alone.status


def test_what_cannot_be_judged_afterwards_either_is_an_error(new_engine: EngineMaker) -> None:
    rules = rule_set("engine.hesitant", not_null("slow", severity="warn"), not_null("gappy"))
    engine = new_engine()
    first = within(engine, rules, 1.5)
    whole = engine.complete(rules, (), first, time_limit_s=1.0)
    assert {name: status for name, (status, _) in found(whole).items()} == {
        "slow": "error",
        "gappy": "fail",
    }
    engine.close()
    closed = engine.complete(rules, (), first)
    assert found(closed)["slow"] == ("error", "engine: the engine is closed")
    assert (closed.status, closed.late, closed.results[1]) == ("error", (), first.results[1])


def test_what_is_over_budget_is_not_judged_afterwards(new_engine: EngineMaker) -> None:
    rules = rule_set(
        "engine.patient",
        not_null("gappy"),
        {"type": "unique", "column": "slow", "name": "unlike", "severity": "warn"},
        not_null("slow", severity="warn"),
    )
    engine = new_engine(budget_s=30.0)
    first = within(engine, rules, 1.0)
    assert len(first.late) > 0
    spent = first.model_copy(update={"duration_ms": 31_000.0})
    whole = engine.complete(rules, (), spent)
    over = [whole.results[place] for place in first.late]
    assert all(one.status == "skipped" and not one.is_late for one in over)
    assert all((one.message or "").startswith("over budget") for one in over)
    assert whole.late == ()
    assert engine.complete(rules, (), whole) is whole


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
