"""Checks of Soda as rules: those of its contracts (`soda.missing`, …) and SodaCL's metrics.

Source: the reference of Soda's contract language. A check's threshold becomes the rule's: what must
hold there is what fails here where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quality.catalogue.elsewhere.translation import Differs

OWN_NAMES = ("missing_count", "missing_percent", "duplicate_count", "invalid_count")
"""Names that only Soda has."""
_BROKEN_IF = {
    "must_be": "!=",
    "must_not_be": "=",
    "must_be_greater_than": "<=",
    "must_be_greater_than_or_equal": "<",
    "must_be_less_than": ">=",
    "must_be_less_than_or_equal": ">",
}
_CHECKS = {
    "missing_count": "missing",
    "missing_percent": "missing",
    "duplicate_count": "duplicate",
    "invalid_count": "invalid",
}
_ZERO = ("!= 0", "> 0", ">= 1")
_LISTS = (("valid_values", "accepted_values"), ("invalid_values", "not_accepted_values"))
_LENGTHS = ("valid_length", "valid_min_length", "valid_max_length")


def rule_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The rule that a check stands for. Raises Differs where none means the same."""
    arguments = dict(document.get("arguments") or {})
    rule = {key: value for key, value in document.items() if key not in ("type", "arguments")}
    check = _CHECKS.get(name, name)
    if check == "row_count":
        return {**rule, **_row_count(arguments)}
    threshold, is_percent = _threshold(arguments, is_percent=name == "missing_percent")
    makers = {
        "missing": _missing,
        "duplicate": _duplicate,
        "invalid": _invalid,
        "failed_rows": _failed_rows,
    }
    if check not in makers:
        raise Differs(
            "has no equal that is known to be the same: write freshness, or a type such as "
            "avg_between"
        )
    made = makers[check](arguments, threshold, is_percent)
    if arguments:
        raise Differs(f"has no equal for {', '.join(sorted(arguments))} beside the rest")
    if threshold is None:
        return {**rule, **made}
    if {"warn_if", "error_if"} & rule.keys():
        raise Differs("takes a threshold of Soda's or warn_if and error_if, not both")
    return {**rule, **made, "warn_if": threshold, "error_if": threshold}


def _missing(arguments: dict[str, Any], _: str | None, __: bool) -> dict[str, Any]:
    if "missing_values" not in arguments:
        return {"type": "not_null", "arguments": {}}
    values = arguments.pop("missing_values")
    return {"type": "not_missing", "arguments": {"missing_values": values}}


def _duplicate(arguments: dict[str, Any], _: str | None, is_percent: bool) -> dict[str, Any]:
    if is_percent:
        raise Differs("counts duplicate values in percent of all: write unique_proportion_between")
    if "columns" in arguments:
        columns = {"columns": arguments.pop("columns")}
        return {"type": "unique_combination_of_columns", "arguments": columns}
    return {"type": "unique", "arguments": {}}


def _invalid(arguments: dict[str, Any], threshold: str | None, is_percent: bool) -> dict[str, Any]:
    if is_percent and not {"valid_min", "valid_max"} & arguments.keys():
        raise Differs("counts in percent of all rows: write the rule and its percentage")
    for name, kind in (
        ("valid_values", "accepted_values"),
        ("invalid_values", "not_accepted_values"),
    ):
        if name in arguments:
            if threshold not in (None, *_ZERO):
                raise Differs(f"{kind} counts values, not rows: only none (0) can be carried over")
            return {"type": kind, "arguments": {"values": arguments.pop(name)}}
    if {"valid_min", "valid_max"} & arguments.keys():
        ends = {
            ours: arguments.pop(theirs)
            for theirs, ours in (("valid_min", "min_value"), ("valid_max", "max_value"))
            if theirs in arguments
        }
        return {"type": "accepted_range", "arguments": ends}
    if set(_LENGTHS) & arguments.keys():
        exact = arguments.pop("valid_length", None)
        low = arguments.pop("valid_min_length", exact)
        high = arguments.pop("valid_max_length", exact)
        ends = {"min_value": low, "max_value": high}
        known = {end: value for end, value in ends.items() if value is not None}
        return {"type": "string_length_between", "arguments": known}
    raise Differs(
        "says what is valid by none of valid_values, invalid_values, valid_min, valid_max and "
        "valid_length; for a format write match_regex with PostgreSQL's regular expression"
    )


def _failed_rows(arguments: dict[str, Any], _: str | None, is_percent: bool) -> dict[str, Any]:
    if is_percent:
        raise Differs("has no percentage here: count rows")
    if "expression" in arguments:
        failing = arguments.pop("expression")
        return {"type": "expression_is_true", "arguments": {"expression": f"not ({failing})"}}
    return {"type": "failed_rows_sql", "arguments": {"query": arguments.pop("query", "")}}


def _row_count(arguments: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers: after `greater than 9` comes 10."""
    given = arguments.pop("threshold", arguments) or {"must_be_greater_than": 0}
    if not isinstance(given, Mapping):
        raise Differs("threshold must be a mapping, such as {must_be_greater_than: 0}")
    given = dict(given)
    between = given.pop("must_be_between", None)
    if isinstance(between, Mapping):
        given |= {f"must_be_{operator}": value for operator, value in between.items()}
    low = high = None
    for operator, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise Differs(f"{operator} must be a whole number")
        if operator == "must_be":
            low = high = value
        elif operator in ("must_be_greater_than", "must_be_greater_than_or_equal"):
            low = value + (operator == "must_be_greater_than")
        elif operator in ("must_be_less_than", "must_be_less_than_or_equal"):
            high = value - (operator == "must_be_less_than")
        else:
            raise Differs(f"has no equal for {operator}")
    ends = {"min_value": low, "max_value": high}
    known = {end: value for end, value in ends.items() if value is not None}
    return {"type": "row_count_between", "arguments": known}


def _threshold(arguments: dict[str, Any], *, is_percent: bool) -> tuple[str | None, bool]:
    """When the check is broken, None where it has no threshold; and whether that is a share."""
    given = arguments.pop("threshold", None)
    if given is None:
        given = {key: arguments.pop(key) for key in list(arguments) if key.startswith("must_")}
    if not isinstance(given, Mapping):
        raise Differs("threshold must be a mapping, such as {must_be: 0}")
    operators = {key: value for key, value in given.items() if key != "metric"}
    is_percent = is_percent or given.get("metric") == "percent"
    if not operators:
        return ("!= 0%" if is_percent else None), is_percent
    if len(operators) > 1:
        raise Differs("has several operators: write a rule for each")
    ((operator, value),) = operators.items()
    if operator not in _BROKEN_IF or isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Differs(f"has no equal for {operator}: {value}")
    return f"{_BROKEN_IF[operator]} {value}{'%' if is_percent else ''}", is_percent
