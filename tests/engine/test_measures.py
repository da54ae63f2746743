"""What rules on history measure; the judgement comes later, and is no part of the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from quality.catalogue import RULE_TYPES
from quality.checks import RuleResult
from quality.engine.planned import PlannedEngine
from quality.names import TableName
from tests.engine.conftest import Target, rule_set, where
from tests.engine.test_dbt_alone import dbt
from tests.engine.test_hostile_text import HOSTILE, NAMES

ROWS = {
    "some": "(1, 'ab', 0, '2026-01-01'), (2, 'ab', 4, '2026-01-03'), (3, null, 8, 'infinity'),"
    " (4, 'wxyz', null, null)",
    "nulls": "(null, null, null, null), (null, null, null, null)",
    "no": "",
}
MONITORS = ["null_share", "distinct_share", "min", "max", "avg", "stdev", "zero_share"]

# type, column, arguments; then what is measured of some rows, of NULLs and of no rows.
CASES: list[tuple[str, str | None, dict[str, Any], tuple[dict[str, Any], ...]]] = [
    ("row_count_delta", None, {"warn_pct": 1},
     ({"row_count": 4}, {"row_count": 2}, {"row_count": 0})),
    ("volume_anomaly", None, {}, ({"row_count": 4}, {"row_count": 2}, {"row_count": 0})),
    ("volume_anomaly", None, {"timestamp_column": "seen", "bucket": "hour"},
     ({"row_count": 0}, {"row_count": 0}, {"row_count": 0})),
    ("column_anomaly", "n", {"monitors": MONITORS},
     ({"n_rows": 4, "n_values": 3, "n_distinct": 3, "min": 0, "max": 8, "avg": 4.0, "stdev": 4.0,
       "n_zeros": 1},
      {"n_rows": 2, "n_values": 0, "n_distinct": 0, "min": None, "max": None, "avg": None,
       "stdev": None, "n_zeros": 0},
      {"n_rows": 0, "n_values": 0, "n_distinct": 0, "min": None, "max": None, "avg": None,
       "stdev": None, "n_zeros": 0})),
    ("column_anomaly", "name", {"monitors": ["average_length", "null_share"]},
     ({"n_rows": 4, "n_values": 3, "average_length": 8 / 3},
      {"n_rows": 2, "n_values": 0, "average_length": None},
      {"n_rows": 0, "n_values": 0, "average_length": None})),
    ("group_anomaly", None, {"group_columns": ["name"], "max_groups": 2},
     ({"n_rows": 4, "n_groups": 3, "groups": [["ab", 2], ["wxyz", 1]]},
      {"n_rows": 2, "n_groups": 1, "groups": [[None, 2]]},
      {"n_rows": 0, "n_groups": 0, "groups": []})),
    ("group_anomaly", None, {"group_columns": ["name", "n"]},
     ({"n_rows": 4, "n_groups": 4,
       "groups": [["ab", "0.00", 1], ["ab", "4.00", 1], ["wxyz", None, 1], [None, "8.00", 1]]},
      {"n_rows": 2, "n_groups": 1, "groups": [[None, None, 2]]},
      {"n_rows": 0, "n_groups": 0, "groups": []})),
    ("distribution_distance", "n", {"edges": [-1, 4]},
     ({"bucket_0": 0, "bucket_1": 1, "bucket_2": 2},
      {"bucket_0": 0, "bucket_1": 0, "bucket_2": 0},
      {"bucket_0": 0, "bucket_1": 0, "bucket_2": 0})),
    ("distribution_distance", "name", {"values": ["ab", "it's"]},
     ({"bucket_0": 2, "bucket_1": 0, "bucket_2": 1},
      {"bucket_0": 0, "bucket_1": 0, "bucket_2": 0},
      {"bucket_0": 0, "bucket_1": 0, "bucket_2": 0})),
    ("schema_change", None, {},
     ({"columns": [["id", "integer"], ["name", "text"], ["n", "numeric(10,2)"],
                   ["seen", "timestamp with time zone"]]},) * 3),
]  # fmt: skip


@pytest.fixture(scope="module")
def tables(target: Target) -> None:
    for name, rows in ROWS.items():
        target.execute(
            f"create table engine.measured_{name} "
            "(id integer, name text, n numeric(10, 2), seen timestamptz)",
            *([f"insert into engine.measured_{name} values {rows}"] if rows else []),
        )


def plain(result: RuleResult) -> dict[str, Any]:
    """What was measured, with numbers as numbers and documents as such."""
    found: dict[str, Any] = {}
    for name, value in result.measured.items():
        if name in ("groups", "columns"):
            found[name] = json.loads(str(value))
        elif isinstance(value, str):
            found[name] = pytest.approx(float(value))
        else:
            found[name] = value
    return found


@pytest.mark.parametrize(("place", "table"), list(enumerate(ROWS)), ids=ROWS)
def test_types_on_history_measure_and_do_not_judge(
    engine: PlannedEngine, tables: None, place: int, table: str
) -> None:
    rules = [
        {"type": type_, "column": column, "arguments": arguments}
        for type_, column, arguments, _ in CASES
    ]
    outcome = engine.run(rule_set(f"engine.measured_{table}", *rules), time_limit_s=60)
    assert outcome.error_code is None, outcome.error
    for result, (type_, _, _, expected) in zip(outcome.results, CASES, strict=True):
        assert (result.status, result.failures) == ("skipped", None), result
        assert result.message == "judged when stored"
        assert plain(result) == expected[place], type_
    assert {case[0] for case in CASES} | {"freshness_anomaly"} == {
        entry.name for entry in RULE_TYPES.values() if entry.category == "H"
    }


def test_counts_and_means_share_the_scan_with_other_rules(
    engine: PlannedEngine, tables: None
) -> None:
    rules = [
        {"type": "not_null", "column": "id"},
        {"type": "volume_anomaly"},
        {"type": "column_anomaly", "column": "n", "arguments": {"monitors": ["null_share", "avg"]}},
        {"type": "freshness_anomaly", "column": "seen"},
        {"type": "distribution_distance", "column": "n", "arguments": {"edges": [1]}},
    ]
    outcome = engine.run(rule_set("engine.measured_some", *rules), time_limit_s=60)
    assert {result.path for result in outcome.results} == {"scan"}


def test_freshness_is_the_age_of_the_newest_finite_value(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create table engine.ages (at timestamptz, day date)",
        "insert into engine.ages values (now() - interval '2 hours', current_date - 3), "
        "(now() - interval '5 hours', null), ('infinity', null)",
    )
    rules = [{"type": "freshness_anomaly", "column": column} for column in ("at", "day")]
    outcome = engine.run(rule_set("engine.ages", *rules), time_limit_s=60)
    ages = [float(str(result.measured["age_s"])) for result in outcome.results]
    assert 7200 <= ages[0] < 7260
    assert 3 * 86_400 <= ages[1] <= 4 * 86_400 + 60
    assert outcome.results[0].measured["newest"] == "infinity"


def test_rows_of_the_last_whole_bucket_are_counted(engine: PlannedEngine, target: Target) -> None:
    """Whenever the test runs: of a row each half hour over four hours two are of the last one."""
    target.execute(
        "create table engine.halves as select generate_series("
        "date_trunc('hour', now()) - interval '4 hours', "
        "date_trunc('hour', now()) + interval '90 minutes', interval '30 minutes') as at"
    )
    arguments = {"timestamp_column": "at", "bucket": "hour"}
    rule = {"type": "volume_anomaly", "arguments": arguments}
    outcome = engine.run(rule_set("engine.halves", rule), time_limit_s=60)
    assert outcome.results[0].measured == {"row_count": 2}


def test_buckets_are_in_utc_whatever_the_zone_of_the_session(
    target: Target, new_engine: Callable[..., PlannedEngine]
) -> None:
    """Midnights in UTC of which each day has one more: of a column without a zone none may move to
    another day. (Four are yesterday's, five if midnight passes meanwhile.)"""
    columns = ("at", "wall", "day", "own_at", "own_wall", "own_day")
    target.execute(
        *(
            f"create domain engine.own_{type_} as {type_}"
            for type_ in ("timestamptz", "timestamp", "date")
        ),
        "create table engine.midnights (at timestamptz, wall timestamp, day date, "
        "own_at engine.own_timestamptz, own_wall engine.own_timestamp, own_day engine.own_date)",
        "insert into engine.midnights select wall at time zone 'UTC', wall, wall, "
        "wall at time zone 'UTC', wall, wall from generate_series(-3, 2) place, "
        "lateral (select date_trunc('day', now() at time zone 'UTC') "
        "+ place * interval '1 day' as wall) day, generate_series(1, place + 5)",
        "insert into engine.midnights default values",
        "insert into engine.midnights values "
        "('infinity', 'infinity', 'infinity', 'infinity', 'infinity', 'infinity')",
    )
    rules = [
        {"type": "volume_anomaly", "arguments": {"timestamp_column": column, "bucket": "day"}}
        for column in columns
    ]
    for zone in ("Europe/Berlin", "America/New_York"):
        target.execute(f"alter role stringx_reader set timezone = '{zone}'")
        try:
            outcome = new_engine().run(rule_set("engine.midnights", *rules), time_limit_s=60)
        finally:
            target.execute("alter role stringx_reader reset timezone")
        assert outcome.error_code is None, outcome.error
        assert {result.path for result in outcome.results} == {"scan"}
        counts = [result.measured.get("row_count") for result in outcome.results]
        assert counts in ([4] * len(columns), [5] * len(columns)), zone


def test_a_bucket_needs_a_column_of_days_or_moments(engine: PlannedEngine, target: Target) -> None:
    target.execute("create table engine.hours (at time, length interval, name text)")
    rules = [
        {"type": "volume_anomaly", "arguments": {"timestamp_column": column, "bucket": "day"}}
        for column in ("at", "length", "name")
    ]
    outcome = engine.run(rule_set("engine.hours", *rules), time_limit_s=60)
    assert [result.status for result in outcome.results] == ["error"] * 3


def test_scope_and_where_narrow_what_is_measured(engine: PlannedEngine, tables: None) -> None:
    narrowed = {"where": [{"column": "id", "op": ">", "value": 1}]}
    rules = [
        {"type": "volume_anomaly", **narrowed},
        {"type": "group_anomaly", "arguments": {"group_columns": ["name"]}, **narrowed},
    ]
    scope = (where("id", "<", 4),)
    outcome = engine.run(rule_set("engine.measured_some", *rules), scope, time_limit_s=60)
    volume, groups = (plain(result) for result in outcome.results)
    assert volume == {"row_count": 2}
    assert groups == {"n_rows": 2, "n_groups": 2, "groups": [["ab", 1], [None, 1]]}


@pytest.mark.parametrize("case", CASES[:-1], ids=lambda case: str(case[0]))
def test_a_scope_that_does_not_fit_ends_a_check_of_nothing_else(
    engine: PlannedEngine, tables: None, case: tuple[str, str | None, dict[str, Any], Any]
) -> None:
    type_, column, arguments, _ = case
    rules = rule_set(
        "engine.measured_some", {"type": type_, "column": column, "arguments": arguments}
    )
    outcome = engine.run(rules, (where("nowhere", "=", 1),), time_limit_s=60)
    assert outcome.error_code == "scope_column_not_found"
    outcome = engine.run(rules, (where("id", "=", "x"),), time_limit_s=60)
    assert outcome.error_code == "scope_rejected"
    [result] = engine.run(rules, (where("id", "<", 3),), time_limit_s=60).results
    assert (result.status, result.rows_tested) == ("skipped", None)


def test_there_are_no_samples_of_what_is_not_judged(engine: PlannedEngine, tables: None) -> None:
    rules = [
        {"type": "volume_anomaly", "sample_limit": 5, "is_shadow": True},
        {"type": "group_anomaly", "sample_limit": 5, "arguments": {"group_columns": ["name"]}},
        {"type": "schema_change", "sample_limit": 5},
        {"type": "not_null", "column": "n", "sample_limit": 5},
    ]
    outcome = engine.run(rule_set("engine.measured_some", *rules), time_limit_s=60)
    *measured, judged = outcome.results
    assert [(one.status, one.sample) for one in measured] == [("skipped", None)] * 3
    assert measured[0].is_shadow
    assert judged.sample is not None


def test_a_monitor_that_the_type_cannot_have_is_an_error_of_the_rule(
    engine: PlannedEngine, tables: None
) -> None:
    rule = {"type": "column_anomaly", "column": "name", "arguments": {"monitors": ["avg"]}}
    outcome = engine.run(rule_set("engine.measured_some", rule), time_limit_s=60)
    [result] = outcome.results
    assert result.status == "error"
    assert "avg(text)" in (result.message or "")


def test_names_and_values_are_taken_literally(engine: PlannedEngine, target: Target) -> None:
    for number, name in enumerate(NAMES):
        table = sql.Identifier("engine", f"m {name}")
        other = f"n {name}"
        target.execute(
            sql.SQL("create table {} ({} text, {} integer, seen timestamptz)").format(
                table, sql.Identifier(name), sql.Identifier(other)
            ),
            sql.SQL("insert into {} values ({}, 1, now()), ('b', 2, now())").format(
                table, sql.Literal(HOSTILE[number % len(HOSTILE)])
            ),
        )
    for number, name in enumerate(NAMES):
        text = HOSTILE[number % len(HOSTILE)]
        rules = [
            {"type": "group_anomaly", "arguments": {"group_columns": [name, f"n {name}"]}},
            {"type": "distribution_distance", "column": name, "arguments": {"values": [text]}},
            {"type": "column_anomaly", "column": f"n {name}", "arguments": {"monitors": MONITORS}},
            {"type": "volume_anomaly", "where": [{"column": name, "op": "=", "value": text}]},
            {"type": "schema_change"},
        ]
        table_name = str(TableName("engine", f"m {name}"))
        outcome = engine.run(rule_set(table_name, *rules), time_limit_s=60)
        groups, shape, column, volume, schema = (plain(result) for result in outcome.results)
        assert sorted(groups["groups"]) == sorted([[text[:200], "1", 1], ["b", "2", 1]]), name
        assert shape == {"bucket_0": 1, "bucket_1": 1}, text
        assert (column["n_rows"], column["max"]) == (2, 2)
        assert volume == {"row_count": 1}, text
        assert [one[0] for one in schema["columns"]] == [name, f"n {name}", "seen"]


def test_dbt_alone_says_that_it_has_no_history(
    tables: None, dbt_environment: dict[str, str], tmp_path: Path
) -> None:
    project = _project(
        tmp_path,
        [
            {"volume_anomaly": {"name": "of_volume"}},
            {"schema_change": {"name": "of_columns"}},
        ],
    )
    found = dbt(dbt_environment, "test", "--project-dir", str(project), folder=tmp_path)
    assert [one["status"] for one in found] == ["error", "error"]
    for one in found:
        assert "make it a rule of StringX, or use" in one["message"]


def test_dbt_alone_compares_declared_columns(
    tables: None, dbt_environment: dict[str, str], tmp_path: Path
) -> None:
    columns = {"id": "bigint", "name": "text", "n": "numeric(10,2)", "gone": "text"}
    declared = {"baseline": "declared", "declared": columns}
    tests = [
        {"schema_change": {"name": "a_gone_and_retyped", "arguments": declared}},
        {
            "schema_change": {
                "name": "b_new_as_well",
                "arguments": {**declared, "fail_on_added": True, "enforce_types": False},
            }
        },
    ]
    project = _project(tmp_path, tests)
    found = dbt(dbt_environment, "test", "--project-dir", str(project), folder=tmp_path)
    counted = {one["unique_id"].split(".")[2]: one["failures"] for one in found}
    assert counted == {"a_gone_and_retyped": 2, "b_new_as_well": 2}


def _project(folder: Path, tests: list[dict[str, Any]]) -> Path:
    """A project of a user's with our macros and some tests of one table."""
    from tests.conftest import PROJECT

    project = folder / "project"
    (project / "models").mkdir(parents=True)
    (project / "macros").symlink_to(PROJECT / "stringx" / "macros")
    (project / "dbt_project.yml").write_text(
        json.dumps({"name": "plain", "profile": "stringx", "model-paths": ["models"],
                    "flags": {"require_generic_test_arguments_property": True}})
    )  # fmt: skip
    table = {"name": "measured_some", "data_tests": tests}
    sources = [{"name": "engine", "tables": [table]}]
    (project / "models" / "sources.yml").write_text(json.dumps({"version": 2, "sources": sources}))
    return project
