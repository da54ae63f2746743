"""Validity of a column as a whole: its average, its sum, its extremes, its spread."""

from __future__ import annotations

from pydantic import Field

from quality.catalogue.types import (
    Category,
    NoArguments,
    NumberRange,
    RuleType,
    ValueRange,
)

_RANGE = (
    "lies between min_value and max_value, both included unless inclusive is false. One failing "
    "row stands for the table."
)
_NULLS = "NULLs are no values; a column of nothing else passes."


class Quantile(NumberRange):
    quantile: float = Field(ge=0, le=1)


def _measured(
    name: str,
    what: str,
    *aliases: str,
    arguments: type[NumberRange | ValueRange] = NumberRange,
    example: dict[str, float] | None = None,
    category: Category = "A",
) -> RuleType:
    return RuleType(
        name,
        "validity",
        f"{what} {_RANGE}",
        arguments,
        {
            "type": name,
            "column": "air_time",
            "arguments": example or {"min_value": 100, "max_value": 200},
        },
        tested="values",
        category=category,
        nulls=_NULLS,
        aliases=aliases,
        counts_rows=False,
    )


TYPES = (
    RuleType(
        "not_constant",
        "validity",
        "The column has more than one distinct value, or none. One failing row stands for the "
        "table.",
        NoArguments,
        {"type": "not_constant", "column": "origin"},
        tested="values",
        category="G",
        nulls=_NULLS,
        counts_rows=False,
    ),
    _measured(
        "avg_between",
        "The average of the values",
        "expect_column_mean_to_be_between",
        "columnValueMeanToBeBetween",
        "hasMean",
    ),
    _measured(
        "sum_between",
        "The sum of the values",
        "expect_column_sum_to_be_between",
        "columnValuesSumToBeBetween",
        "hasSum",
    ),
    _measured(
        "min_between",
        "The smallest value",
        "expect_column_min_to_be_between",
        "columnValueMinToBeBetween",
        "hasMin",
        arguments=ValueRange,
    ),
    _measured(
        "max_between",
        "The greatest value",
        "expect_column_max_to_be_between",
        "columnValueMaxToBeBetween",
        "hasMax",
        arguments=ValueRange,
    ),
    _measured(
        "median_between",
        "The median of the values",
        "expect_column_median_to_be_between",
        "columnValueMedianToBeBetween",
        category="G",
    ),
    _measured(
        "quantile_between",
        "The given quantile (0 to 1) of the values, interpolated,",
        "expect_column_quantile_values_to_be_between",
        "hasApproxQuantile",
        arguments=Quantile,
        example={"quantile": 0.95, "max_value": 400},
        category="G",
    ),
    _measured(
        "stdev_between",
        "The sample standard deviation of the values",
        "expect_column_stdev_to_be_between",
        "columnValueStdDevToBeBetween",
        "hasStandardDeviation",
    ),
)
