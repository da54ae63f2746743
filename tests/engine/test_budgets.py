"""Budgets: what would cost too much is left out, and left out is never a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quality.budgets import Budget
from quality.engine import EngineSettings
from quality.engine.plan import arranging
from quality.engine.planned import PlannedEngine
from quality.errors import ConfigurationError
from quality.settings import load
from tests.engine.conftest import Target, rule_set, where

EngineMaker = Callable[..., PlannedEngine]
KNOWN: dict[str, Any] = {"type": "not_null", "column": "id", "name": "known"}
SEEN: dict[str, Any] = {"type": "not_null", "column": "v", "name": "seen", "severity": "warn"}
JOINED: dict[str, Any] = {
    "type": "relationships",
    "column": "v",
    "arguments": {"to": "engine.costly", "field": "id"},
    "name": "joined",
}
ALL = rule_set("engine.costly", JOINED, KNOWN, SEEN)


@pytest.fixture(scope="module", autouse=True)
def tables(target: Target) -> None:
    target.execute(
        "create table engine.costly (id integer, v integer)",
        "insert into engine.costly select i, i from generate_series(1, 10000) i",
        "create index on engine.costly (id)",
        "analyze engine.costly",
        "create function engine.doze(i integer) returns integer language plpgsql stable as "
        "$$ begin perform pg_sleep(30); return i; end $$",
        "create view engine.drowsy as select 1 as id, engine.doze(1) as v",
    )


def said(engine: PlannedEngine, rules: Any = ALL, *scope: Any) -> dict[str, str]:
    outcome = engine.run(rules, scope)
    assert outcome.error_code is None
    for result in outcome.results:
        is_left_out = result.status == "skipped"
        assert is_left_out == str(result.message).startswith("over budget: ")
        assert is_left_out == result.is_left_out
    found = {result.rule: result.status for result in outcome.results}
    return {**found, "check": outcome.status}


def test_rows_that_a_filter_leaves_out_are_looked_at_as_well(new_engine: EngineMaker) -> None:
    rare = {**KNOWN, "where": [{"column": "v", "op": "=", "value": 7}]}
    rules = rule_set("engine.costly", rare)
    assert said(new_engine(budget_rows=5_000), rules)["known"] == "skipped"
    assert said(new_engine(budget_rows=15_000), rules)["known"] == "pass"
    indexed = {**KNOWN, "where": [{"column": "id", "op": "=", "value": 7}]}
    found = said(new_engine(budget_rows=5_000), rule_set("engine.costly", indexed))
    assert found["known"] == "pass"


@pytest.mark.parametrize("small_bytes", [arranging.SMALL_BYTES, 0])
def test_the_rows_are_spent_on_what_matters_and_costs_least(
    new_engine: EngineMaker, monkeypatch: pytest.MonkeyPatch, small_bytes: int
) -> None:
    """Two rules share one scan of 10,000 rows; the third reads the table twice."""
    monkeypatch.setattr(arranging, "SMALL_BYTES", small_bytes)
    all_pass = {"known": "pass", "seen": "pass", "joined": "pass", "check": "pass"}
    assert said(new_engine(budget_rows=1_000_000)) == all_pass
    assert said(new_engine(budget_rows=15_000)) == {
        "known": "pass",
        "seen": "pass",
        "joined": "skipped",
        "check": "error",
    }
    assert said(new_engine(budget_rows=5_000)) == {
        "known": "skipped",
        "seen": "skipped",
        "joined": "skipped",
        "check": "error",
    }


def test_a_scope_costs_what_it_leaves(new_engine: EngineMaker) -> None:
    engine = new_engine(budget_rows=5_000)
    rules = rule_set("engine.costly", KNOWN)
    assert said(engine, rules)["known"] == "skipped"
    assert said(engine, rules, where("id", "<", 100)) == {"known": "pass", "check": "pass"}


def test_a_failure_beside_what_was_left_out_is_a_failure(new_engine: EngineMaker) -> None:
    bad = {"type": "accepted_range", "column": "id", "arguments": {"max_value": 5}, "name": "bad"}
    found = said(new_engine(budget_rows=15_000), rule_set("engine.costly", bad, JOINED))
    assert found == {"bad": "fail", "joined": "skipped", "check": "fail"}


def test_a_connection_has_a_budget_of_its_own(new_engine: EngineMaker) -> None:
    target = ALL.connection
    generous = {target: {"rows": 1_000_000}, "elsewhere": {"rows": 1}}
    assert said(new_engine(budget_rows=5, connection_budgets=generous))["check"] == "pass"
    mean = {target: {"rows": 5, "queries": 1}}
    assert said(new_engine(connection_budgets=mean))["check"] == "error"


def test_who_asks_and_his_connection_can_only_have_less(new_engine: EngineMaker) -> None:
    def status(engine: PlannedEngine, **budget: Any) -> str:
        outcome = engine.run(ALL, budget=Budget(**budget))
        return str(outcome.status)

    assert status(new_engine(), rows=1_000_000) == "pass"
    assert status(new_engine(), rows=5, queries=1) == "error"
    mean = new_engine(budget_rows=5)
    assert status(mean) == status(mean, rows=1_000_000) == "error"
    assert status(new_engine(), queries=1, seconds=60.0) == "pass"


def test_the_least_of_two_budgets_holds() -> None:
    asked, limit = Budget(rows=10, seconds=5.0), Budget(rows=20, seconds=1.0, queries=2)
    assert asked.within(limit) == Budget(rows=10, seconds=1.0, queries=2)
    assert asked.within(Budget()) == Budget().within(asked) == asked
    assert asked.document() == {"rows": 10, "seconds": 5.0}


def test_time_over_budget_leaves_out_what_was_not_judged(new_engine: EngineMaker) -> None:
    engine = new_engine(budget_s=1.5)
    rules = rule_set("engine.drowsy", {"type": "not_null", "column": "v", "name": "slow"})
    engine.compile(rules)
    assert said(engine, rules) == {"slow": "skipped", "check": "error"}
    [result] = engine.run(rules).results
    assert result.message == "over budget: its 1.5 s were over before this rule was judged"


def test_budgets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRINGX_BUDGET_ROWS", "1000")
    monkeypatch.setenv("STRINGX_CONNECTION_BUDGETS", '{"demo": {"seconds": 2, "queries": 1}}')
    settings = load(EngineSettings)
    own, other = settings.budget("demo"), settings.budget("else")
    assert (own.rows, own.seconds, own.queries) == (1000, 2.0, 1)
    assert (other.rows, other.seconds, other.queries) == (1000, None, settings.queries_per_check)
    for wrong in ("{", '{"demo": {"row": 1}}', '{"demo": {"rows": 0}}', "[]"):
        monkeypatch.setenv("STRINGX_CONNECTION_BUDGETS", wrong)
        with pytest.raises(ConfigurationError, match="STRINGX_CONNECTION_BUDGETS"):
            load(EngineSettings)
