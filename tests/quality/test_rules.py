"""Rules as they are written: what is understood, and what is refused with which words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from quality.catalogue import RULE_TYPES
from quality.documents import strictly
from quality.errors import faults_of
from quality.names import TableName
from quality.rules import Rule, RuleSet


def rule(**fields: Any) -> Rule:
    return strictly(Rule, {"type": "not_null", "column": "id", **fields})


def fault_of(**fields: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        rule(**fields)
    fault = faults_of(caught.value)[0]
    return fault.path, fault.code


@pytest.mark.parametrize("entry", RULE_TYPES.values(), ids=lambda entry: entry.name)
def test_example_of_each_rule_type_is_a_valid_rule(entry: Any) -> None:
    assert strictly(Rule, entry.example).type == entry.name


def test_name_and_dimension_follow_from_type_and_column() -> None:
    found = rule(column="Dep Time")
    assert found.name == "not_null_dep_time"
    assert found.dimension == "completeness"


def test_own_dimension_wins() -> None:
    assert rule(dimension="accuracy").dimension == "accuracy"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (">10", "> 10"),
        ("== 5", "= 5"),
        ("<> 0", "!= 0"),
        (" >= 007 ", ">= 7"),
        (">5%", "> 5%"),
        ("<= 0.50 %", "<= 0.5%"),
        ("> 100.0%", "> 100%"),
    ],
)
def test_threshold_is_stored_canonically(written: str, meant: str) -> None:
    assert rule(error_if=written).error_if == meant


@pytest.mark.parametrize(
    "hostile",
    [
        "> (select 1)",
        "> 1; drop table x",
        "{{ env_var('SECRET') }}",
        "> 1 --",
        "",
        ">",
        "> 1e9",
        "> -1",
        "> 1.5",
        "> 101%",
        "> 1%%",
        "> %",
        "> 1e1%",
    ],
)
def test_threshold_is_an_operator_and_a_number_and_nothing_else(hostile: str) -> None:
    assert fault_of(error_if=hostile)[0] == "error_if"


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"type": "no_such"}, "type", "rule_type_unknown"),
        ({"type": "dbt.run_query"}, "type", "rule_type_unknown"),
        ({"column": None}, "column", "column_missing"),
        ({"severity": "{{ x }}"}, "severity", "literal_error"),
        ({"enabled": False}, "enabled", "unknown_field"),
        ({"config": {}}, "config", "unknown_field"),
        ({"fail_calc": "1"}, "fail_calc", "unknown_field"),
        ({"name": "../../pwn"}, "name", "string_pattern_mismatch"),
        ({"arguments": {"x": 1}}, "arguments.x", "unknown_field"),
        ({"type": "accepted_values"}, "arguments.values", "missing"),
        (
            {"type": "accepted_values", "arguments": {"values": []}},
            "arguments.values",
            "too_short",
        ),
        (
            {"type": "accepted_values", "arguments": {"values": ["x" * 1025]}},
            "arguments.values[0]",
            "value_error",
        ),
        ({"where": "1=1"}, "where", "tuple_type"),
        ({"where": [{"column": "a", "op": "=", "value": [1]}]}, "where[0]", "value_error"),
        ({"where": [{"column": "a", "op": "like", "value": "x"}]}, "where[0].op", "literal_error"),
        ({"description": "a\x00b"}, "description", "value_error"),
        ({"group_by": ["a", "b", "c", "d"]}, "group_by", "too_long"),
        ({"group_by": ["a", "a"]}, "group_by", "column_twice"),
        ({"group_by": "a"}, "group_by", "tuple_type"),
        ({"sample_limit": 101}, "sample_limit", "less_than_equal"),
        ({"sample_limit": -1}, "sample_limit", "greater_than_equal"),
        ({"mask": ["a\x00"]}, "mask[0]", "value_error"),
        ({"mask": ["a"], "group_by": ["a"]}, "mask", "column_shown"),
        (
            {"type": "of_tomorrow", "arguments": {"group_columns": 5}, "mask": ["a"]},
            "type",
            "rule_type_unknown",
        ),
        (
            {"type": "of_tomorrow", "arguments": {"group_columns": [["a"]]}},
            "type",
            "rule_type_unknown",
        ),
        (
            {
                "type": "group_anomaly",
                "column": None,
                "arguments": {"group_columns": ["b", "a"]},
                "mask": ["a"],
            },
            "mask",
            "column_shown",
        ),
        ({"weight": 0}, "weight", "greater_than"),
        ({"is_shadow": "yes"}, "is_shadow", "bool_type"),
        ({"valid_from": "2026-01-01T00:00:00"}, "valid_from", "timezone_aware"),
        (
            {"valid_from": "2026-01-02T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
            "valid_to",
            "not_after_valid_from",
        ),
    ],
)
def test_wrong_field_is_refused_at_its_path(fields: dict[str, Any], path: str, code: str) -> None:
    found_path, found_code = fault_of(**fields)
    assert found_path.startswith(path)
    assert found_code == code


NO_PERCENT = [
    *("avg_between", "median_between", "quantile_between", "not_constant", "primary_key"),
    *("duplicate_rows", "no_gaps", "row_count_ratio", "distinct_values_equal_set", "schema_change"),
]


@pytest.mark.parametrize("name", NO_PERCENT)
def test_percentage_is_refused_where_no_rows_are_counted(name: str) -> None:
    example = RULE_TYPES[name].example
    Rule.model_validate({**example, "error_if": "> 5"})
    with pytest.raises(ValidationError, match="counts no rows; give a whole number"):
        Rule.model_validate({**example, "error_if": "> 5%"})


@pytest.mark.parametrize(
    ("type_", "column", "rows", "others"),
    [
        (
            "multicolumn_sum_equals",
            None,
            {"columns": ["a", "b"], "sum_total": 1},
            {"columns": ["a", "b"], "sum_total": 1, "per": "table"},
        ),
        ("consistent_casing", "a", {"case": "upper"}, {}),
    ],
)
def test_percentage_depends_on_what_its_arguments_have_it_count(
    type_: str, column: str | None, rows: dict[str, Any], others: dict[str, Any]
) -> None:
    rule = {"type": type_, "column": column, "warn_if": "> 5%"}
    Rule.model_validate({**rule, "arguments": rows})
    with pytest.raises(ValidationError, match="counts no rows"):
        Rule.model_validate({**rule, "arguments": others})


def test_inverted_range_is_refused() -> None:
    path, _ = fault_of(type="accepted_range", arguments={"min_value": 2, "max_value": 1})
    assert path == "arguments"


@pytest.mark.parametrize("text", ["{{ env_var('X') }}", "env_var('X')", "O'Brien", "a\\b", "\x85"])
def test_template_and_quote_characters_are_plain_text(text: str) -> None:
    found = rule(type="accepted_values", arguments={"values": [text]})
    assert found.arguments["values"] == [text]


def test_rule_set_survives_its_document() -> None:
    rules = tuple(strictly(Rule, entry.example) for entry in RULE_TYPES.values())
    rule_set = RuleSet("demo", TableName("flights", "flights"), rules)
    again = RuleSet.from_document(rule_set.document())
    assert again == rule_set
    assert again.hash == rule_set.hash


def test_hash_changes_with_what_can_change_a_verdict() -> None:
    table = TableName("a", "b")
    hashes = {
        RuleSet(connection, table, (found,)).hash
        for connection in ("one", "two")
        for found in (rule(), rule(error_if="> 1"), rule(column="other"))
    }
    assert len(hashes) == 6


def test_rule_stored_before_there_were_further_fields_is_the_same_rule() -> None:
    old = {
        "name": "known",
        "type": "not_null",
        "column": "id",
        "arguments": {},
        "severity": "error",
        "warn_if": "!= 0",
        "error_if": "> 3",
        "where": [],
        "dimension": "completeness",
        "kind": "business",
        "owner": None,
        "tags": [],
        "description": "",
        "is_active": True,
    }
    found = strictly(Rule, old)
    assert found == rule(name="known", error_if="> 3", kind="business")
    assert strictly(Rule, found.document()) == found


def test_hash_stays_where_only_the_description_changes() -> None:
    table = TableName("a", "b")
    described = rule(description="x", owner="ops", tags=["t"], business_impact="none", valid_from=T)
    assert RuleSet("one", table, (described,)).hash == RuleSet("one", table, (rule(),)).hash
    for field, value in {"is_shadow": True, "mask": ["id"], "sample_limit": 5, "weight": 2}.items():
        other = RuleSet("one", table, (rule(**{field: value}),))
        assert other.hash != RuleSet("one", table, (rule(),)).hash


T = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("day", "is_in_force"), [("2025-12-31", False), ("2026-01-01", True), ("2026-02-01", False)]
)
def test_rule_is_in_force_from_valid_from_until_before_valid_to(
    day: str, is_in_force: bool
) -> None:
    found = rule(valid_from=T, valid_to="2026-02-01T00:00:00Z")
    moment = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    assert found.is_in_force(moment) is is_in_force
    assert not rule(is_active=False).is_in_force(moment)
