"""Cases of the dimension uniqueness."""

from __future__ import annotations

from tests.differential.rule_types.case import alone, bad, case, good

CASES = (
    case("unique", "id", {}, good(3), bad(2, 5), good(0), good(0)),
    case("unique_combination_of_columns", None, {"columns": ["id", "kind"]},
         good(3), bad(1, 6), bad(1, 3), good(0)),
    case("unique_combination_of_columns", None,
         {"columns": ["low", "kind"], "ignore_row_if": "all_values_are_missing"},
         good(3), good(6), good(3), good(0)),
    case("unique_combination_of_columns", None,
         {"columns": ["id", "kind"], "ignore_row_if": "any_value_is_missing"},
         good(3), bad(1, 6), good(3), good(0)),
    case("unique_proportion_between", "id", {"min_value": 0.5},
         good(3), bad(1, 5), good(0), good(0)),
    case("unique_proportion_between", "id", {"max_value": 1, "inclusive": False},
         bad(1, 3), good(5), good(0), good(0)),
    case("distinct_count_between", "kind", {"min_value": 2, "max_value": 2},
         good(3), bad(1, 5), bad(1, 0), bad(1, 0)),
    case("unique_within_record", None, {"columns": ["id", "low", "other"]},
         bad(3, 3), bad(2, 6), good(3), good(0)),
    case("primary_key", None, {"columns": ["id"]}, good(3), bad(3, 6), bad(1, 3), good(0)),
    case("primary_key", None, {"columns": ["id", "low"]}, good(3), bad(2, 6), bad(1, 3), good(0)),
    case("duplicate_rows", None, {}, good(3), good(6), bad(1, 3), good(0)),
    case("duplicate_rows", None,
         {"exclude_columns": ["id", "name", "low", "high", "seen", "kind", "flag", 'Odd "name"',
                              "day", "doc"]},
         bad(1, 3), bad(2, 6), bad(1, 3), good(0)),
)  # fmt: skip

# Columns with the names that the query might have for a row; no row stands twice.
CASES_ALONE = (
    alone("shadowed", "duplicate_rows", None, {}, good(3)),
    alone("shadowed", "duplicate_rows", None, {"exclude_columns": ["id"]}, bad(1, 3)),
)
