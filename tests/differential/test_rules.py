"""Rules of the catalogue through dbt itself, and through the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest

from quality.catalogue import RULE_TYPES
from quality.predicates import Predicate
from tests.differential.comparing import JUDGED, verdict
from tests.differential.engine_side import EngineSide
from tests.differential.paths import Paths, ways
from tests.differential.rules import LEFT_ALONE, Check, checks

CHECKS = checks()


@pytest.fixture(scope="module")
def said_by_dbt(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[dict[str, Any]]]]]:
    """What dbt says of each check, asked of two more processes while the engine works."""
    idle: SimpleQueue[EngineSide] = SimpleQueue()
    processes = [EngineSide(environment, tmp_path_factory.mktemp("rules")) for _ in range(2)]

    def ask(check: Check) -> list[dict[str, Any]]:
        process = idle.get()
        try:
            return process.verdicts_of_dbt(check.rule_set, check.scope)
        finally:
            idle.put(process)

    with ThreadPoolExecutor(len(processes)) as pool:
        for process in processes:
            idle.put(process)
        yield {check.name: pool.submit(ask, check) for check in CHECKS}
        pool.shutdown(cancel_futures=True)
    for process in processes:
        process.close()


def test_every_rule_type_is_compared() -> None:
    compared = {rule.type for check in CHECKS for rule in check.rule_set.rules}
    assert compared == {name for name, entry in RULE_TYPES.items() if entry.category != "H"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_rules_get_the_verdicts_of_dbt(
    check: Check,
    said_by_dbt: Mapping[str, Future[list[dict[str, Any]]]],
    engine_side: EngineSide,
    paths: Paths,
) -> None:
    outcomes = {
        how: engine_side.check(check.rule_set, check.scope, large=how == "as a large table")
        for how in ("first", "as a large table", "again")
    }
    theirs = said_by_dbt[check.name].result(timeout=240)
    assert len(theirs) == len(check.rule_set.rules)
    for how, outcome in outcomes.items():
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
    for rule, found in zip(check.rule_set.rules, outcomes["again"].results, strict=True):
        paths.count(f"rule {rule.type}", found.status, found.path)
        meant = (*ways(rule.rule_type, rule.arguments), "constraint")
        if found.status in JUDGED and found.path not in meant and rule.column not in LEFT_ALONE:
            unmeant.append(f"{rule.type} {rule.column} {rule.arguments}: {found.path}")
    assert not unmeant, "\n".join(unmeant)


def test_a_scope_that_does_not_fit_is_an_error_for_both(engine_side: EngineSide) -> None:
    check = next(check for check in CHECKS if check.name == "dirty")
    scope = (Predicate(column="id", op="=", value="one"),)
    theirs = engine_side.verdicts_of_dbt(check.rule_set, scope)
    assert {said["status"] for said in theirs} == {"error"}
    outcome = engine_side.check(check.rule_set, scope)
    assert (outcome.status, outcome.error_code) == ("error", "scope_rejected")
