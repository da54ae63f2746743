"""Cases of the dimension completeness. The dirty table has 6 rows, the others 3, 3 and none."""

from __future__ import annotations

from tests.differential.rule_types.case import bad, case, good

DAILY = {"datepart": "day", "start": "2026-01-01", "end": "2026-01-05"}
CASES = (
    case("not_null", "id", {}, good(3), bad(1, 6), bad(3, 3), good(0)),
    case("is_null", "id", {}, bad(3, 3), bad(5, 6), good(3), good(0)),
    case("not_null_proportion", "low", {"at_least": 0.9}, good(3), bad(1, 6), bad(1, 3), good(0)),
    case("not_null_proportion", "low", {"at_least": 0.8}, good(3), good(6), bad(1, 3), good(0)),
    case(
        *("not_null_proportion", "low", {"at_least": 0, "at_most": 0.5}),
        *(bad(1, 3), bad(1, 6), good(3), good(0)),
    ),
    case("not_empty_string", "name", {}, good(3), bad(2, 5), good(0), good(0)),
    case(
        *("not_empty_string", "name", {"trim_whitespace": False}),
        *(good(3), bad(1, 5), good(0), good(0)),
    ),
    case(
        *("not_missing", "kind", {"missing_values": ["w", "?"]}),
        *(good(3), bad(3, 6), bad(3, 3), good(0)),
    ),
    case(
        *("not_missing", "name", {"missing_values": [""], "missing_regex": "^ +$"}),
        *(good(3), bad(3, 6), bad(3, 3), good(0)),
    ),
    case("not_missing", "low", {"missing_values": [50]}, good(3), bad(2, 6), bad(3, 3), good(0)),
    case("not_missing", "low", {"missing_regex": "^-"}, good(3), bad(2, 6), bad(3, 3), good(0)),
    case("at_least_one", "low", {}, good(3), good(6), bad(1, 3), bad(1, 0)),
    case("required_together", None, {"columns": ["id", "low", "kind"]},
         good(3), bad(2, 6), bad(3, 3), good(0)),
    case("required_together", None, {"columns": ["id", "name"], "required": "any"},
         good(3), bad(1, 6), bad(3, 3), good(0)),
    case("required_together", None, {"columns": ["high", "seen"], "required": "exactly_one"},
         bad(3, 3), bad(3, 6), bad(3, 3), good(0)),
    case("row_count_between", None, {"min_value": 1, "max_value": 5},
         good(3), bad(1, 6), good(3), bad(1, 0)),
    case("rows_inserted_between", "seen", {"datepart": "hour", "interval": 1, "min_value": 1},
         good(3), bad(1, 6), bad(1, 3), bad(1, 0)),
    case("rows_inserted_between", "seen", {"datepart": "month", "interval": 2, "max_value": 1},
         bad(1, 3), good(6), good(3), good(0)),
    case("no_gaps", "day", {}, good(3), bad(1, 4), good(0), good(0)),
    case("no_gaps", "day", DAILY, bad(1, 3), bad(2, 4), bad(1, 0), bad(1, 0)),
    case("no_gaps", "day", {**DAILY, "interval": 3}, bad(1, 3), good(4), bad(1, 0), bad(1, 0)),
    case("no_gaps", "day", {"datepart": "month"}, good(3), good(4), good(0), good(0)),
    case("no_gaps", "day", {"datepart": "week", "end": "2026-01-12"},
         bad(1, 3), bad(1, 4), good(0), good(0)),
)  # fmt: skip
