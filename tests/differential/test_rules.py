"""Rules of the catalogue through dbt itself, and through the engine."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from quality.catalogue import RULE_TYPES
from quality.engine import EngineSettings
from quality.engine.dbt.dbt import Dbt
from quality.predicates import Predicate
from tests.conftest import PROJECT
from tests.differential.comparing import JUDGED, verdict
from tests.differential.engine_side import EngineSide
from tests.differential.paths import EXPECTED, Paths
from tests.differential.rules import LEFT_ALONE, RULES, Check, checks

CHECKS = checks()


@pytest.fixture(scope="module")
def dbt(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    """dbt as the engine has it, asked for its own verdicts."""
    folder = tmp_path_factory.mktemp("rules")
    settings = EngineSettings(project_dir=PROJECT / "stringx", data_dir=folder)
    opened = Dbt(settings, environment)
    yield opened
    opened.close()


def test_every_rule_type_is_compared() -> None:
    assert {text["type"] for text in RULES} == set(RULE_TYPES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_rules_get_the_verdicts_of_dbt(
    check: Check, dbt: Dbt, engine_side: EngineSide, paths: Paths
) -> None:
    theirs = dbt.test(check.rule_set, check.scope, time.monotonic() + 120)
    assert len(theirs) == len(check.rule_set.rules)
    for how in ("first", "again"):
        outcome = engine_side.rules.run(check.rule_set, check.scope)
        assert outcome.error_code is None, outcome.error
        rules = zip(check.rule_set.rules, theirs, outcome.results, strict=True)
        differing = [
            f"{rule.type} {rule.column} {rule.arguments} {rule.warn_if} {rule.error_if}: dbt "
            f"{said['status']} {said['failures']}, the engine {how} {found.status} "
            f"{found.failures} by {found.path} ({found.proof}): {found.message}\n{found.sql}"
            for rule, said, found in rules
            if verdict(said["status"], said["failures"]) != verdict(found.status, found.failures)
        ]
        assert not differing, "\n".join(differing)
    unmeant = []
    for rule, found in zip(check.rule_set.rules, outcome.results, strict=True):
        paths.count(f"rule {rule.type}", found.status, found.path)
        meant = (*EXPECTED[rule.type], "constraint")
        if found.status in JUDGED and found.path not in meant and rule.column not in LEFT_ALONE:
            unmeant.append(f"{rule.type} {rule.column} {rule.arguments}: {found.path}")
    assert not unmeant, "\n".join(unmeant)


def test_a_scope_that_does_not_fit_is_an_error_for_both(dbt: Dbt, engine_side: EngineSide) -> None:
    check = next(check for check in CHECKS if check.name == "dirty")
    scope = (Predicate(column="id", op="=", value="one"),)
    theirs = dbt.test(check.rule_set, scope, time.monotonic() + 120)
    assert {said["status"] for said in theirs} == {"error"}
    outcome = engine_side.rules.run(check.rule_set, scope)
    assert (outcome.status, outcome.error_code) == ("error", "scope_rejected")
