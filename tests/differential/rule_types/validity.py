"""Cases of the dimension validity: values, and columns as a whole."""

from __future__ import annotations

from tests.differential.rule_types.case import bad, case, good

SET = {"values": ["x", "y"]}
PAIRS = {"other_column": "other", "pairs": [["x", 1], ["y", 1], ["x", 2], ["w", 9]]}
CASES = (
    case("accepted_values", "kind", SET, good(3), bad(2, 6), good(3), good(0)),
    case("accepted_values", "id", {"values": [1, 3, 2.0]}, good(3), good(6), good(3), good(0),
         plain=False),
    case("accepted_values", "kind", {"values": ["X", "Y", "z", "W"], "case_insensitive": True},
         good(3), good(6), good(3), good(0)),
    case("accepted_values", "kind", {"values": ["X", "Y"], "case_insensitive": True},
         good(3), bad(2, 6), good(3), good(0)),
    case("not_accepted_values", "kind", {"values": ["z", "w", "q"]},
         good(3), bad(2, 6), good(3), good(0)),
    case("accepted_range", "low", {"min_value": -4, "max_value": 9},
         good(3), bad(2, 6), good(3), good(0)),
    case("accepted_range", "low", {"max_value": 9, "inclusive": False},
         good(3), bad(2, 6), good(3), good(0)),
    case("pair_in_set", "kind", PAIRS, good(3), bad(3, 6), good(3), good(0)),
    case("not_in_future", "seen", {"offset": 60}, good(3), bad(1, 2), good(0), good(0)),
    case("not_in_future", "day", {}, good(3), bad(1, 4), good(0), good(0)),
    case("distinct_values_contain_set", "kind", SET, good(3), bad(1, 5), bad(2, 0), bad(2, 0)),
    case("distinct_values_contain_set", "day", {"values": ["2026-01-01", "2026-01-03"]},
         good(3), bad(1, 4), bad(2, 0), bad(2, 0)),
    case("distinct_values_contain_set", "low", {"values": [1, 2, 50]},
         bad(1, 3), bad(1, 5), bad(3, 0), bad(3, 0)),
    case("distinct_values_equal_set", "kind", SET, good(3), bad(3, 5), bad(2, 0), bad(2, 0)),
    case("not_constant", "flag", {}, good(3), good(4), good(0), good(0)),
    case("not_constant", "id", {}, good(3), good(5), good(0), good(0)),
    case("avg_between", "low", {"min_value": 2, "max_value": 2},
         good(3), bad(1, 5), good(0), good(0)),
    case("sum_between", "low", {"max_value": 6, "inclusive": False},
         bad(1, 3), bad(1, 5), good(0), good(0)),
    case("min_between", "low", {"min_value": 1}, good(3), bad(1, 5), good(0), good(0)),
    case("min_between", "day", {"max_value": "2026-01-01"}, good(3), good(4), good(0), good(0)),
    case("max_between", "low", {"min_value": 3, "max_value": 9},
         good(3), bad(1, 5), good(0), good(0)),
    case("max_between", "day", {"max_value": "2026-12-31"}, good(3), bad(1, 4), good(0), good(0)),
    case("median_between", "low", {"min_value": 2, "max_value": 3},
         good(3), good(5), good(0), good(0)),
    case("quantile_between", "low", {"quantile": 0.75, "max_value": 8},
         good(3), bad(1, 5), good(0), good(0)),
    case("stdev_between", "low", {"min_value": 1, "max_value": 1},
         good(3), bad(1, 5), good(0), good(0)),
)  # fmt: skip
