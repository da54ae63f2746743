"""Rules with the names of other tools: what they become, and what is refused with its remedy."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from quality.catalogue import RULE_TYPES
from quality.catalogue.aliases import canonical
from quality.catalogue.elsewhere import dbt_packages, great_expectations
from quality.catalogue.elsewhere.translation import Alias
from quality.rules import Rule

COLUMN = "c"
# Name, column and arguments there; type, column, arguments and thresholds here.
SAME: list[tuple[str, str | None, dict[str, Any], dict[str, Any]]] = [
    ("expect_column_values_to_not_be_null", COLUMN, {}, {"type": "not_null", "column": "c"}),
    ("expect_column_values_to_not_be_null", None, {"column": "d"},
     {"type": "not_null", "column": "d"}),
    ("expect_column_values_to_not_be_null", COLUMN, {"mostly": 0.95},
     {"type": "not_null", "error_if": "> 5%", "warn_if": "> 5%"}),
    ("expect_column_values_to_not_be_null", COLUMN, {"mostly": 0.999},
     {"type": "not_null", "error_if": "> 0.1%"}),
    ("expect_column_values_to_not_be_null", COLUMN, {"mostly": 1},
     {"type": "not_null", "error_if": "!= 0"}),
    ("gx.expect_column_values_to_match_json_schema", COLUMN, {"json_schema": {"type": "object"}},
     {"type": "json_schema", "arguments": {"json_schema": {"type": "object"}, "is_text": True}}),
    ("gx.expect_column_values_to_be_in_set", COLUMN, {"value_set": ["a", 1]},
     {"type": "accepted_values", "arguments": {"values": ["a", 1], "case_insensitive": False}}),
    # Both ends belong to the range, unless they are strict.
    ("expect_column_values_to_be_between", COLUMN, {"min_value": 1, "max_value": 9},
     {"type": "accepted_range",
      "arguments": {"min_value": 1, "max_value": 9, "inclusive": True}}),
    ("expect_column_values_to_be_between", COLUMN,
     {"min_value": 1, "max_value": 9, "strict_min": True, "strict_max": True},
     {"arguments": {"min_value": 1, "max_value": 9, "inclusive": False}}),
    ("expect_column_values_to_be_between", COLUMN, {"min_value": 1, "strict_min": True},
     {"arguments": {"min_value": 1, "inclusive": False}}),
    ("expect_column_values_to_be_between", COLUMN, {"min_value": 1, "strict_max": True},
     {"arguments": {"min_value": 1, "inclusive": True}}),
    ("dbt_expectations.expect_column_values_to_be_between", COLUMN,
     {"min_value": 1, "strictly": True}, {"arguments": {"min_value": 1, "inclusive": False}}),
    ("dbt_expectations.expect_column_values_to_be_between", COLUMN, {"max_value": 0.5},
     {"arguments": {"max_value": 0.5, "inclusive": True}}),
    ("expect_column_value_lengths_to_be_between", COLUMN,
     {"min_value": 2, "max_value": 5, "strict_min": True, "strict_max": True},
     {"type": "string_length_between", "arguments": {"min_value": 3, "max_value": 4}}),
    ("expect_column_value_lengths_to_be_between", COLUMN, {"min_value": 2, "mostly": 0.5},
     {"arguments": {"min_value": 2}, "error_if": "> 50%"}),
    ("expect_column_value_lengths_to_equal", COLUMN, {"value": 3},
     {"arguments": {"min_value": 3, "max_value": 3}}),
    ("expect_table_row_count_to_be_between", None,
     {"min_value": 0, "max_value": 10, "strict_max": True},
     {"type": "row_count_between", "arguments": {"min_value": 0, "max_value": 9}}),
    ("expect_table_row_count_to_equal", None, {"value": 0},
     {"arguments": {"min_value": 0, "max_value": 0}}),
    ("expect_compound_columns_to_be_unique", None, {"column_list": ["a", "b"]},
     {"type": "unique_combination_of_columns",
      "arguments": {"columns": ["a", "b"], "ignore_row_if": "all_values_are_missing"}}),
    ("dbt_utils.unique_combination_of_columns", None, {"combination_of_columns": ["a", "b"]},
     {"type": "unique_combination_of_columns",
      "arguments": {"columns": ["a", "b"], "ignore_row_if": "never"}}),
    ("dbt_expectations.expect_column_pair_values_A_to_be_greater_than_B", None,
     {"column_A": "a", "column_B": "b", "or_equal": True},
     {"type": "column_greater_than", "column": "a",
      "arguments": {"other_column": "b", "or_equal": True}}),
    ("expect_column_pair_values_a_to_be_greater_than_b", None,
     {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"},
     {"type": "column_greater_than", "column": "a",
      "arguments": {"other_column": "b", "or_equal": False}}),
    ("dbt_expectations.expect_multicolumn_sum_to_equal", None,
     {"column_list": ["a", "b"], "sum_total": 7},
     {"type": "multicolumn_sum_equals",
      "arguments": {"columns": ["a", "b"], "sum_total": 7, "tolerance": 0, "per": "table"}}),
    ("dbt_expectations.expect_multicolumn_sum_to_equal", None,
     {"column_list": ["a", "b"], "sum_total": "t"},
     {"arguments": {"columns": ["a", "b"], "total_column": "t", "tolerance": 0, "per": "table"}}),
    ("expect_multicolumn_sum_to_equal", None,
     {"column_list": ["a"], "sum_total": 7, "ignore_row_if": "any_value_is_missing"},
     {"arguments": {"columns": ["a"], "sum_total": 7, "tolerance": 0, "per": "row"}}),
    ("dbt_expectations.expect_column_values_to_be_increasing", COLUMN, {"group_by": ["g"]},
     {"type": "increasing",
      "arguments": {"sort_column": "c", "strictly": True, "partition_by": ["g"]}}),
    ("dbt_expectations.expect_column_values_to_not_be_in_set", COLUMN, {"value_set": [1, 2]},
     {"type": "not_accepted_values", "arguments": {"values": ["1", "2"]}}),
    ("dbt_expectations.expect_column_values_to_not_be_in_set", COLUMN,
     {"value_set": [1, 2], "quote_values": False}, {"arguments": {"values": [1, 2]}}),
    ("dbt_expectations.expect_table_aggregation_to_equal_other_table", None,
     {"expression": "sum(a)", "compare_model": "s.t", "tolerance": 2},
     {"type": "aggregation_equals_other_table",
      "arguments": {"expression": "coalesce(sum(a), 0)", "compare_model": "s.t",
                    "compare_where": [], "tolerance": 2}}),
    ("dbt_utils.expression_is_true", COLUMN, {"expression": ">= 0"},
     {"type": "expression_is_true", "column": None, "arguments": {"expression": '"c" >= 0'}}),
    ("dbt_utils.expression_is_true", None, {"expression": "a >= b"},
     {"arguments": {"expression": "a >= b"}}),
    ("dbt_utils.recency", None, {"field": "at", "datepart": "day", "interval": 2},
     {"type": "recency", "column": "at",
      "arguments": {"datepart": "day", "interval": 2, "ignore_time_component": False}}),
    ("dbt_utils.mutually_exclusive_ranges", None,
     {"lower_bound_column": "a", "upper_bound_column": "b", "gaps": "required"},
     {"type": "mutually_exclusive_ranges",
      "arguments": {"lower_column": "a", "upper_column": "b", "gaps": "required",
                    "zero_length_allowed": False}}),
    ("soda.missing", COLUMN, {}, {"type": "not_null", "error_if": "!= 0"}),
    # What must hold there is what fails here where it does not: 10 is too many already.
    ("soda.missing", COLUMN, {"threshold": {"must_be_less_than": 10}},
     {"type": "not_null", "warn_if": ">= 10", "error_if": ">= 10"}),
    ("soda.missing", COLUMN, {"threshold": {"metric": "percent", "must_be_less_than_or_equal": 5}},
     {"error_if": "> 5%"}),
    ("missing_count", COLUMN, {"missing_values": ["n/a"], "must_be": 0},
     {"type": "not_missing", "error_if": "!= 0"}),
    ("missing_percent", COLUMN, {"must_be_less_than": 5}, {"error_if": ">= 5%"}),
    ("soda.invalid", COLUMN, {"valid_values": ["a"]}, {"type": "accepted_values"}),
    ("soda.invalid", COLUMN, {"valid_min": 1, "valid_max": 2, "must_be_less_than": 3},
     {"type": "accepted_range", "error_if": ">= 3",
      "arguments": {"min_value": 1, "max_value": 2, "inclusive": True}}),
    ("soda.invalid", COLUMN, {"valid_length": 3},
     {"type": "string_length_between", "arguments": {"min_value": 3, "max_value": 3}}),
    ("soda.duplicate", None, {"columns": ["a", "b"]}, {"type": "unique_combination_of_columns"}),
    ("duplicate_count", COLUMN, {"must_be": 0}, {"type": "unique"}),
    ("soda.row_count", None, {}, {"type": "row_count_between", "arguments": {"min_value": 1}}),
    ("soda.row_count", None,
     {"threshold": {"must_be_between": {"greater_than": 9, "less_than_or_equal": 20}}},
     {"arguments": {"min_value": 10, "max_value": 20}}),
    ("soda.failed_rows", None, {"expression": "a > b"},
     {"type": "expression_is_true", "arguments": {"expression": "not (a > b)"}}),
    ("nullValues", COLUMN, {"mustBe": 0}, {"type": "not_null", "column": "c", "error_if": "!= 0"}),
    ("odcs.nullValues", COLUMN, {"mustBeLessThan": 5, "unit": "percent"}, {"error_if": ">= 5%"}),
    # Neither end belongs to the standard's range.
    ("rowCount", None, {"mustBeBetween": [10, 20]},
     {"type": "row_count_between", "arguments": {"min_value": 11, "max_value": 19}}),
    ("rowCount", None, {"mustBeGreaterThan": 10}, {"arguments": {"min_value": 11}}),
]  # fmt: skip
DIFFERENT: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("expect_column_values_to_be_between", COLUMN,
     {"min_value": 1, "max_value": 9, "strict_min": True}, "write two rules"),
    ("expect_column_values_to_be_in_set", COLUMN, {"value_set": [1], "mostly": 0.9}, "error_if"),
    ("expect_column_mean_to_be_between", COLUMN, {"min_value": 1}, "avg_between and at_least_one"),
    ("expect_column_values_to_match_regex", COLUMN, {"regex": "a"}, "match_regex"),
    ("expect_column_pair_values_to_be_equal", None, {"column_A": "a", "column_B": "b"},
     "ignore_row_if: either_value_is_missing"),
    ("expect_column_values_to_not_be_null", COLUMN, {"row_condition": "a = 1"}, "the rule's where"),
    ("expect_column_values_to_not_be_null", COLUMN, {"mostly": 2}, "from 0 to 1"),
    ("expect_the_unexpected", COLUMN, {}, "no equal"),
    ("dbt_expectations.expect_column_values_to_be_in_set", COLUMN, {"value_set": [1]}, "NULL"),
    ("dbt_expectations.expect_column_values_to_be_within_n_stdevs", COLUMN, {}, "group_by"),
    ("dbt_expectations.expect_column_mean_to_be_between", COLUMN, {"group_by": ["a"]},
     "group_by on the rule"),
    ("dbt_utils.accepted_range", COLUMN, {"min_value": "other_column"}, "the value itself"),
    ("dbt_utils.accepted_range", COLUMN, {"min_value": 1, "where": "x"}, "the argument where"),
    ("dbt_utils.equality", None, {"compare_model": "s.t", "exclude_columns": ["a"]},
     "compare_columns"),
    ("dbt_utils.relationships_where", COLUMN, {"to": "s.t", "field": "f", "to_condition": "x"},
     "to_where"),
    ("dbt_utils.no_such_test", COLUMN, {}, "no equal"),
    ("soda.freshness", COLUMN, {}, "freshness"),
    ("soda.duplicate", COLUMN, {"threshold": {"metric": "percent", "must_be": 0}}, "proportion"),
    ("soda.invalid", COLUMN, {"valid_values": ["a"], "must_be_less_than": 3}, "counts values"),
    ("soda.invalid", COLUMN, {"valid_values": ["a"], "valid_min": 1}, "valid_min beside"),
    ("soda.missing", COLUMN, {"must_be": True}, "must_be"),
    ("soda.row_count", None, {"must_be_greater_than": 1.5}, "whole number"),
    ("nullValues", COLUMN, {}, "mustBe"),
    ("rowCount", None, {"mustBe": 1, "unit": "percent"}, "percentage"),
]  # fmt: skip


def written(name: str, column: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
    found = {"name": "r", "type": name, "arguments": arguments, "owner": "ops"}
    return found if column is None else {**found, "column": column}


@pytest.mark.parametrize(("name", "column", "arguments", "ours"), SAME)
def test_what_means_the_same_becomes_a_rule_of_the_catalogue(
    name: str, column: str | None, arguments: dict[str, Any], ours: dict[str, Any]
) -> None:
    theirs = written(name, column, arguments)
    document = Rule.model_validate(theirs).document()
    assert {key: document[key] for key in ours} == ours
    assert (document["name"], document["owner"]) == ("r", "ops")
    assert theirs == written(name, column, arguments), "what was given is left as it is"
    assert Rule.model_validate(document).document() == document


@pytest.mark.parametrize(("name", "column", "arguments", "remedy"), DIFFERENT)
def test_what_differs_is_refused_with_what_to_write(
    name: str, column: str | None, arguments: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Rule.model_validate(written(name, column, arguments))
    (error,) = refused.value.errors()
    assert error["type"] == "alias_differs"
    assert remedy in error["msg"]
    assert error["msg"].startswith(name)


@pytest.mark.parametrize("threshold", ["error_if", "warn_if"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("expect_column_values_to_not_be_null", {"mostly": 0.5}),
        ("soda.missing", {"must_be": 0}),
        ("nullValues", {"mustBe": 0}),
    ],
)
def test_two_thresholds_are_one_too_many(
    name: str, arguments: dict[str, Any], threshold: str
) -> None:
    with pytest.raises(ValidationError, match="not both"):
        Rule.model_validate({**written(name, COLUMN, arguments), threshold: "> 3"})


def test_every_alias_leads_to_a_type_of_the_catalogue() -> None:
    tables = (great_expectations.ALIASES, dbt_packages.DBT_EXPECTATIONS, dbt_packages.DBT_UTILS)
    for aliases in tables:
        for name, alias in aliases.items():
            assert isinstance(alias, Alias)
            fields = {
                field.alias or key
                for key, field in RULE_TYPES[alias.type].arguments.model_fields.items()
            }
            named = {*alias.renamed.values(), *alias.given} - {"column"}
            mended = {"strict_min", "strict_max", "strictly", "value", "quote_values"}
            assert named - mended <= fields, name
            assert {*alias.same} - mended <= fields, name


@pytest.mark.parametrize("entry", RULE_TYPES.values(), ids=RULE_TYPES)
def test_the_catalogue_s_own_names_stay_as_they_are(entry: Any) -> None:
    assert canonical(entry.example) == entry.example


@pytest.mark.parametrize("document", [{}, {"type": 7}, {"type": "x", "arguments": 3}, {"a": 1}])
def test_what_is_no_rule_is_left_to_the_rule_s_own_validation(document: dict[str, Any]) -> None:
    assert canonical(document) is document


def test_freshness_warns_before_it_fails() -> None:
    hour, day = {"count": 1, "period": "hour"}, {"count": 1, "period": "day"}

    def thresholds(arguments: dict[str, Any], **own: Any) -> tuple[str, str, str]:
        rule = Rule.model_validate(
            {"type": "freshness", "column": "at", "arguments": arguments, **own}
        )
        assert Rule.model_validate(rule.document()).document() == rule.document()
        return rule.severity, rule.warn_if, rule.error_if

    both = {"warn_after": hour, "error_after": day}
    assert thresholds(both) == ("error", "!= 0", "> 1")
    assert thresholds({"warn_after": hour}) == ("warn", "!= 0", "!= 0")
    assert thresholds({"error_after": hour}) == ("error", "!= 0", "!= 0")
    assert thresholds(both, error_if="!= 0") == ("error", "!= 0", "!= 0")
    assert thresholds({"warn_after": hour}, severity="error") == ("error", "!= 0", "!= 0")
