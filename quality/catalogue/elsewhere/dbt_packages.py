"""Tests of dbt_expectations 0.10 and dbt_utils 1.3 as rules.

Source: their macros, read for what they count, and what they do with NULL.
"""

from __future__ import annotations

from quality.catalogue.elsewhere.translation import (
    BOUNDS,
    MEASURES,
    PAIR,
    Alias,
    as_texts,
    by_groups,
    by_numbers,
    exactly,
    inclusive,
    of_column,
    ranged,
    sorted_by_itself,
    summed,
    whole,
    with_coalesced,
)

_STRICTLY = ("strictly",)
_CASE = "names of columns are compared without regard to case there: write {}"
_TYPES = "types are spelled as PostgreSQL does: write column_type or column_type_in"

DBT_EXPECTATIONS: dict[str, Alias] = {
    "expect_column_values_to_not_be_null": Alias("not_null"),
    "expect_column_values_to_be_null": Alias("is_null"),
    "expect_column_values_to_be_unique": Alias("unique"),
    "expect_column_values_to_not_match_regex": Alias("not_match_regex", same=("regex", "flags")),
    "expect_column_values_to_match_like_pattern": Alias("match_like", same=("like_pattern",)),
    "expect_column_values_to_not_match_like_pattern": Alias(
        "not_match_like", same=("like_pattern",)
    ),
    "expect_column_values_to_not_be_in_set": Alias(
        "not_accepted_values",
        {"value_set": "values"},
        same=("quote_values",),
        finish=as_texts,
    ),
    "expect_column_values_to_be_between": Alias(
        "accepted_range", same=(*BOUNDS, "strictly"), finish=by_numbers
    ),
    "expect_column_value_lengths_to_be_between": whole("string_length_between", _STRICTLY),
    "expect_column_value_lengths_to_equal": Alias(
        "string_length_between", same=("value",), finish=exactly
    ),
    "expect_compound_columns_to_be_unique": Alias(
        "unique_combination_of_columns",
        {"column_list": "columns"},
        same=("ignore_row_if",),
        assumed={"ignore_row_if": "all_values_are_missing"},
        allowed={"quote_columns": (True, False)},
    ),
    **{
        f"expect_column_{name}_to_be_between": ranged(kind, _STRICTLY)
        for name, kind in MEASURES.items()
    },
    "expect_column_quantile_values_to_be_between": Alias(
        "quantile_between", same=("quantile", *BOUNDS, "strictly"), finish=inclusive
    ),
    "expect_column_unique_value_count_to_be_between": whole("distinct_count_between", _STRICTLY),
    "expect_column_distinct_count_to_equal": Alias(
        "distinct_count_between", same=("value",), finish=exactly
    ),
    "expect_column_distinct_count_to_equal_other_table": Alias(
        "distinct_count_equals_other_table",
        {"compare_column_name": "compare_column"},
        same=("compare_model",),
    ),
    "expect_table_row_count_to_be_between": whole("row_count_between", _STRICTLY),
    "expect_table_row_count_to_equal": Alias("row_count_between", same=("value",), finish=exactly),
    "expect_table_row_count_to_equal_other_table": Alias(
        "row_count_ratio",
        same=("compare_model", "factor"),
        assumed={"factor": 1},
    ),
    "expect_table_row_count_to_equal_other_table_times_factor": Alias(
        "row_count_ratio", same=("compare_model", "factor")
    ),
    "expect_table_aggregation_to_equal_other_table": Alias(
        "aggregation_equals_other_table",
        same=("compare_model", "expression", "compare_expression", "tolerance"),
        finish=with_coalesced,
    ),
    "expect_table_column_count_to_equal_other_table": Alias(
        "column_count_equals_other_table", same=("compare_model",)
    ),
    "expect_column_pair_values_to_be_equal": Alias("columns_equal", PAIR),
    "expect_column_pair_values_A_to_be_greater_than_B": Alias(
        "column_greater_than", PAIR, same=("or_equal",)
    ),
    "expect_multicolumn_sum_to_equal": Alias(
        "multicolumn_sum_equals",
        {"column_list": "columns"},
        same=("sum_total",),
        given={"per": "table"},
        finish=summed,
    ),
    "expect_column_values_to_be_increasing": Alias(
        "increasing",
        {"group_by": "partition_by"},
        same=("sort_column", "strictly", "step"),
        finish=sorted_by_itself,
    ),
    "expect_column_values_to_be_decreasing": Alias(
        "decreasing",
        {"group_by": "partition_by"},
        same=("sort_column", "strictly", "step"),
        finish=sorted_by_itself,
    ),
    "expect_column_values_to_be_within_n_stdevs": Alias(
        "within_n_stdevs",
        {"group_by": "sum_by"},
        same=("sigma_threshold",),
        assumed={"sigma_threshold": 3},
        finish=by_groups,
    ),
    "expression_between": Alias(
        "expression_between", same=("expression", *BOUNDS, "strictly"), finish=inclusive
    ),
}

