"""The quality metrics of the Open Data Contract Standard as rules.

Source: Open Data Contract Standard 3.1.0, "Data Quality"
(https://bitol-io.github.io/open-data-contract-standard/v3.1.0/data-quality/); the names of rules of
3.0 are taken too. A metric with an operator becomes a rule that fails where the operator does not
hold. `mustBeBetween` has neither end in it: the standard calls it the equal of `mustBeGreaterThan`
with `mustBeLessThan`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from quality.errors import InvalidInput

# By which comparison of the metric the contract is broken.
_BROKEN_IF = {
    "mustBe": "!=",
    "mustNotBe": "=",
    "mustBeGreaterThan": "<=",
    "mustBeGreaterOrEqualTo": "<",
    "mustBeLessThan": ">=",
    "mustBeLessOrEqualTo": ">",
}
_BETWEEN = ("mustBeBetween", "mustNotBeBetween")
OPERATORS = (*_BROKEN_IF, *_BETWEEN)
METRICS = {
    "rowCount": "rowCount",
    "countCheck": "rowCount",
    "nullValues": "nullValues",
    "nullCheck": "nullValues",
    "missingValues": "missingValues",
    "invalidValues": "invalidValues",
    "validValues": "invalidValues",
    "duplicateValues": "duplicateValues",
    "duplicateCount": "duplicateValues",
    "duplicateCheck": "duplicateValues",
}
"""The standard's names, older ones too, and what they are now."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The contract is broken where the metric compares so; of a range, where it lies in between."""

    comparison: str
    number: float
    upper: float | None = None


def broken_if(entry: dict[str, Any]) -> list[Broken]:
    """When an entry's metric breaks the contract: any of these.

    Raises InvalidInput where the operators cannot be read, or there is none.
    """
    found = []
    for name in OPERATORS:
        if name not in entry:
            continue
        value = entry[name]
        if name in _BROKEN_IF:
            found.append(Broken(_BROKEN_IF[name], _number(name, value)))
            continue
        if not isinstance(value, list) or len(value) != 2:
            raise InvalidInput(f"{name} takes a list of two numbers")
        low, high = (_number(name, item) for item in value)
        if name == "mustBeBetween":
            found += [Broken("<=", low), Broken(">=", high)]
        else:
            found.append(Broken("between", low, high))
    unknown = [name for name in entry if name.startswith("must") and name not in OPERATORS]
    if unknown:
        raise InvalidInput(f"{unknown[0]} is no operator of the standard")
    if not found:
        raise InvalidInput(f"has no operator; the standard has {', '.join(OPERATORS)}")
    return found


def rules_of(
    entry: dict[str, Any], column: str | None, columns: dict[str, str]
) -> list[dict[str, Any]]:
    """The rules, without names, that a metric stands for: type, column, arguments, thresholds.

    `column` is that of the property that the entry stands at, `columns` the names of columns by
    those of properties. Raises InvalidInput with the reason where there is no equal.
    """
    metric = METRICS.get(str(entry.get("metric") or entry.get("rule")))
    if metric is None:
        name = entry.get("metric") or entry.get("rule")
        raise InvalidInput(f'the metric "{name}" is none of the standard: {", ".join(_NOW)}')
    broken = broken_if(entry)
    unit = entry.get("unit", "rows")
    if unit not in ("rows", "percent"):
        raise InvalidInput(f'the unit "{unit}" is not known: rows or percent')
    is_percent = unit == "percent"
    if metric == "rowCount":
        if is_percent:
            raise InvalidInput("a number of rows has no percentage")
        return _row_count(broken)
    base = _base(metric, entry, column, columns, is_percent)
    only_zero = base.pop("only_zero", False)
    rules = []
    for one in broken:
        threshold = _threshold(one, is_percent)
        if only_zero and not is_percent and threshold not in ("!= 0", "> 0", ">= 1"):
            raise InvalidInput(
                "accepted_values counts values, not rows: of rows only none (0) or a percentage "
                "can be carried over"
            )
        rules.append({**base, **_thresholds(threshold)})
    return rules


