"""Rules with group_by: a result for each group, and the worst of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quality.checks import RuleResult
from quality.engine.planned import PlannedEngine
from quality.errors import InvalidInput
from tests.engine.conftest import Target, rule_set, where

Found = list[tuple[str | None, str, int | None, int | None, int | None]]


@pytest.fixture(scope="module")
def sales(target: Target) -> str:
    """Shops a (10 rows), b (20), c (30) and NULL (1).

    v is NULL in 2 of a, 10 of b. k stands twice within b for 2 keys, and once in a and c each.
    """
    target.execute(
        "create table engine.sales (id integer primary key, shop text, day date, v integer,"
        " k integer, w text, j json)",
        "insert into engine.sales select i, case when i <= 10 then 'a' when i <= 30 then 'b'"
        " when i <= 60 then 'c' end, date '2026-01-01' + i % 2,"
        " case when i in (1, 2) or i between 11 and 20 then null else i end,"
        " case when i in (5, 31) then 999 when i between 11 and 14 then 11 + i % 2 else i end,"
        " case when i % 10 = 0 then 'bad' when i % 10 <> 1 then 'ok' end"
        " from generate_series(1, 61) i",
        "create table engine.sales_parent as select generate_series(1, 55) as id",
    )
    return "engine.sales"


def groups(result: RuleResult) -> Found:
    return [
        (
            group.group.get("shop"),
            *(group.status, group.failures, group.failing_rows, group.rows_tested),
        )
        for group in result.groups
    ]


NOT_NULL = {"type": "not_null", "column": "v", "group_by": ["shop"]}
PARENT = {"to": "engine.sales_parent", "field": "id"}
CASES: dict[str, tuple[dict[str, Any], Found]] = {
    "rows": (
        NOT_NULL,
        [
            ("b", "fail", 10, 10, 20),
            ("a", "fail", 2, 2, 10),
            ("c", "pass", 0, 0, 30),
            (None, "pass", 0, 0, 1),
        ],
    ),
    "rows, by their share": (
        {**NOT_NULL, "error_if": ">= 50%", "warn_if": ">= 20%"},
        [
            ("b", "fail", 10, 10, 20),
            ("a", "warn", 2, 2, 10),
            ("c", "pass", 0, 0, 30),
            (None, "pass", 0, 0, 1),
        ],
    ),
    "values": (
        {
            "type": "accepted_values",
            "column": "w",
            "group_by": ["shop"],
            "arguments": {"values": ["ok"]},
            "where": [{"column": "id", "op": "<", "value": 61}],
        },
        [("c", "fail", 1, 3, 30), ("b", "fail", 1, 2, 20), ("a", "fail", 1, 1, 10)],
    ),
    "duplicates": (
        {"type": "unique", "column": "k", "group_by": ["shop"]},
        [
            ("b", "fail", 2, 4, 20),
            ("a", "pass", 0, 0, 10),
            ("c", "pass", 0, 0, 30),
            (None, "pass", 0, 0, 1),
        ],
    ),
    "duplicates of several": (
        {
            "type": "unique_combination_of_columns",
            "arguments": {"columns": ["v", "day"]},
            "group_by": ["shop"],
        },
        [
            ("b", "fail", 2, 10, 20),
            ("a", "pass", 0, 0, 10),
            ("c", "pass", 0, 0, 30),
            (None, "pass", 0, 0, 1),
        ],
    ),
    "orphans": (
        {"type": "relationships", "column": "id", "arguments": PARENT, "group_by": ["shop"]},
        [
            ("c", "fail", 5, 5, 30),
            (None, "fail", 1, 1, 1),
            ("a", "pass", 0, 0, 10),
            ("b", "pass", 0, 0, 20),
        ],
    ),
    "aggregates": (
        {"type": "row_count_between", "arguments": {"min_value": 10}, "group_by": ["shop"]},
        [
            (None, "fail", 1, None, 1),
            ("a", "pass", 0, None, 10),
            ("b", "pass", 0, None, 20),
            ("c", "pass", 0, None, 30),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_group_is_judged(engine: PlannedEngine, sales: str, name: str) -> None:
    rule, expected = CASES[name]
    (result,) = engine.run(rule_set(sales, rule)).results
    assert result.status == "fail", result.message
    assert groups(result) == expected
    assert result.groups_left_out == 0


def test_rules_together_say_what_they_say_alone(engine: PlannedEngine, sales: str) -> None:
    outcome = engine.run(rule_set(sales, *(rule for rule, _ in CASES.values())))
    for result, (_, expected) in zip(outcome.results, CASES.values(), strict=True):
        assert groups(result) == expected


def test_groups_are_what_a_where_of_each_would_say(engine: PlannedEngine, sales: str) -> None:
    """The same as rules that are narrowed to a group each, on dbt's own SQL."""
    for rule, expected in CASES.values():
        alone = {**rule, "group_by": [], "where": rule.get("where", [])}
        for shop, status, failures, _, tested in expected:
            scope = where("shop", "is_null") if shop is None else where("shop", "=", shop)
            (result,) = engine.run(rule_set(sales, alone), (scope,)).results
            assert (result.status, result.failures, result.rows_tested) == (
                status,
                failures,
                tested,
            )


