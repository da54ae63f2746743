"""Cases of the dimension validity: the table's definition, which is the same for all tables."""

from __future__ import annotations

from typing import Any

from tests.differential.rule_types.case import TypeCase, bad, case, good

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
