"""Cases of the dimension validity: the table's definition, which is the same for all tables."""

from __future__ import annotations

from typing import Any

from tests.differential.rule_types.case import TypeCase, alone, bad, case, good

NAMES = ["id", "name", "low", "high", "seen", "kind", "other", "flag", 'Odd "name"', "day", "doc"]


def _same(kind: str, column: str | None, arguments: dict[str, Any], failures: int) -> TypeCase:
    found = bad(failures, None) if failures else good(None)
    return case(kind, column, arguments, found, found, found, found)


CASES = (
    _same("column_exists", "id", {}, 0),
    _same("column_exists", "id", {"index": 1}, 0),
    _same("column_exists", "name", {"index": 1}, 1),
    _same("column_exists", "not_there", {}, 1),
    _same("column_type", "id", {"type": "int4"}, 0),
    _same("column_type", "id", {"type": "bigint"}, 1),
    _same("column_type", "seen", {"type": "timestamp with time zone"}, 0),
    _same("column_type", "code", {"type": "varchar(10)"}, 1),
    _same("column_type", "high", {"type": "no_such_type"}, 1),
    _same("column_type_in", "low", {"types": ["text", "integer"]}, 0),
    _same("column_type_in", "low", {"types": ["text", "numeric(10,2)"]}, 1),
    _same("columns_match_set", None, {"columns": sorted(NAMES)}, 0),
    _same("columns_match_set", None, {"columns": ["id", "name", "ID", "x"]}, 11),
    _same("columns_match_ordered_list", None, {"columns": NAMES}, 0),
    _same("columns_match_ordered_list", None, {"columns": ["name", "id", *NAMES[2:9]]}, 4),
    _same("columns_contain_set", None, {"columns": ["low", 'Odd "name"']}, 0),
    _same("columns_contain_set", None, {"columns": ["low", "nope", "no"]}, 2),
    _same("columns_not_contain_set", None, {"columns": ["nope", "no"]}, 0),
    _same("columns_not_contain_set", None, {"columns": ["low", "no"]}, 1),
    _same("column_count_between", None, {"min_value": 11, "max_value": 11}, 0),
    _same("column_count_between", None, {"max_value": 10}, 1),
)

# Each column is of the type, and of no other with a length or a precision.
SPELLED: dict[str, tuple[list[str], list[str]]] = {
    "whole": (
        ["numeric(10)", "numeric(10,0)", "decimal( 10 , 0 )", "pg_catalog.numeric(10)", "numeric"],
        ["numeric(1)", "numeric(10,2)", "varchar(10)"],
    ),
    "rounded": (["numeric(10,-2)"], ["numeric(10)", "numeric(10,2)"]),
    "bare": (["numeric"], ["numeric(10)", "numeric(10,0)"]),
    "at": (
        ["timestamp(3)", "timestamp(3) without time zone", "timestamp (3)"],
        ["timestamp(2)", "timestamptz(3)", "time(3)"],
    ),
    "at_zone": (["timestamptz(3)", "timestamp(3) with time zone"], ["timestamptz(0)"]),
    "clock": (["time(3)", "time(3) without time zone"], ["time(0)", "timetz(3)"]),
    "clock_zone": (["timetz(3)", "time(3) with time zone"], ["timetz(0)"]),
    "word": (["varchar(10)", "character varying(10)"], ["varchar(1)", "char(10)", "varchar(10)[]"]),
    "words": (
        ["varchar(10)[]", "character varying(10)[]", "varchar[]"],
        ["varchar(9)[]", "varchar(10)", "text[]"],
    ),
    "code": (["char(5)", "character(5)", "bpchar(5)"], ["char(1)", "varchar(5)"]),
    "lasted": (["interval(3)"], ["interval(0)"]),
    "bits": (["bit(3)"], ["bit(1)", "varbit(3)"]),
}
CASES_ALONE = (
    *(
        alone("spelled", "column_type", column, {"type": name}, found)
        for column, (right, wrong) in SPELLED.items()
        for names, found in ((right, good(None)), (wrong, bad(1, None)))
        for name in names
    ),
    alone("spelled", "column_type_in", "whole", {"types": ["text", "numeric(10)"]}, good(None)),
    alone(
        *("spelled", "column_type_in", "words"),
        *({"types": ["varchar(9)[]", "numeric(10)"]}, bad(1, None)),
    ),
)