def _base(
    metric: str,
    entry: dict[str, Any],
    column: str | None,
    columns: dict[str, str],
    is_percent: bool,
) -> dict[str, Any]:
    arguments = entry.get("arguments")
    given: dict[str, Any] = arguments if isinstance(arguments, dict) else {}
    if metric == "duplicateValues" and column is None:
        names = given.get("properties")
        if not isinstance(names, list) or not names:
            raise InvalidInput("needs arguments.properties, the columns of the key")
        found = [columns.get(str(name), str(name)) for name in names]
        if len(found) == 1:
            return {"type": "unique", "column": found[0]}
        return {"type": "unique_combination_of_columns", "arguments": {"columns": found}}
    if column is None:
        raise InvalidInput(f"{metric} belongs to a property, and stands at the schema")
    if metric == "nullValues":
        return {"type": "not_null", "column": column}
    if metric == "duplicateValues":
        return {"type": "unique", "column": column}
    if metric == "missingValues":
        return _missing(given, column, is_percent)
    values = given.get("validValues", entry.get("validValues"))
    pattern = given.get("pattern", entry.get("pattern"))
    if (values is None) == (pattern is None):
        raise InvalidInput("needs arguments.validValues or arguments.pattern, one of them")
    if pattern is not None:
        return {"type": "match_regex", "column": column, "arguments": {"regex": pattern}}
    if not isinstance(values, list):
        raise InvalidInput("arguments.validValues is no list")
    listed = [value for value in values if value is not None]  # NULL is never invalid here
    return {
        "type": "accepted_values",
        "column": column,
        "arguments": {"values": listed},
        "only_zero": True,
    }


def _missing(given: dict[str, Any], column: str, is_percent: bool) -> dict[str, Any]:
    values = given.get("missingValues", [None])
    if not isinstance(values, list):
        raise InvalidInput("arguments.missingValues is no list")
    listed = [value for value in values if value is not None]
    if not listed:
        return {"type": "not_null", "column": column}
    base: dict[str, Any] = {
        "type": "not_missing",
        "column": column,
        "arguments": {"missing_values": listed},
    }
    if None not in values:  # NULL is not missing here
        if is_percent:
            raise InvalidInput("a percentage of rows where NULL is not missing has no equal")
        base["where"] = [{"column": column, "op": "is_not_null"}]
    return base


def _row_count(broken: list[Broken]) -> list[dict[str, Any]]:
    low: int | None = None
    high: int | None = None
    rules = []
    for one in broken:
        if one.comparison in ("=", "between"):
            rules.append(_not_so_many(one))
            continue
        if one.comparison == "!=" and one.number != int(one.number):
            raise InvalidInput("no number of rows is a fraction")
        least, most = {
            "!=": (int(one.number), int(one.number)),
            "<=": (math.floor(one.number) + 1, None),
            "<": (math.ceil(one.number), None),
            ">=": (None, math.ceil(one.number) - 1),
            ">": (None, math.floor(one.number)),
        }[one.comparison]
        low = least if low is None else low if least is None else max(low, least)
        high = most if high is None else high if most is None else min(high, most)
    if low is not None or high is not None:
        if high is not None and high < max(low or 0, 0):
            raise InvalidInput("no number of rows can satisfy it")
        arguments = {"min_value": None if low is None else max(low, 0), "max_value": high}
        given = {name: value for name, value in arguments.items() if value is not None}
        rules.insert(0, {"type": "row_count_between", "arguments": given})
    return rules


def _not_so_many(one: Broken) -> dict[str, Any]:
    """A rule that fails where the count is in the range: where `row_count_between` does not."""
    upper = one.number if one.upper is None else one.upper
    low, high = math.ceil(one.number), math.floor(upper)
    if one.comparison == "between":  # without its ends
        low, high = math.floor(one.number) + 1, math.ceil(upper) - 1
    if high < low or high < 0:
        raise InvalidInput("every number of rows satisfies it")
    return {
        "type": "row_count_between",
        "arguments": {"min_value": max(low, 0), "max_value": high},
        **_thresholds("= 0"),
    }


def _threshold(one: Broken, is_percent: bool) -> str:
    if one.comparison == "between":
        raise InvalidInput("mustNotBeBetween has no equal: a threshold is one comparison")
    number = one.number
    if number < 0 or (is_percent and number > 100):
        raise InvalidInput(f"{number:g} can never be reached, so there is nothing to judge")
    if is_percent:
        digits = f"{number:.9f}".rstrip("0").rstrip(".")
        return f"{one.comparison} {digits}%"
    if number != int(number):
        if one.comparison in ("=", "!="):
            raise InvalidInput(f"no number of rows is {number:g}")
        number = math.floor(number) if one.comparison in ("<=", ">") else math.ceil(number)
    return f"{one.comparison} {int(number)}"


def _thresholds(threshold: str) -> dict[str, str]:
    """Where it is not reached the rule passes; without `warn_if` it would warn of any row."""
    return {"warn_if": threshold, "error_if": threshold}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput(f"{name} takes a number")
    return float(value) if isinstance(value, float) else value


_NOW = sorted(set(METRICS.values()))
