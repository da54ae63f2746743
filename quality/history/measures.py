"""Rules on one number for the table, judged again from the number that was kept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from quality.rules import Rule

_ONE_NUMBER = frozenset(
    {
        *("row_count_between", "rows_inserted_between", "distinct_count_between"),
        *("avg_between", "sum_between", "min_between", "max_between", "median_between"),
        *("quantile_between", "stdev_between", "expression_between", "correlation_between"),
        *("event_lag_between", "column_count_between"),
    }
)
_BOUNDS = frozenset({"min_value", "max_value", "inclusive"})
_SHARES = frozenset({"at_least", "at_most"})


def bounds_of(type_: str) -> frozenset[str]:
    """The arguments of a type that are only compared with what was measured."""
    if type_ == "not_null_proportion":
        return _SHARES
    return _BOUNDS if type_ in _ONE_NUMBER else frozenset()


def fails(rule: Rule, measured: Mapping[str, object]) -> bool | None:
    """Whether the measures lie outside of the rule's bounds, as its SQL would say; NULL does not.

    None where they cannot be compared, because they were not kept or are no numbers.
    """
    arguments = rule.arguments
    if rule.type == "not_null_proportion":
        rows, values = _number(measured.get("n_rows")), _number(measured.get("n_values"))
        if rows is None or values is None:
            return None
        least, most = _number(arguments["at_least"]), _number(arguments.get("at_most", 1))
        return least is None or most is None or values < least * rows or values > most * rows
    kept = {name: value for name, value in measured.items() if name != "failures"}
    if rule.type not in _ONE_NUMBER or len(kept) != 1:
        return None
    [value] = kept.values()
    if value is None:
        return False
    number = _number(value)
    bounds = {name: _number(arguments[name]) for name in ("min_value", "max_value")
              if arguments.get(name) is not None}  # fmt: skip
    if number is None or None in bounds.values():
        return None
    low, high = bounds.get("min_value"), bounds.get("max_value")
    if arguments.get("inclusive", True):
        return (low is not None and number < low) or (high is not None and number > high)
    return (low is not None and number <= low) or (high is not None and number >= high)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