DBT_UTILS: dict[str, Alias] = {
    "not_null_proportion": Alias("not_null_proportion", same=("at_least", "at_most")),
    "not_empty_string": Alias("not_empty_string", same=("trim_whitespace",)),
    "not_constant": Alias("not_constant"),
    "accepted_range": Alias("accepted_range", same=(*BOUNDS, "inclusive"), finish=by_numbers),
    "at_least_one": Alias("at_least_one"),
    "not_accepted_values": Alias(
        "not_accepted_values", {"quote": "quote_values"}, same=("values",), finish=as_texts
    ),
    "unique_combination_of_columns": Alias(
        "unique_combination_of_columns",
        {"combination_of_columns": "columns"},
        allowed={"quote_columns": (True, False)},
    ),
    "relationships_where": Alias("relationships_where", same=("to", "field")),
    "cardinality_equality": Alias("cardinality_equality", same=("to", "field")),
    "equal_rowcount": Alias("equal_rowcount", same=("compare_model",)),
    "fewer_rows_than": Alias("fewer_rows_than", same=("compare_model",)),
    "equality": Alias("equality", same=("compare_model", "compare_columns")),
    "sequential_values": Alias(
        "sequential_values",
        {"group_by_columns": "partition_by"},
        same=("interval", "datepart"),
    ),
    "mutually_exclusive_ranges": Alias(
        "mutually_exclusive_ranges",
        {
            "lower_bound_column": "lower_column",
            "upper_bound_column": "upper_column",
            "zero_length_range_allowed": "zero_length_allowed",
        },
        same=("gaps",),
        refused={
            "partition_by": "partition_by is SQL: write the list of columns with the type "
            "mutually_exclusive_ranges"
        },
    ),
    "expression_is_true": Alias("expression_is_true", same=("expression",), finish=of_column),
    "recency": Alias(
        "recency",
        {"field": "column"},
        same=("datepart", "interval", "ignore_time_component"),
    ),
}

DIFFERENT: dict[str, str] = {
    **dict.fromkeys(
        ("expect_column_values_to_be_in_set", "expect_column_distinct_values_to_be_in_set"),
        "NULL violates it there: write accepted_values, and not_null",
    ),
    "expect_column_values_to_match_regex": (
        "NULL violates it there: write match_regex, and not_null"
    ),
    "expect_column_most_common_value_to_be_in_set": (
        "only the value in place top_n counts there: write most_common_value_in_set"
    ),
    "expect_row_values_to_have_recent_data": (
        "times in the future are left out there: write recency with a where "
        '({column: …, op: "<=", value: now})'
    ),
    "expect_column_to_exist": _CASE.format("column_exists"),
    "expect_table_columns_to_match_set": _CASE.format("columns_match_set"),
    "expect_table_columns_to_match_ordered_list": _CASE.format("columns_match_ordered_list"),
    "expect_table_columns_to_contain_set": _CASE.format("columns_contain_set"),
    "expect_table_columns_to_not_contain_set": _CASE.format("columns_not_contain_set"),
    **dict.fromkeys(
        ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"),
        _TYPES,
    ),
    "expect_column_values_to_be_within_n_moving_stdevs": (
        "a period without a deviation to compare with fails there on no account, one with a "
        "deviation of 0 neither; upper and lower thresholds differ: write "
        "within_n_moving_stdevs"
    ),
    "equal_expression": "write aggregation_equals_other_table",
    "expression_is_true": "write expression_is_true, and the rule's where",
}
"""What of dbt_expectations has an equal here that is not quite the same, and what to write."""
