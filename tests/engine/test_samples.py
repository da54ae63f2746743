"""Samples of failing rows: which rows, which columns, and what never leaves the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from quality.checks import RuleResult
from quality.engine.planned import PlannedEngine
from tests.engine.conftest import Target, rule_set, where


@pytest.fixture(scope="module")
def people(target: Target) -> str:
    """50 people; 10 without a name, e-mail 'x' for three, boss of 3 people is unknown."""
    target.execute(
        "create table engine.people (region text not null, id integer not null, name text,"
        " email text, boss integer, notes text, primary key (region, id))",
        "insert into engine.people select 'r' || i % 2, i, case when i > 10 then 'n' || i end,"
        " case when i in (20, 21, 22) then 'x' else 'p' || i || '@example.org' end,"
        " case when i in (30, 31, 32) then 1000 + i else 1 end, repeat('ü', i * 10)"
        " from generate_series(1, 50) i",
        "create table engine.keyless as select i % 3 as a, nullif(i % 2, 0) as b"
        " from generate_series(1, 12) i",
        "create view engine.people_view as select * from engine.people",
    )
    return "engine.people"


NO_NAME = {"type": "not_null", "column": "name", "sample_limit": 3}
BOSS = {
    "type": "relationships",
    "column": "boss",
    "arguments": {"to": "engine.people", "field": "id"},
    "sample_limit": 10,
}
CASES: dict[str, tuple[dict[str, Any], list[tuple[str | None, ...]]]] = {
    "rows": (NO_NAME, [("r0", "2", None), ("r0", "4", None), ("r0", "6", None)]),
    "values": (
        {
            "type": "not_accepted_values",
            "column": "email",
            "arguments": {"values": ["x"]},
            "sample_limit": 10,
        },
        [("r0", "20", "x"), ("r0", "22", "x"), ("r1", "21", "x")],
    ),
    "duplicates": (
        {"type": "unique", "column": "email", "sample_limit": 10},
        [("r0", "20", "x"), ("r0", "22", "x"), ("r1", "21", "x")],
    ),
    "duplicates of several": (
        {
            "type": "unique_combination_of_columns",
            "arguments": {"columns": ["name", "region"]},
            "sample_limit": 4,
            "sample_columns": ["id", "name"],
        },
        [("2", None), ("4", None), ("6", None), ("8", None)],
    ),
    "orphans": (BOSS, [("r0", "30", "1030"), ("r0", "32", "1032"), ("r1", "31", "1031")]),
}


def sampled(result: RuleResult) -> list[tuple[str | None, ...]]:
    assert result.sample is not None, result.message
    return list(result.sample.rows)


@pytest.mark.parametrize("name", CASES)
def test_sample_shows_rows_that_fail(
    engine: PlannedEngine, people: str, target: Target, name: str
) -> None:
    rule, expected = CASES[name]
    (result,) = engine.run(rule_set(people, rule)).results
    assert sorted(sampled(result), key=str) == sorted(expected, key=str)
    assert result.sample is not None
    failing = result.failing_rows or result.failures or 0
    assert len(expected) <= failing <= (result.rows_tested or 0)
    assert result.sample.is_capped is (failing > len(expected))
    with psycopg.connect(target.url) as connection:
        assert connection.execute(result.sample.sql.encode()).fetchall() == list(result.sample.rows)


def test_settings_say_how_many_where_the_rule_does_not(
    new_engine: Callable[..., PlannedEngine], engine: PlannedEngine, people: str
) -> None:
    rule = {"type": "not_null", "column": "name"}
    off = {**rule, "sample_limit": 0}
    assert engine.run(rule_set(people, rule)).results[0].sample is None
    found = new_engine(sample_limit=2).run(rule_set(people, rule, off, NO_NAME)).results
    assert [result.sample and len(result.sample.rows) for result in found] == [2, None, 3]


def test_passing_rule_has_no_sample(engine: PlannedEngine, people: str) -> None:
    passing = [
        {**NO_NAME, "column": "email"},
        {**NO_NAME, "error_if": "> 10", "warn_if": "> 10"},
        {**NO_NAME, "where": [{"column": "id", "op": ">", "value": 10}]},
    ]
    results = engine.run(rule_set(people, *passing)).results
    assert [(result.status, result.sample) for result in results] == [("pass", None)] * 3


def test_scope_and_where_narrow_the_sample(engine: PlannedEngine, people: str) -> None:
    rule = {**NO_NAME, "where": [{"column": "region", "op": "=", "value": "r1"}]}
    (result,) = engine.run(rule_set(people, rule), (where("id", ">", 6),)).results
    assert result.failing_rows == 2
    assert sampled(result) == [("r1", "7", None), ("r1", "9", None)]
    assert result.sample is not None
    assert not result.sample.is_capped


@pytest.mark.parametrize("name", CASES)
def test_masked_values_are_not_asked_for(engine: PlannedEngine, people: str, name: str) -> None:
    rule = {**CASES[name][0], "mask": ["email", "id", "name"]}
    (result,) = engine.run(rule_set(people, rule)).results
    rows = sampled(result)
    assert rows
    assert result.sample is not None
    for at, column in enumerate(result.sample.columns):
        if column in rule["mask"]:
            assert {row[at] for row in rows} == {"***"}
    selected = result.sample.sql.partition(" from ")[0]
    assert '"id"::text' not in selected
    assert '"email"::text' not in selected
    assert "@example.org" not in result.model_dump_json()


def test_cells_are_cut_by_bytes(engine: PlannedEngine, people: str) -> None:
    rule = {**NO_NAME, "sample_limit": 10, "sample_columns": ["id", "notes"]}
    (result,) = engine.run(
        rule_set(
            people,
            {
                **rule,
                "type": "not_accepted_values",
                "column": "id",
                "arguments": {"values": [1, 50]},
            },
        )
    ).results
    assert result.sample is not None
    notes = dict(result.sample.rows)
    assert notes["1"] == "ü" * 10
    cut = notes["50"] or ""
    assert cut.endswith("…")
    assert len(cut.encode()) <= 256
    assert result.sample.is_capped


def test_all_samples_together_have_a_limit(
    new_engine: Callable[..., PlannedEngine], people: str
) -> None:
    engine = new_engine(sample_bytes=1024)
    rule = {"type": "accepted_range", "column": "id", "arguments": {"max_value": 0}}
    rules = [{**rule, "sample_limit": 50, "sample_columns": ["notes"]}] * 3
    results = engine.run(rule_set(people, *rules)).results
    sizes = [
        sum(len((cell or "").encode()) for row in sampled(result) for cell in row)
        for result in results
    ]
    assert 0 < sum(sizes) <= 1024
    assert all(result.failing_rows == 50 for result in results)


def test_a_table_without_a_key_and_a_view_have_samples(engine: PlannedEngine, people: str) -> None:
    combination = {
        "type": "unique_combination_of_columns",
        "arguments": {"columns": ["a", "b"]},
        "sample_limit": 3,
    }
    (result,) = engine.run(rule_set("engine.keyless", combination)).results
    assert len(sampled(result)) == 3
    (result,) = engine.run(rule_set("engine.people_view", NO_NAME)).results
    assert sampled(result) == [(None,)] * 3


def test_sample_that_cannot_be_taken_changes_nothing(
    new_engine: Callable[..., PlannedEngine], target: Target, people: str
) -> None:
    target.execute(
        "create table engine.sampled_slowly as"
        " select i as id, 'x'::text as v from generate_series(1, 20) i",
        "create function engine.slowly(v text) returns text language plpgsql stable as"
        " $$begin perform pg_sleep(0.5); return v; end$$",
        "create view engine.slow_view as select id, null::text as v, engine.slowly(v) as w"
        " from engine.sampled_slowly",
    )
    rules = rule_set(
        "engine.slow_view",
        {"type": "not_null", "column": "v", "sample_limit": 20, "sample_columns": ["w"]},
        {"type": "not_null", "column": "v", "sample_limit": 20, "sample_columns": ["id"]},
    )
    outcome = new_engine(sample_time_limit_s=1, queries_per_check=1).run(rules)
    assert [(result.status, result.failures) for result in outcome.results] == [("fail", 20)] * 2
    assert outcome.results[0].sample is None


def test_sample_of_a_test_that_only_dbt_has_the_sql_of(
    engine: PlannedEngine, target: Target
) -> None:
    """Its own rows, as far as their columns are those of the table."""
    target.execute(
        "create type engine.pair as (a integer, b integer)",
        "create table engine.pairs (id integer primary key, p engine.pair)",
        "insert into engine.pairs values (1, row(1, 1)), (2, row(1, 1)), (3, null)",
    )
    (result,) = engine.run(
        rule_set("engine.pairs", {"type": "not_null", "column": "p", "sample_limit": 5})
    ).results
    assert (result.status, result.failures) == ("fail", 1)
    assert sampled(result) == [("3", None)]


def test_what_a_test_works_out_is_not_shown_as_a_column_of_its_name(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create table engine.counters (id integer, seq integer, value text, previous text,"
        " n_records integer)",
        "insert into engine.counters values (1, 1, 'a', 'b', 7), (2, 1, 'c', 'd', 8),"
        " (3, 0, 'e', 'f', 9)",
    )
    increasing = {
        "type": "increasing",
        "column": "seq",
        "arguments": {"sort_column": "id"},
        "sample_limit": 5,
    }
    key = {"type": "primary_key", "arguments": {"columns": ["seq"]}, "sample_limit": 5}
    outcome = engine.run(rule_set("engine.counters", increasing, key))
    assert [result.status for result in outcome.results] == ["fail", "fail"]
    shown = [result.sample.columns if result.sample else () for result in outcome.results]
    assert set(shown) <= {("seq",), ()}
    assert sampled(outcome.results[1]) == [("1",)]
