"""Thresholds in percent, judged by the engine whichever way a rule was counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quality.engine.planned import PlannedEngine
from tests.conftest import PROJECT
from tests.engine.conftest import Target, rule_set, said, where


@pytest.fixture(scope="module")
def shares(target: Target) -> str:
    """200 rows, of which 100 have v; 4 of these are 'x'. k stands twice for 1 and 2 (5 rows)."""
    target.execute(
        "create table engine.shares (id integer primary key, v text, k integer, g text not null)",
        "insert into engine.shares select i,"
        " case when i <= 4 then 'x' when i <= 100 then 'ok' end,"
        " case when i <= 2 then 1 when i <= 5 then 2 else i end, 'g' || i % 2"
        " from generate_series(1, 200) i",
        "create table engine.shares_parent as select generate_series(1, 190) as id",
        "create table engine.no_shares (id integer, v text)",
        "create function engine.always_new() returns text language sql volatile as $$select 'x'$$",
    )
    return "engine.shares"


ACCEPTED = {"type": "accepted_values", "column": "v", "arguments": {"values": ["ok"]}}
UNIQUE = {"type": "unique", "column": "k"}
MATCHES = {"type": "match_regex", "column": "v", "arguments": {"regex": "^ok"}}


@pytest.mark.parametrize(
    ("rule", "thresholds", "expected"),
    [
        ({"type": "not_null", "column": "v"}, {"error_if": "> 50%"}, ("warn", 100, 200)),
        ({"type": "not_null", "column": "v"}, {"error_if": ">= 50%"}, ("fail", 100, 200)),
        (
            {"type": "not_null", "column": "v"},
            {"error_if": "> 50%", "warn_if": "> 50%"},
            ("pass", 0, 200),
        ),
        (
            {"type": "not_null", "column": "v"},
            {"error_if": "> 50%", "warn_if": "> 99"},
            ("warn", 100, 200),
        ),
        # Of the values, not of the rows.
        (MATCHES, {"error_if": ">= 4%", "warn_if": "> 0%"}, ("fail", 4, 100)),
        (MATCHES, {"error_if": "> 4%", "warn_if": "> 0%"}, ("warn", 4, 100)),
        (MATCHES, {"severity": "warn", "warn_if": "> 4%", "error_if": "> 0%"}, ("pass", 0, 100)),
        # One value in four rows: rows are what is a share of rows.
        (ACCEPTED, {"error_if": ">= 2%"}, ("fail", 1, 200)),
        (ACCEPTED, {"error_if": "> 2%", "warn_if": "> 2%"}, ("pass", 0, 200)),
        (UNIQUE, {"error_if": ">= 2.5%"}, ("fail", 2, 200)),
        (UNIQUE, {"error_if": "> 2.5%"}, ("warn", 2, 200)),
        # Proved: nothing fails, of however many.
        ({"type": "not_null", "column": "g"}, {"error_if": "> 0%"}, ("pass", 0, 200)),
        ({"type": "unique", "column": "id"}, {"error_if": ">= 0%"}, ("fail", 0, 200)),
        (
            {
                "type": "relationships",
                "column": "k",
                "arguments": {"to": "engine.shares_parent", "field": "id"},
            },
            {"error_if": ">= 5%"},
            ("fail", 10, 200),
        ),
    ],
)
def test_share_of_the_rows_tested_decides(
    engine: PlannedEngine,
    shares: str,
    rule: dict[str, Any],
    thresholds: dict[str, str],
    expected: tuple[str, int, int],
) -> None:
    assert said(engine.run(rule_set(shares, {**rule, **thresholds})))[0] in (
        expected,
        (*expected[:2], None),  # a proof reads nothing, and may know no number
    )


def test_message_says_the_share(engine: PlannedEngine, shares: str) -> None:
    outcome = engine.run(rule_set(shares, {**MATCHES, "error_if": "> 2.5%"}))
    assert outcome.results[0].message == "4 of 100 tested (4%) fail, configured to fail if > 2.5%"


def test_empty_table_has_no_percent(engine: PlannedEngine, shares: str) -> None:
    rule = {"type": "not_null", "column": "v", "error_if": "> 0%"}
    assert said(engine.run(rule_set("engine.no_shares", rule))) == [("pass", 0, 0)]


def test_scope_narrows_what_it_is_a_share_of(engine: PlannedEngine, shares: str) -> None:
    rules = rule_set(shares, {**MATCHES, "error_if": "> 50%"})
    assert said(engine.run(rules)) == [("warn", 4, 100)]
    assert said(engine.run(rules, [where("id", "<=", 7)])) == [("fail", 4, 7)]


def test_dbt_itself_counts_and_the_engine_judges(
    new_engine: Callable[..., PlannedEngine], shares: str, tmp_path: Path
) -> None:
    """A project that judges tests in its own way leaves all of them to dbt."""
    project = tmp_path / "project"
    (project / "macros").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        (project / name).write_text((PROJECT / "stringx" / name).read_text())
    for macro in (PROJECT / "stringx" / "macros").iterdir():
        (project / "macros" / macro.name).write_text(macro.read_text())
    (project / "macros" / "own.sql").write_text(
        "{% macro get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}"
        "select {{ fail_calc }} as failures, {{ fail_calc }} {{ warn_if }} as should_warn,"
        " {{ fail_calc }} {{ error_if }} as should_error from ({{ main_sql }}) t"
        "{% endmacro %}"
    )
    engine = new_engine(project_dir=project)
    outcome = engine.run(
        rule_set(
            shares,
            {**ACCEPTED, "error_if": ">= 2%"},
            {**ACCEPTED, "error_if": "> 2%", "warn_if": "> 2%"},
            {**UNIQUE, "error_if": ">= 2.5%", "warn_if": "> 0"},
            {"type": "not_null", "column": "v", "error_if": "> 50%"},
            {"type": "not_null", "column": "g", "error_if": "> 50%"},
        )
    )
    assert {found.path for found in outcome.results} == {"dbt"}
    assert [(found.status, found.failures) for found in outcome.results] == [
        *(("fail", 1), ("pass", 0), ("fail", 2), ("warn", 100), ("pass", 0))
    ]