def test_group_can_fail_where_the_total_passes(engine: PlannedEngine, sales: str) -> None:
    rule = {**NOT_NULL, "error_if": ">= 40%", "warn_if": ">= 40%"}
    (result,) = engine.run(rule_set(sales, rule)).results
    assert (result.status, result.failures, result.rows_tested) == ("fail", 12, 61)
    assert result.message == "Got 10 in the group shop = b, configured to fail if >= 40%"
    (alone,) = engine.run(rule_set(sales, {**rule, "group_by": []})).results
    assert alone.status == "pass"


def test_scope_and_several_columns(engine: PlannedEngine, sales: str) -> None:
    rule = {**NOT_NULL, "group_by": ["shop", "day"]}
    (result,) = engine.run(rule_set(sales, rule), (where("shop", "=", "b"),)).results
    assert [(found.group, found.failures) for found in result.groups] == [
        ({"shop": "b", "day": "2026-01-01"}, 5),
        ({"shop": "b", "day": "2026-01-02"}, 5),
    ]


def test_as_many_groups_as_may_be_the_worst_first(
    new_engine: Callable[..., PlannedEngine], sales: str
) -> None:
    engine = new_engine(max_groups=2)
    outcome = engine.run(
        rule_set(
            sales,
            NOT_NULL,
            CASES["duplicates"][0],
            CASES["orphans"][0],
            {**NOT_NULL, "where": [{"column": "shop", "op": "=", "value": "a"}]},
        )
    )
    assert [[group[0] for group in groups(result)] for result in outcome.results] == [
        *(["b", "a"], ["b", "a"], ["c", None], ["a"])
    ]
    assert [result.groups_left_out for result in outcome.results] == [2, 2, 2, 0]


def test_empty_table_has_no_groups(engine: PlannedEngine, sales: str) -> None:
    (result,) = engine.run(rule_set(sales, NOT_NULL), (where("id", "<", 0),)).results
    assert (result.status, result.groups, result.groups_left_out) == ("pass", (), 0)


def test_hostile_group_values_are_values(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        'create table engine.odd (id integer, "we ird"" g" text)',
        r"insert into engine.odd values (1, 'it''s'), (null, E'b\\s'), (null, '{{ x }}'), (1, '')",
    )
    rule = {"type": "not_null", "column": "id", "group_by": ['we ird" g']}
    (result,) = engine.run(rule_set("engine.odd", rule)).results
    assert [(next(iter(found.group.values())), found.failures) for found in result.groups] == [
        *(("b\\s", 1), ("{{ x }}", 1), ("", 0), ("it's", 0))
    ]


