"""Expectations of Great Expectations 1 as rules.

Source: its gallery of expectations and their implementations. Its back ends disagree on rows with
one NULL of two; such rules are taken only where they say that these rows do not count.
"""

from __future__ import annotations

from quality.catalogue.elsewhere.translation import (
    MEASURES,
    PAIR,
    Alias,
    exactly,
    ranged,
    whole,
)

_EITHER = {
    "ignore_row_if": "a row with NULL in one of the two never violates the rule here: add "
    "ignore_row_if: either_value_is_missing, or write columns_equal with nulls_equal, or not_null"
}
_NO_VALUES = "a column without values fails there and passes here: write {} and at_least_one"
_TYPES = "types are spelled as PostgreSQL does: write column_type or column_type_in"

ALIASES: dict[str, Alias] = {
    "expect_column_values_to_not_be_null": Alias("not_null", mostly="same"),
    "expect_column_values_to_be_null": Alias("is_null", mostly="same"),
    "expect_column_values_to_be_unique": Alias(
        "unique", refused={"mostly": "unique counts values, mostly rows: write unique alone"}
    ),
    "expect_compound_columns_to_be_unique": Alias(
        "unique_combination_of_columns",
        {"column_list": "columns"},
        same=("ignore_row_if",),
        assumed={"ignore_row_if": "all_values_are_missing"},
    ),
    "expect_select_column_values_to_be_unique_within_record": Alias(
        "unique_within_record",
        {"column_list": "columns"},
        assumed={"ignore_row_if": "all_values_are_missing"},
        allowed={"ignore_row_if": ("any_value_is_missing",)},
        refused={
            "ignore_row_if": "NULL is never equal to another one here: add ignore_row_if: "
            "any_value_is_missing, and not_null where a value must be there"
        },
    ),
    "expect_column_values_to_be_in_set": Alias(
        "accepted_values", {"value_set": "values"}, mostly="differs"
    ),
    "expect_column_values_to_not_be_in_set": Alias(
        "not_accepted_values", {"value_set": "values"}, mostly="differs"
    ),
    "expect_column_distinct_values_to_be_in_set": Alias("accepted_values", {"value_set": "values"}),
    "expect_column_distinct_values_to_contain_set": Alias(
        "distinct_values_contain_set", {"value_set": "values"}
    ),
    "expect_column_distinct_values_to_equal_set": Alias(
        "distinct_values_equal_set", {"value_set": "values"}
    ),
    "expect_column_values_to_match_json_schema": Alias(
        "json_schema",
        same=("json_schema",),
        given={"is_text": True},
        mostly="same",
    ),
    "expect_column_values_to_be_between": ranged("accepted_range", mostly="differs"),
    "expect_column_value_lengths_to_be_between": whole("string_length_between", mostly="same"),
    "expect_column_value_lengths_to_equal": Alias(
        "string_length_between", same=("value",), finish=exactly, mostly="same"
    ),
    "expect_column_values_to_match_like_pattern": Alias(
        "match_like", same=("like_pattern",), mostly="unknown"
    ),
    "expect_column_values_to_not_match_like_pattern": Alias(
        "not_match_like", same=("like_pattern",), mostly="unknown"
    ),
    "expect_column_unique_value_count_to_be_between": whole("distinct_count_between"),
    "expect_table_row_count_to_be_between": whole("row_count_between"),
    "expect_table_row_count_to_equal": Alias("row_count_between", same=("value",), finish=exactly),
    "expect_table_column_count_to_be_between": whole("column_count_between"),
    "expect_table_column_count_to_equal": Alias(
        "column_count_between", same=("value",), finish=exactly
    ),
    "expect_table_columns_to_match_ordered_list": Alias(
        "columns_match_ordered_list", {"column_list": "columns"}
    ),
    "expect_table_columns_to_match_set": Alias(
        "columns_match_set",
        {"column_set": "columns"},
        allowed={"exact_match": (True,)},
        refused={"exact_match": "write columns_contain_set for exact_match: false"},
    ),
    "expect_column_to_exist": Alias(
        "column_exists",
        refused={"column_index": "write index in column_exists, which counts from 1, not from 0"},
    ),
    "expect_column_pair_values_to_be_equal": Alias(
        "columns_equal",
        PAIR,
        assumed={"ignore_row_if": "both_values_are_missing"},
        allowed={"ignore_row_if": ("either_value_is_missing",)},
        refused=_EITHER,
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": Alias(
        "column_greater_than",
        PAIR,
        same=("or_equal",),
        assumed={"ignore_row_if": "both_values_are_missing"},
        allowed={"ignore_row_if": ("either_value_is_missing",)},
        refused=_EITHER,
    ),
    "expect_multicolumn_sum_to_equal": Alias(
        "multicolumn_sum_equals",
        {"column_list": "columns"},
        same=("sum_total",),
        assumed={"ignore_row_if": "all_values_are_missing"},
        allowed={"ignore_row_if": ("any_value_is_missing",)},
        refused={
            "ignore_row_if": "a row with NULL in one of the columns never violates the rule here: "
            "add ignore_row_if: any_value_is_missing, and not_null where a value must be there"
        },
    ),
}
ALIASES["expect_column_pair_values_A_to_be_greater_than_B"] = ALIASES[
    "expect_column_pair_values_a_to_be_greater_than_b"
]

DIFFERENT: dict[str, str] = {
    **{
        f"expect_column_{name}_to_be_between": _NO_VALUES.format(kind)
        for name, kind in MEASURES.items()
    },
    "expect_column_proportion_of_unique_values_to_be_between": _NO_VALUES.format(
        "unique_proportion_between"
    ),
    "expect_column_quantile_values_to_be_between": "write quantile_between for each quantile",
    **dict.fromkeys(
        ("expect_column_values_to_match_regex", "expect_column_values_to_not_match_regex"),
        "the regular expression is PostgreSQL's here, and matches anywhere: write match_regex "
        "or not_match_regex, with ^ where it must match at the beginning",
    ),
    **dict.fromkeys(
        ("expect_column_values_to_be_increasing", "expect_column_values_to_be_decreasing"),
        "rows have no order of their own: write increasing or decreasing with sort_column",
    ),
    "expect_column_value_z_scores_to_be_less_than": (
        "a value at the threshold itself fails there: write within_n_stdevs"
    ),
    "expect_column_most_common_value_to_be_in_set": (
        "values that are equally common all count here: write most_common_value_in_set"
    ),
    **dict.fromkeys(
        ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"),
        _TYPES,
    ),
    "unexpected_rows_expectation": "write failed_rows_sql, whose query reads `checked`",
}
"""What has an equal here that is not quite the same, and what to write."""
