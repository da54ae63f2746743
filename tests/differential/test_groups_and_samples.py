"""Rules of every type by groups, and with samples: the same as what rules narrowed to each group
say, and rows that are among those that fail."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet
from tests.differential.engine_side import EngineSide
from tests.differential.rule_types import CASES
from tests.differential.rules import RULES

TABLES = ("dirty", "nulls", "parted")
GROUPINGS = [("dirty", "kind"), ("dirty", "flag"), ("parted", "other"), ("nulls", "kind")]


def rule_set(table: str, **fields: Any) -> RuleSet:
    """Rules of all types that take these fields."""
    taken = []
    for number, text in enumerate([*RULES, *(case.rule for case in CASES)]):
        try:
            rule = Rule.model_validate({"name": f"r{number}", **text, **fields})
        except ValidationError:
            continue
        taken.append(rule)
    return RuleSet("demo", TableName("ruled", table), tuple(taken))


@pytest.mark.parametrize(("table", "by"), GROUPINGS)
def test_each_group_gets_the_verdict_of_a_narrowed_rule(
    table: str, by: str, engine_side: EngineSide
) -> None:
    rules = rule_set(table, group_by=[by])
    assert len(rules.rules) > 60
    outcome = engine_side.check(rules)
    assert outcome.error_code is None, outcome.error
    whole = RuleSet(
        "demo", rules.table, tuple(rule.model_copy(update={"group_by": ()}) for rule in rules.rules)
    )
    totals = engine_side.check(whole).results
    values = {group.group[by] for result in outcome.results for group in result.groups}
    narrowed = {
        value: engine_side.check(whole, [_condition(by, value)]).results for value in values
    }
    differing: list[str] = []
    for place, (found, total) in enumerate(zip(outcome.results, totals, strict=True)):
        if total.status == "error":
            if found.status != "error":
                differing.append(f"{rules.rules[place]}: the total is an error")
            continue
        for group in found.groups:
            alone = narrowed[group.group[by]][place]
            said = (group.status, group.failures, group.rows_tested)
            expected = (alone.status, alone.failures, alone.rows_tested)
            if said != expected and alone.status != "error":
                differing.append(f"{rules.rules[place]} {group.group}: {said}, alone {expected}")
        if found.status == "error":
            differing.append(f"{rules.rules[place]}: {found.message}")
        elif {group.group[by] for group in found.groups} != values:
            differing.append(f"{rules.rules[place]}: of {values} only {found.groups}")
    assert not differing, "\n".join(differing)


def _condition(column: str, value: str | None) -> Predicate:
    if value is None:
        return Predicate(column=column, op="is_null")
    return Predicate(column=column, op="=", value=value)


@pytest.mark.parametrize("table", TABLES)
def test_samples_are_rows_that_fail(table: str, engine_side: EngineSide, database: str) -> None:
    rules = rule_set(table, sample_limit=100)
    outcome = engine_side.check(rules)
    seen = 0
    with psycopg.connect(database) as connection:
        for result in outcome.results:
            if result.sample is None:
                continue
            seen += 1
            rows = result.sample.rows
            failing = result.failures if result.failing_rows is None else result.failing_rows
            assert 0 < len(rows) <= (failing or 0), result
            assert result.rows_tested is None or len(rows) <= result.rows_tested
            again = connection.execute(result.sample.sql.encode()).fetchall()
            assert sorted(map(str, again)) == sorted(map(str, rows)), result
    assert seen > 10
    off = engine_side.check(rule_set(table)).results
    assert [(r.status, r.failures) for r in off] == [
        (r.status, r.failures) for r in outcome.results
    ]


@pytest.mark.parametrize("table", TABLES)
def test_nothing_masked_is_shown(table: str, engine_side: EngineSide) -> None:
    columns = ["id", "name", "low", "high", "seen", "kind", "other", "flag", "day", "doc"]
    rules = rule_set(table, sample_limit=100, mask=[*columns, 'Odd "name"'])
    for result in engine_side.check(rules).results:
        cells = {cell for row in (result.sample.rows if result.sample else ()) for cell in row}
        assert cells <= {"***"}, result
