"""What a name elsewhere stands for: type and arguments, and where they differ.

Arguments that no alias names are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


class Differs(ValueError):
    """A rule of another tool that has no equal here; the words say what to write."""


@dataclass(frozen=True, slots=True)
class Alias:
    """One name elsewhere, and what becomes of its arguments.

    `renamed` are theirs with our names (`column` is the rule's own), `same` those called the same,
    `assumed` what they are where they are left out, `allowed` values that can be dropped because
    they say what we do, `given` ours that follow from the name, `refused` sentences; `finish` mends
    our arguments, and may look at the rule. `mostly`: whether a share of exceptions counts among
    the same rows as a percentage here.
    """

    type: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    assumed: Mapping[str, Any] = field(default_factory=dict)
    allowed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    finish: Callable[[dict[str, Any], dict[str, Any]], None] | None = None
    mostly: Literal["same", "differs", "unknown"] = "unknown"


REFUSED = {
    "row_condition": "row_condition is SQL: write the rule's where, a list of predicates",
    "condition_parser": "row_condition is SQL: write the rule's where, a list of predicates",
    "compare_row_condition": "write compare_where, a list of predicates",
    "from_condition": "from_condition is SQL: write the rule's where, a list of predicates",
    "to_condition": "to_condition is SQL: write to_where, a list of predicates",
    "group_by": "write group_by on the rule, which judges each group and the total",
    "group_by_columns": "write group_by on the rule, which judges each group and the total",
    "mostly": 'write error_if with a percentage, such as "> 5%"',
    "tolerance_percent": "there it is a share of 1: write tolerance_percent (5 for 5 %) in "
    "aggregation_equals_other_table",
    "precision": "write the rounding in a view, or compare with table_diff",
    "exclude_columns": "write compare_columns, the columns that are compared",
    "parse_strings_as_datetimes": "compare a column of a type for times",
}
BOUNDS = ("min_value", "max_value")
PAIR = {"column_A": "column", "column_B": "other_column"}
MEASURES = {
    "mean": "avg_between",
    "sum": "sum_between",
    "min": "min_between",
    "max": "max_between",
    "median": "median_between",
    "stdev": "stdev_between",
}


def inclusive(ours: dict[str, Any], _: object = None) -> None:
    """`strictly`, or `strict_min` and `strict_max`, as `inclusive`."""
    strictly = ours.pop("strictly", False)
    ends = {}
    for end in ("min", "max"):
        strict = ours.pop(f"strict_{end}", False) or strictly
        if f"{end}_value" in ours:
            ends[end] = strict
    if len(set(ends.values())) > 1:
        raise Differs("has one end that is included and one that is not: write two rules")
    if any(ends.values()):
        ours["inclusive"] = False


def whole_inclusive(ours: dict[str, Any], _: object = None) -> None:
    """The same for whole numbers, where the next one is the end."""
    strictly = ours.pop("strictly", False)
    for end, step in (("min", 1), ("max", -1)):
        strict = ours.pop(f"strict_{end}", False) or strictly
        value = ours.get(f"{end}_value")
        if value is None or not strict:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise Differs(f"{end}_value must be a whole number")
        ours[f"{end}_value"] = value + step


def exactly(ours: dict[str, Any], _: object = None) -> None:
    ours["min_value"] = ours["max_value"] = ours.pop("value", None)


def as_texts(ours: dict[str, Any], _: object = None) -> None:
    """`quote_values` (on unless told otherwise) writes every value in quotes."""
    if ours.pop("quote_values", True):
        ours["values"] = [str(value) for value in ours.get("values", ())]


def with_coalesced(ours: dict[str, Any], _: object = None) -> None:
    """There NULL is 0."""
    for key in ("expression", "compare_expression"):
        if key in ours:
            ours[key] = f"coalesce({ours[key]}, 0)"


def by_numbers(ours: dict[str, Any], _: object = None) -> None:
    """An end of a range is SQL in dbt: a number means the same here, a text would not."""
    if any(isinstance(ours.get(end), str) for end in BOUNDS):
        raise Differs("has SQL for an end: write accepted_range with the value itself")
    inclusive(ours)


def of_column(ours: dict[str, Any], rule: dict[str, Any]) -> None:
    """An expression that begins with the column."""
    column = rule.pop("column", None)
    if column is not None:
        name = str(column).replace('"', '""')
        ours["expression"] = f'"{name}" {ours.get("expression", "")}'


def sorted_by_itself(ours: dict[str, Any], rule: dict[str, Any]) -> None:
    ours.setdefault("sort_column", rule.get("column"))


def summed(ours: dict[str, Any], _: object = None) -> None:
    """A total that is a text is a column, to be summed as well."""
    if isinstance(ours.get("sum_total"), str):
        ours["total_column"] = ours.pop("sum_total")


def by_groups(ours: dict[str, Any], _: object = None) -> None:
    if not ours.get("sum_by"):
        raise Differs("compares nothing without group_by: write within_n_stdevs for single values")


_STRICT_ENDS = ("strict_min", "strict_max")


def ranged(
    kind: str,
    strict: tuple[str, ...] = _STRICT_ENDS,
    mostly: Literal["same", "differs", "unknown"] = "unknown",
) -> Alias:
    """A type with two ends, which are included unless `strict` arguments say otherwise."""
    return Alias(kind, same=(*BOUNDS, *strict), finish=inclusive, mostly=mostly)


def whole(
    kind: str,
    strict: tuple[str, ...] = _STRICT_ENDS,
    mostly: Literal["same", "differs", "unknown"] = "unknown",
) -> Alias:
    """The same for whole numbers."""
    return Alias(kind, same=(*BOUNDS, *strict), finish=whole_inclusive, mostly=mostly)
