"""What a check becomes: thresholds, where and scope, and everything that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from embedded import ports
from quality.engine.planned import PlannedEngine
from quality.engine.target.session import condition
from quality.errors import ConfigurationError, InvalidInput, NotFound, Unavailable
from quality.names import TableName
from quality.predicates import resolve
from tests.engine.conftest import Target, rule_set, said, where

NULLS_IN_V = {"type": "not_null", "column": "v"}


@pytest.fixture(scope="module")
def numbers(target: Target) -> str:
    """100 rows; v is NULL in ten of them, all of which have g = 'b'."""
    target.execute(
        "create table engine.numbers (id integer, g text, v integer)",
        "insert into engine.numbers select i, case when i <= 50 then 'a' else 'b' end, "
        "case when i > 90 then null else i end from generate_series(1, 100) i",
    )
    return "engine.numbers"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("fail", 10)),
        ({"severity": "warn"}, ("warn", 10)),
        ({"severity": "warn", "error_if": "> 5"}, ("warn", 10)),
        ({"error_if": "> 10"}, ("warn", 10)),
        ({"error_if": "> 10", "warn_if": "> 10"}, ("pass", 0)),
        ({"error_if": ">= 10"}, ("fail", 10)),
        ({"severity": "warn", "warn_if": "> 10"}, ("pass", 0)),
        ({"error_if": "= 10"}, ("fail", 10)),
    ],
)
def test_thresholds_are_those_of_dbt(
    engine: PlannedEngine, numbers: str, settings: dict[str, Any], expected: tuple[str, int]
) -> None:
    outcome = engine.run(rule_set(numbers, {**NULLS_IN_V, **settings}))
    assert said(outcome) == [(*expected, 100)]
    assert outcome.status == expected[0]


def test_where_and_scope_narrow_together(engine: PlannedEngine, numbers: str) -> None:
    rules = rule_set(
        numbers,
        NULLS_IN_V,
        {**NULLS_IN_V, "where": [{"column": "g", "op": "=", "value": "a"}]},
        {**NULLS_IN_V, "where": [{"column": "g", "op": "in", "value": ["b", "c"]}]},
    )
    assert said(engine.run(rules)) == [("fail", 10, 100), ("pass", 0, 50), ("fail", 10, 50)]
    scope = (where("id", ">", 40), where("id", "<=", 95))
    assert said(engine.run(rules, scope)) == [("fail", 5, 55), ("pass", 0, 10), ("fail", 5, 45)]
    # The same project again without a scope: nothing of the last one stays behind.
    assert said(engine.run(rules)) == [("fail", 10, 100), ("pass", 0, 50), ("fail", 10, 50)]
    assert said(engine.run(rules, (where("v", "is_null"),)))[0] == ("fail", 10, 10)
    assert said(engine.run(rules, (where("id", "between", [90, 92]),)))[0] == ("fail", 2, 3)


def test_the_scope_does_not_narrow_the_other_table(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        "create table engine.child (id integer, parent integer)",
        "create table engine.parent (id integer)",
        "insert into engine.child values (1, 5), (2, 6)",
        "insert into engine.parent values (5)",
    )
    to = {"to": "engine.parent", "field": "id"}
    rules = rule_set("engine.child", {"type": "relationships", "column": "parent", "arguments": to})
    assert said(engine.run(rules)) == [("fail", 1, 2)]
    assert said(engine.run(rules, (where("id", "=", 1),))) == [("pass", 0, 1)]


def test_a_set_without_rules_touches_nothing(new_engine: Callable[..., PlannedEngine]) -> None:
    engine = new_engine()
    outcome = engine.run(rule_set("engine.nowhere", connection="no_such_target"))
    assert (outcome.status, outcome.results, outcome.error_code) == ("no_rules", (), None)
    assert engine._dbt.pid is None


def test_what_does_not_exist_is_an_error_of_that_rule_alone(
    engine: PlannedEngine, numbers: str
) -> None:
    outcome = engine.run(rule_set(numbers, NULLS_IN_V, {"type": "unique", "column": "gone"}))
    assert outcome.status == "error"
    assert [result.status for result in outcome.results] == ["fail", "error"]
    missing = outcome.results[1]
    assert (missing.failures, missing.rows_tested) == (None, None)
    assert str(missing.message).startswith('column_missing: column "gone" does not exist')


def test_a_missing_table_is_an_error_of_every_rule(engine: PlannedEngine) -> None:
    outcome = engine.run(rule_set("engine.gone", NULLS_IN_V, {"type": "unique", "column": "id"}))
    assert [result.status for result in outcome.results] == ["error", "error"]
    assert all(str(result.message).startswith("table_missing: ") for result in outcome.results)


def test_a_table_that_may_not_be_read_is_an_error(engine: PlannedEngine, target: Target) -> None:
    target.execute("create table engine.secret (v integer)")
    target.execute("select 1")
    import psycopg

    with psycopg.connect(target.url) as connection:
        connection.execute("revoke all on engine.secret from stringx_reader")
    (result,) = engine.run(rule_set("engine.secret", NULLS_IN_V)).results
    assert (result.status, str(result.message)[:18]) == ("error", "permission_denied:")
    with pytest.raises(InvalidInput) as refused:
        engine.compile(rule_set("engine.secret", NULLS_IN_V))
    assert [fault.code for fault in refused.value.faults] == ["permission_denied"]


def test_a_scope_that_does_not_fit_the_table_is_refused(
    engine: PlannedEngine, numbers: str
) -> None:
    outcome = engine.run(rule_set(numbers, NULLS_IN_V), (where("gone", "=", 1),))
    assert (outcome.status, outcome.error_code) == ("error", "scope_column_not_found")
    assert "gone" in str(outcome.error)
    outcome = engine.run(rule_set(numbers, NULLS_IN_V), (where("v", "=", "no number"),))
    assert (outcome.status, outcome.error_code) == ("error", "scope_rejected")
    assert "invalid input syntax" in str(outcome.error)


def test_an_unknown_target_is_named(engine: PlannedEngine) -> None:
    outcome = engine.run(rule_set("a.b", NULLS_IN_V, connection="elsewhere"))
    assert (outcome.status, outcome.error_code) == ("error", "target_unknown")
    assert "elsewhere" in str(outcome.error)


def test_a_target_that_is_away_is_never_a_verdict(new_engine: Callable[..., PlannedEngine]) -> None:
    engine = new_engine({"STRINGX_TARGET_PORT": str(ports.choose_free())})
    outcome = engine.run(rule_set("engine.numbers", NULLS_IN_V))
    assert (outcome.status, outcome.error_code) == ("error", "target_unreachable")
    with pytest.raises(Unavailable) as away:
        engine.describe("demo", TableName.parse("engine.numbers"))
    assert away.value.code == "target_unreachable"


def test_a_wrong_password_is_not_repeated_in_the_message(
    new_engine: Callable[..., PlannedEngine],
) -> None:
    engine = new_engine({"DBT_ENV_SECRET_TARGET_PASSWORD": "wrong-password-4711"})
    outcome = engine.run(rule_set("engine.numbers", NULLS_IN_V))
    assert outcome.error_code == "target_unreachable"
    assert "wrong-password-4711" not in outcome.model_dump_json()


def test_a_table_is_described(engine: PlannedEngine, numbers: str) -> None:
    columns = engine.describe("demo", TableName.parse(numbers)).columns
    assert columns == {"id": "integer", "g": "text", "v": "integer"}
    with pytest.raises(NotFound) as missing:
        engine.describe("demo", TableName.parse("engine.gone"))
    assert missing.value.code == "table_not_found"
    assert engine.targets() == ["demo"]


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        ({"type": "unique", "column": "gone"}, "rules[1].column", "column_not_found"),
        (
            {"type": "unique", "column": "v", "where": [{"column": "gone", "op": "is_null"}]},
            "rules[1].where[0].column",
            "column_not_found",
        ),
        (
            {"type": "unique_combination_of_columns", "arguments": {"columns": ["v", "gone"]}},
            "rules[1].arguments.columns[1]",
            "column_not_found",
        ),
        (
            {"type": "column_greater_than", "column": "v", "arguments": {"other_column": "gone"}},
            "rules[1].arguments.other_column",
            "column_not_found",
        ),
        (
            {"type": "relationships", "column": "v", "arguments": {"to": "no.t", "field": "f"}},
            "rules[1].arguments.to",
            "table_not_found",
        ),
        (
            {
                "type": "relationships",
                "column": "v",
                "arguments": {"to": "engine.numbers", "field": "gone"},
            },
            "rules[1].arguments.field",
            "column_not_found",
        ),
        (
            {"type": "match_regex", "column": "g", "arguments": {"regex": "("}},
            "rules[1].arguments.regex",
            "regex_invalid",
        ),
        (
            {"type": "accepted_range", "column": "v", "arguments": {"min_value": "x"}},
            "rules[1]",
            "rule_rejected",
        ),
        ({"type": "not_empty_string", "column": "v"}, "rules[1]", "rule_rejected"),
        (
            {"type": "recency", "column": "v", "arguments": {"datepart": "day", "interval": 1}},
            "rules[1]",
            "rule_rejected",
        ),
    ],
)
def test_rules_that_cannot_run_are_refused_when_they_are_written(
    engine: PlannedEngine, numbers: str, rule: dict[str, Any], path: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        engine.compile(rule_set(numbers, NULLS_IN_V, rule))
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [(path, code)]
    assert refused.value.code == code


def test_a_table_that_is_not_there_is_refused_when_rules_are_written(engine: PlannedEngine) -> None:
    with pytest.raises(InvalidInput) as refused:
        engine.compile(rule_set("engine.gone", NULLS_IN_V))
    assert refused.value.code == "table_not_found"


def test_wrong_folders_are_named(new_engine: Callable[..., PlannedEngine], tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="DBT_PROJECT_DIR"):
        new_engine(project_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="DBT_PROFILES_DIR"):
        new_engine(profiles_dir=tmp_path)


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        (
            where("id", "=", "abc"),
            'the column "id" of "engine"."numbers", which is of type integer',
        ),
        (where("g", ">=", "now-1d"), 'the column "g" of "engine"."numbers", which is of type text'),
        (where("id", "<", {"date": "2026-01-01"}), "which is of type integer"),
    ],
)
def test_scope_that_does_not_fit_names_the_column_and_its_type(
    engine: PlannedEngine, numbers: str, predicate: Any, words: str
) -> None:
    outcome = engine.run(rule_set(numbers, NULLS_IN_V), (where("id", ">", 0), predicate))
    assert outcome.error_code == "scope_rejected"
    assert words in (outcome.error or "")


def test_relative_times_mean_the_same_in_where_and_scope(
    engine: PlannedEngine, target: Target
) -> None:
    target.execute(
        "create table engine.moments (id integer, at timestamptz, local timestamp, day date)",
        "insert into engine.moments select i, m, m, m::date from generate_series(0, 99) i,"
        " lateral (select now() - i * interval '1 hour' - interval '30 minutes' as m) moments",
    )
    never = {"type": "accepted_range", "column": "id", "arguments": {"max_value": -1}}
    cases: list[tuple[str, str, Any]] = [
        ("at", ">=", "now-1d"),
        ("at", "<", "now-120m"),
        ("local", ">=", "now-1d"),
        ("day", ">=", "today-1d"),
        ("day", "=", "today"),
        ("day", "in", ["today", "today-1d"]),
        ("at", "between", ["now-3h", "now"]),
        ("at", ">", "now+1w"),
    ]
    predicates = [where(*case) for case in cases]
    rules = [{**never, "where": [predicate.document()]} for predicate in predicates]
    found = [
        result.failing_rows for result in engine.run(rule_set("engine.moments", *rules)).results
    ]
    assert found[:3] == [24, 98, 24]
    assert found[6:] == [3, 0]
    now = datetime.now(UTC)
    for predicate, rows in zip(predicates, found, strict=True):
        for scope in ((predicate,), resolve((predicate,), now)):
            outcome = engine.run(rule_set("engine.moments", never), scope)
            assert outcome.results[0].failing_rows == rows, predicate


def test_relative_time_can_be_served_by_an_index(target: Target) -> None:
    target.execute(
        "create table engine.indexed as select i as id, now() - i * interval '1 minute' as at"
        " from generate_series(1, 20000) i",
        "create index on engine.indexed (at)",
        "analyze engine.indexed",
    )
    for predicate in (where("at", ">=", "now-1h"), where("at", ">=", {"date": "2999-01-01"})):
        text = condition(predicate).as_string(None)
        plan = target.value(f"explain (format json) select from engine.indexed where {text}")
        assert "Index Cond" in plan[0]["Plan"], plan


def test_literal_is_a_text_in_the_macro_as_well(engine: PlannedEngine, target: Target) -> None:
    target.execute(
        "create table engine.words (w text)", "insert into engine.words values ('now-1d'), ('b')"
    )
    rule = {"type": "accepted_values", "column": "w", "arguments": {"values": ["x"]}}
    literal = {"literal": "now-1d"}
    narrowed = {**rule, "where": [{"column": "w", "op": "=", "value": literal}]}
    assert said(engine.run(rule_set("engine.words", narrowed, rule))) == [
        *(("fail", 1, 1), ("fail", 2, 2))
    ]
    assert said(engine.run(rule_set("engine.words", rule), (where("w", "=", literal),))) == [
        ("fail", 1, 1)
    ]
