"""How plans run: one snapshot, proofs, what stays alone, what outlives a restart."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from quality.engine import planned
from quality.engine.plan import arranging
from quality.engine.planned import PlannedEngine
from tests.conftest import PROJECT
from tests.engine.conftest import Target, rule_set, said, where


def not_null(column: str) -> dict[str, Any]:
    return {"type": "not_null", "column": column}


def ways(outcome: Any) -> list[tuple[str, str | None]]:
    """Status and path of each rule."""
    assert outcome.error_code is None, outcome.error
    return [(found.status, found.path) for found in outcome.results]


@pytest.fixture
def large_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every table taken for a large one: queries side by side instead of one message."""
    monkeypatch.setattr(arranging, "SMALL_BYTES", 0)


@pytest.fixture(params=["one message", "side by side"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "side by side":
        request.getfixturevalue("large_tables")
    yield


@pytest.fixture(scope="module")
def bound(target: Target) -> str:
    """Constraints that hold and one that is not validated; 100 rows."""
    target.execute(
        "create table engine.elders (id integer primary key)",
        "insert into engine.elders select generate_series(1, 100)",
        "create table engine.bound (id integer primary key, parent integer references "
        "engine.elders, amount integer check (amount between 0 and 100), loose integer)",
        "insert into engine.bound select i, i, i, null from generate_series(1, 100) i",
        "alter table engine.bound add constraint loose_not_null not null loose not valid",
    )
    with psycopg.connect(target.url, autocommit=True) as connection:
        connection.execute("analyze engine.bound")
    return "engine.bound"


BOUND_RULES = (
    not_null("id"),
    {"type": "unique", "column": "id"},
    {"type": "accepted_range", "column": "amount", "arguments": {"min_value": -5}},
    {
        "type": "relationships",
        "column": "parent",
        "arguments": {"to": "engine.elders", "field": "id"},
    },
    not_null("loose"),
)


def test_what_a_constraint_proves_is_said_to_be_proved(
    engine: PlannedEngine, bound: str, either_way: None
) -> None:
    outcome = engine.run(rule_set(bound, *BOUND_RULES))
    assert ways(outcome) == [("pass", "constraint")] * 4 + [("fail", "scan")]
    assert [result.proof for result in outcome.results] == [
        'NOT NULL of "id" (bound_id_not_null)',
        "UNIQUE index bound_pkey",
        "CHECK bound_amount_check",
        "FOREIGN KEY bound_parent_fkey",
        None,
    ]
    assert said(outcome) == [("pass", 0, 100)] * 4 + [("fail", 100, 100)]


def test_nothing_is_read_only_to_count_the_rows_of_a_proof(
    engine: PlannedEngine, bound: str
) -> None:
    (result,) = engine.run(rule_set(bound, not_null("id"))).results
    assert (result.path, result.rows_tested, result.rows_estimated) == ("constraint", 100, True)
    narrowed = engine.run(rule_set(bound, not_null("id")), (where("id", "<=", 10),)).results[0]
    assert (narrowed.path, narrowed.rows_tested, narrowed.rows_estimated) == (
        "constraint",
        10,
        False,
    )


def test_a_dropped_constraint_proves_nothing_from_then_on(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create table engine.changing (v integer constraint v_there not null)",
        "insert into engine.changing values (1)",
    )
    rules = rule_set("engine.changing", not_null("v"))
    assert ways(engine.run(rules)) == [("pass", "constraint")]
    target.execute(
        "alter table engine.changing drop constraint v_there",
        "insert into engine.changing values (null)",
    )
    assert ways(engine.run(rules)) == [("fail", "scan")]
    target.execute("alter table engine.changing rename column v to w")
    (result,) = engine.run(rules).results
    assert result.status == "error"
    assert str(result.message).startswith("column_missing: ")
    target.execute(
        "alter table engine.changing rename column w to v",
        "delete from engine.changing where v is null",
        "alter table engine.changing add constraint v_there not null v",
    )
    assert ways(engine.run(rules)) == [("pass", "constraint")]


def test_all_rules_see_one_snapshot(
    engine: PlannedEngine, target: Target, either_way: None, request: pytest.FixtureRequest
) -> None:
    """A writer moves the one violation from rule to rule, each time in one transaction."""
    table = "engine.moving_large" if "side" in request.node.name else "engine.moving"
    target.execute(
        f"create table {table} (id integer, a integer, b integer)",
        f"insert into {table} select i, nullif(i, 1), i from generate_series(1, 500) i",
    )
    stop = threading.Event()

    def move() -> None:
        with psycopg.connect(target.url) as connection:
            while not stop.is_set():
                connection.execute(
                    f"update {table} set a = case when a is null then 1 end, "
                    "b = case when b is null then 1 end where id = 1"
                )
                connection.commit()

    to = {"to": "engine.elders", "field": "id"}
    rules = rule_set(
        table,
        not_null("a"),
        not_null("b"),
        {"type": "unique_combination_of_columns", "arguments": {"columns": ["a", "b"]}},
        {"type": "relationships", "column": "id", "arguments": to},
    )
    target.execute("create table if not exists engine.elders (id integer primary key)")
    writer = threading.Thread(target=move)
    writer.start()
    try:
        seen = [[result.failures for result in engine.run(rules).results[:2]] for _ in range(60)]
    finally:
        stop.set()
        writer.join()
    assert all(sorted(pair) == [0, 1] for pair in seen), seen
    assert [0, 1] in seen
    assert [1, 0] in seen


def test_one_bad_expression_fails_alone(
    engine: PlannedEngine, target: Target, either_way: None, request: pytest.FixtureRequest
) -> None:
    """The cast breaks on some rows only, so that nobody could know before."""
    table = "engine.cast_large" if "side" in request.node.name else "engine.cast"
    target.execute(
        f"create table {table} (id integer, word text, day date)",
        f"insert into {table} values (1, '7', null), (2, 'seven', '2026-01-01'), (2, null, null)",
        f"create view {table}_seen as select id, word::integer as number, day from {table}",
    )
    rules = rule_set(
        f"{table}_seen",
        not_null("id"),
        {"type": "accepted_range", "column": "number", "arguments": {"min_value": 1}},
        {"type": "unique", "column": "id"},
        not_null("day"),
    )
    for _ in range(3):
        outcome = engine.run(rules)
        assert [result.status for result in outcome.results] == ["pass", "error", "fail", "fail"]
        assert [result.failures for result in outcome.results] == [0, None, 1, 2]
        message = str(outcome.results[1].message)
        assert message.startswith('database: invalid input syntax for type integer: "seven"')


def test_counts_that_failed_before_are_exact_at_once(
    engine: PlannedEngine, target: Target, either_way: None, request: pytest.FixtureRequest
) -> None:
    table = "engine.impure_large" if "side" in request.node.name else "engine.impure"
    target.execute(f"create table {table} (id integer, kind text)")
    rules = rule_set(
        table,
        {"type": "accepted_values", "column": "kind", "arguments": {"values": ["a"]}},
        {"type": "unique", "column": "id"},
    )
    clean = [("pass", 0, 2), ("pass", 0, 2)]
    dirty = [("fail", 2, 5), ("fail", 1, 5)]
    for rows, expected in (
        ("(1, 'a'), (2, null)", clean),
        ("(3, 'b'), (4, 'c'), (4, 'b')", dirty),
        ("", dirty),
    ):
        if rows:
            target.execute(f"insert into {table} values {rows}")
        outcome = engine.run(rules)
        assert said(outcome) == expected
    assert [result.failing_rows for result in outcome.results] == [3, 2]
    target.execute(f"delete from {table} where id > 2")
    assert said(engine.run(rules)) == clean
    assert said(engine.run(rules)) == clean


def test_measures_come_with_passing_rules_too(engine: PlannedEngine, bound: str) -> None:
    outcome = engine.run(
        rule_set(
            bound,
            {"type": "row_count_between", "arguments": {"min_value": 1}},
            {"type": "not_null_proportion", "column": "id", "arguments": {"at_least": 0.5}},
            {**not_null("loose"), "severity": "warn", "warn_if": "> 1000"},
        )
    )
    assert ways(outcome) == [("pass", "scan")] * 3
    assert [result.measured for result in outcome.results] == [
        {"n_rows": 100},
        {"n_rows": 100, "n_values": 100},
        {"failures": 100},
    ]
    assert outcome.results[2].failures == 0
    assert outcome.results[2].failing_rows == 100


def test_a_plan_outlives_its_process(
    new_engine: Callable[..., PlannedEngine], bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = rule_set(bound, not_null("loose"), {"type": "unique", "column": "amount"})
    expected = said(new_engine().run(rules))
    second = new_engine()

    def compiled_again(*_: Any) -> None:
        raise AssertionError("a kept plan is not compiled")

    monkeypatch.setattr(second._dbt, "compile", compiled_again)
    assert said(second.run(rules)) == expected


def test_a_spoiled_file_of_a_plan_is_made_again(
    new_engine: Callable[..., PlannedEngine], bound: str, tmp_path: Path
) -> None:
    rules = rule_set(bound, not_null("loose"))
    expected = said(new_engine().run(rules))
    (kept,) = (tmp_path / "plans").glob("*.json")
    for spoiled in ("", "{", "[]", '{"marker": 1}', '{"marker": "m", "tests": []}'):
        kept.write_text(spoiled)
        assert said(new_engine().run(rules)) == expected


def test_what_only_dbt_can_run_is_run_by_dbt(
    new_engine: Callable[..., PlannedEngine], bound: str, tmp_path: Path
) -> None:
    """A project whose own macro wraps the query of one kind of test."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "stringx", project)
    (project / "macros" / "default__get_test_sql.sql").write_text(
        "{% macro default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}"
        "select 7 as failures, true as should_warn, true as should_error{% endmacro %}"
    )
    engine = new_engine(project_dir=project)
    (result,) = engine.run(rule_set(bound, not_null("id"))).results
    assert (result.status, result.failures, result.path) == ("fail", 7, "dbt")


def test_a_catalogue_that_keeps_changing_is_an_error(
    engine: PlannedEngine, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned.Prepared, "holds_for", lambda *_: False)
    outcome = engine.run(rule_set(bound, not_null("id")))
    assert (outcome.status, outcome.error_code) == ("error", "engine")
    assert "kept changing" in str(outcome.error)


@pytest.mark.parametrize("change", ["truncate", "alter"])
def test_a_table_that_is_rewritten_meanwhile_is_never_seen_empty(
    engine: PlannedEngine, target: Target, either_way: None, change: str, request: Any
) -> None:
    """A snapshot of before would see the new file, in which it finds nothing."""
    table = f"engine.rewritten_{change}_{'large' if 'side' in request.node.name else 'small'}"
    target.execute(
        f"create table {table} (v integer)",
        f"insert into {table} select null from generate_series(1, 500)",
    )
    rules = rule_set(
        table, not_null("v"), {"type": "row_count_between", "arguments": {"min_value": 1}}
    )
    expected = [("fail", 500), ("pass", 0)]
    assert [(found.status, found.failures) for found in engine.run(rules).results] == expected
    statements = {
        "truncate": (
            f"truncate {table}",
            f"insert into {table} select null from generate_series(1, 500)",
        ),
        "alter": (f"alter table {table} alter column v type bigint",),
    }
    found: list[Any] = []
    with psycopg.connect(target.url) as connection:
        for statement in statements[change]:
            connection.execute(statement)
        thread = threading.Thread(target=lambda: found.append(engine.run(rules)))
        thread.start()
        time.sleep(0.5)
        connection.commit()
        thread.join(30)
    assert [(result.status, result.failures) for result in found[0].results] == expected


def test_a_materialized_view_without_data_is_not_proved(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create table engine.base (v integer)",
        "create materialized view engine.unmade as select v from engine.base",
        "create unique index on engine.unmade (v)",
        "refresh materialized view engine.unmade with no data",
    )
    (result,) = engine.run(rule_set("engine.unmade", {"type": "unique", "column": "v"})).results
    assert result.status == "error"
    assert "has not been populated" in str(result.message)


def test_a_scope_may_name_a_column_that_is_new(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        "create table engine.growing (v integer)", "insert into engine.growing values (1)"
    )
    rules = rule_set("engine.growing", not_null("v"))
    assert said(engine.run(rules)) == [("pass", 0, 1)]
    target.execute("alter table engine.growing add origin text default 'a'")
    assert said(engine.run(rules, (where("origin", "=", "a"),))) == [("pass", 0, 1)]


def test_who_may_not_lock_or_share_a_snapshot_is_served_all_the_same(
    engine: PlannedEngine, target: Target, large_tables: None
) -> None:
    target.execute(
        "create table engine.partly (v integer, hidden integer)",
        "insert into engine.partly values (null, 1), (1, 2)",
        "revoke select on engine.partly from stringx_reader",
        "create table engine.shared (v integer, w integer)",
        "insert into engine.shared values (null, 1), (1, 1)",
    )
    with psycopg.connect(target.url) as connection:
        connection.execute("revoke select on engine.partly from stringx_reader")
        connection.execute("grant select (v) on engine.partly to stringx_reader")
    assert said(engine.run(rule_set("engine.partly", not_null("v")))) == [("fail", 1, 2)]
    rules = rule_set("engine.shared", not_null("v"), {"type": "unique", "column": "w"})
    revoke = "revoke execute on function pg_catalog.pg_export_snapshot() from public"
    with psycopg.connect(target.url) as connection:
        connection.execute(revoke)
    try:
        assert [result.status for result in engine.run(rules).results] == ["fail", "fail"]
    finally:
        with psycopg.connect(target.url) as connection:
            connection.execute(revoke.replace("revoke", "grant").replace(" from ", " to "))
        for _, pool in engine._targets._pools.values():
            pool.exports_snapshots = True


def test_a_closed_engine_runs_nothing(new_engine: Callable[..., PlannedEngine], bound: str) -> None:
    engine = new_engine()
    engine.close()
    outcome = engine.run(rule_set(bound, not_null("id")))
    assert (outcome.status, outcome.error_code) == ("error", "engine")