def test_column_that_cannot_be_grouped_by_is_refused(engine: PlannedEngine, sales: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        engine.compile(rule_set(sales, NOT_NULL, {**NOT_NULL, "group_by": ["j"]}))
    (fault,) = caught.value.faults
    assert (fault.path, fault.code) == ("rules[1].group_by", "group_by_rejected")
    assert "json" in fault.message
    (result,) = engine.run(rule_set(sales, {**NOT_NULL, "group_by": ["j"]})).results
    assert result.status == "error"
    assert "group_by" in (result.message or "")


MEDIAN = {"type": "median_between", "column": "v", "arguments": {"max_value": 10}}


def test_what_was_not_looked_at_is_no_pass(
    new_engine: Callable[..., PlannedEngine], target: Target
) -> None:
    target.execute(
        "create table engine.stores (shop integer, v integer)",
        "insert into engine.stores select 1, 1 from generate_series(1, 9)",
        "insert into engine.stores values (2, 2), (2, 2), (3, 99)",
    )
    rule = {**MEDIAN, "group_by": ["shop"]}
    outcome = new_engine(max_groups=2).run(rule_set("engine.stores", rule))
    (result,) = outcome.results
    assert result.status == "error"
    assert "1 groups more than STRINGX_MAX_GROUPS were not looked at" in str(result.message)
    (result,) = new_engine(max_groups=3).run(rule_set("engine.stores", rule)).results
    assert result.status == "fail"
    target.execute("update engine.stores set v = 99 where shop = 2")
    (result,) = new_engine(max_groups=2).run(rule_set("engine.stores", rule)).results
    assert (result.status, result.groups_left_out) == ("fail", 1)


def test_values_that_are_equal_are_one_group_however_they_are_written(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create type engine.kind_and_word as (a numeric, b text)",
        "create table engine.written (g numeric, h interval, i engine.kind_and_word, j char(3),"
        " k float8, l regclass, m bit(4), n text[], o varchar(5), v integer)",
        "insert into engine.written values"
        " (1.0, '1 day', '(1.0,x)', 'a', 0.1, 'pg_class', '0110', '{a}', 'it''s', 1),"
        " (1.00, '24:00:00', '(1.00,x)', 'a', 0.1, 'pg_class', '0110', '{a}', 'it''s', 99),"
        " (1.00, '24:00:00', '(1.00,x)', 'a', 0.1, 'pg_class', '0110', '{a}', 'it''s', 99),"
        " (2, '2 days', '(2,x)', 'ab', 0.3, 'pg_type', '0111', '{b}', 'its', 1),"
        " (null, null, null, null, null, null, null, null, null, 1)",
    )
    for column in "ghijklmno":
        rule = {**MEDIAN, "group_by": [column]}
        (result,) = engine.run(rule_set("engine.written", rule)).results
        found = [(group.status, group.rows_tested) for group in result.groups]
        assert (result.status, found) == ("fail", [("fail", 3), ("pass", 1), ("pass", 1)])


def test_a_share_in_a_group_is_of_rows_where_keys_are_counted_alone(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create type engine.coding as (kind integer, word text)",
        "create table engine.coded (shop text, code engine.coding)",
        "insert into engine.coded select 'a', row(i, 'ok')::engine.coding"
        " from generate_series(1, 200) i",
        "insert into engine.coded select 'b', row(case when i <= 10 then 999 else i end, 'ok')"
        "::engine.coding from generate_series(1, 20) i",
    )
    rule = {
        "type": "unique",
        "column": "code",
        "group_by": ["shop"],
        "error_if": "> 10%",
        "warn_if": "> 10%",
    }
    (result,) = engine.run(rule_set("engine.coded", rule)).results
    assert result.path == "dbt_sql", result.message
    assert (result.status, groups(result)) == (
        "fail",
        [("b", "fail", 1, 10, 20), ("a", "pass", 0, 0, 200)],
    )
