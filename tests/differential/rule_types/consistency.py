"""Cases of the dimension consistency."""

from __future__ import annotations

from tests.differential.rule_types.case import alone, bad, case, good

PARENT = {"to": "ruled.parents", "field": "key"}
ONE = [{"column": "key", "op": "<", "value": 2}]
CLEAN = {"compare_model": "ruled.clean"}
DIRTY = {"compare_model": "ruled.dirty"}
CASES = (
    case("relationships", "other", PARENT, good(3), bad(3, 5), good(0), good(0)),
    case("relationships_where", "other", {**PARENT, "to_where": ONE},
         bad(1, 3), bad(3, 5), good(0), good(0)),
    case("relationships_where", "other", PARENT, good(3), bad(3, 5), good(0), good(0)),
    # clean has 1, 1, 2, its own twin; dirty 1, 1, 7, 7, 9, NULL.
    case("cardinality_equality", "other", {"to": "ruled.clean", "field": "other"},
         good(3), bad(4, 6), bad(3, 3), bad(2, 0)),
    case("cardinality_equality", "other",
         {"to": "ruled.clean", "field": "other",
          "to_where": [{"column": "id", "op": ">", "value": 100}]},
         bad(2, 3), bad(4, 6), bad(1, 3), good(0)),
    case("equal_rowcount", None, CLEAN, good(3), bad(3, 6), good(3), bad(3, 0)),
    case("equal_rowcount", None,
         {**CLEAN, "compare_where": [{"column": "id", "op": ">=", "value": 2}]},
         bad(1, 3), bad(4, 6), bad(1, 3), bad(2, 0)),
    case("fewer_rows_than", None, CLEAN, bad(1, 3), bad(3, 6), bad(1, 3), good(0)),
    case("row_count_ratio", None, {**DIRTY, "factor": 0.5}, good(3), bad(1, 6), good(3), bad(1, 0)),
    case("row_count_ratio", None, {**DIRTY, "factor": 0.8, "tolerance_percent": 40},
         good(3), good(6), good(3), bad(1, 0)),
    case("equality", None, {**CLEAN, "compare_columns": ["id", "kind"]},
         good(3), bad(6, 6), bad(4, 3), bad(3, 0)),
    case("table_diff", None, {**CLEAN, "keys": ["id"], "compare_columns": ["low", "kind"]},
         good(3), bad(6, 6), bad(6, 3), bad(3, 0)),
    case("table_diff", None, {**CLEAN, "keys": ["id"]}, good(3), bad(2, 6), bad(6, 3), bad(3, 0)),
    case("aggregation_equals_other_table", None, {**CLEAN, "expression": "sum(low)"},
         good(3), bad(1, 6), bad(1, 3), bad(1, 0)),
    case("aggregation_equals_other_table", None,
         {**CLEAN, "expression": "max(high)", "compare_expression": "sum(high)", "tolerance": 4.5},
         good(3), bad(1, 6), bad(1, 3), bad(1, 0)),
    case("aggregation_equals_other_table", None,
         {**CLEAN, "expression": "count(*)", "tolerance_percent": 50},
         good(3), good(6), good(3), bad(1, 0)),
    # The greatest of dirty is NaN: equal to itself, and far from every number.
    case("aggregation_equals_other_table", None, {**DIRTY, "expression": "max(high)"},
         bad(1, 3), good(6), bad(1, 3), bad(1, 0)),
    case("aggregation_equals_other_table", None,
         {**DIRTY, "expression": "max(high)", "tolerance": 1},
         bad(1, 3), good(6), bad(1, 3), bad(1, 0)),
    case("aggregation_equals_other_table", None,
         {**DIRTY, "expression": "max(high)", "tolerance_percent": 10},
         bad(1, 3), good(6), bad(1, 3), bad(1, 0)),
    case("aggregation_equals_other_table", None,
         {**CLEAN, "expression": "max(high)", "tolerance_percent": 10},
         good(3), bad(1, 6), bad(1, 3), bad(1, 0)),
    case("distinct_count_equals_other_table", "other", CLEAN,
         good(3), bad(1, 5), bad(1, 0), bad(1, 0)),
    case("distinct_count_equals_other_table", "other", {**CLEAN, "compare_column": "id"},
         bad(1, 3), good(5), bad(1, 0), bad(1, 0)),
    case("column_count_equals_other_table", None, CLEAN,
         good(None), good(None), good(None), good(None)),
    case("column_count_equals_other_table", None, {"compare_model": "ruled.parents"},
         bad(1, None), bad(1, None), bad(1, None), bad(1, None)),
    case("multicolumn_sum_equals", None, {"columns": ["low", "high"], "sum_total": 7},
         bad(2, 3), bad(4, 6), good(3), good(0)),
    case("multicolumn_sum_equals", None,
         {"columns": ["id", "other"], "total_column": "low", "tolerance": 2},
         good(3), bad(3, 6), good(3), good(0)),
    case("multicolumn_sum_equals", None,
         {"columns": ["id", "other"], "sum_total": 10, "per": "table"},
         good(3), bad(1, 6), good(3), good(0)),
    case("multicolumn_sum_equals", None,
         {"columns": ["id", "other"], "total_column": "low", "per": "table", "tolerance": 4},
         good(3), bad(1, 6), good(3), good(0)),
    case("columns_equal", "id", {"other_column": "low"}, good(3), bad(3, 6), good(3), good(0)),
    case("columns_equal", "id", {"other_column": "low", "nulls_equal": True},
         good(3), bad(5, 6), good(3), good(0)),
    case("exposure_schema", None,
         {"needed_columns": [{"name": "id", "type": "integer"}, {"name": "seen"}]},
         good(None), good(None), good(None), good(None)),
    case("exposure_schema", None,
         {"exposure": "a page", "needed_columns": [{"name": "id", "type": "bigint"},
                                                   {"name": "gone"}, {"name": "doc"}]},
         bad(2, None), bad(2, None), bad(2, None), bad(2, None)),
)  # fmt: skip

# One row has all of 2**53 + 1, which a float has not; the other nothing.
_SUM = {"columns": ["half", "rest"]}
CASES_ALONE = (
    alone("summed", "multicolumn_sum_equals", None,
          {**_SUM, "sum_total": 2**53 + 1, "per": "table"}, good(2)),
    alone("summed", "multicolumn_sum_equals", None,
          {**_SUM, "sum_total": 2**53, "per": "table"}, bad(1, 2)),
    alone("summed", "multicolumn_sum_equals", None, {**_SUM, "sum_total": 2**53 + 1}, bad(1, 2)),
    alone("summed", "multicolumn_sum_equals", None,
          {**_SUM, "sum_total": 0, "tolerance": 2**53 + 1}, good(2)),
    alone("summed", "multicolumn_sum_equals", None,
          {**_SUM, "sum_total": 0, "tolerance": 2**53}, bad(1, 2)),
)  # fmt: skip
