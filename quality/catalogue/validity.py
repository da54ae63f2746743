"""Validity: a value is one of those that it may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from quality.catalogue.types import (
    Arguments,
    OtherColumn,
    RuleType,
    ValueList,
    ValueRange,
)
from quality.predicates import Scalar


class AcceptedValues(ValueList):
    case_insensitive: bool = False

    @model_validator(mode="after")
    def _texts_have_cases(self) -> AcceptedValues:
        if self.case_insensitive and not all(isinstance(value, str) for value in self.values):
            raise ValueError("case_insensitive takes texts only")
        return self


class Pairs(OtherColumn):
    pairs: Annotated[
        list[Annotated[list[Scalar], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=1000),
    ]


class Later(Arguments):
    offset: int = Field(
        default=0, ge=0, le=31_536_000, description="seconds after now that are still allowed"
    )


TYPES = (
    RuleType(
        "accepted_values",
        "validity",
        "Only the listed values, in any case where case_insensitive is true. Counts the distinct "
        "values that are not listed.",
        AcceptedValues,
        {"type": "accepted_values", "column": "origin", "arguments": {"values": ["JFK"]}},
        aliases=(
            "expect_column_values_to_be_in_set",
            "expect_column_distinct_values_to_be_in_set",
            "distinct_values_in_set",
            "columnValuesToBeInSet",
            "is_in_list",
            "valid_values",
        ),
    ),
    RuleType(
        "not_accepted_values",
        "validity",
        "None of the listed values. Counts the listed values that are found.",
        ValueList,
        {"type": "not_accepted_values", "column": "tz", "arguments": {"values": [99]}},
        aliases=("expect_column_values_to_not_be_in_set", "invalid_values"),
    ),
    RuleType(
        "accepted_range",
        "validity",
        "Values from min_value to max_value, both included unless inclusive is false.",
        ValueRange,
        {
            "type": "accepted_range",
            "column": "month",
            "arguments": {"min_value": 1, "max_value": 12},
        },
        aliases=(
            "expect_column_values_to_be_between",
            "columnValuesToBeBetween",
            "is_in_range",
        ),
    ),
    RuleType(
        "pair_in_set",
        "validity",
        "The values of the column and of other_column are together one of the listed pairs.",
        Pairs,
        {
            "type": "pair_in_set",
            "column": "origin",
            "arguments": {"other_column": "carrier", "pairs": [["JFK", "B6"], ["EWR", "UA"]]},
        },
        nulls="A row with NULL in either column does not violate the rule.",
        aliases=("expect_column_pair_values_to_be_in_set",),
    ),
    RuleType(
        "not_in_future",
        "validity",
        "No time later than now, or later than `offset` seconds from now.",
        Later,
        {"type": "not_in_future", "column": "time_hour"},
        tested="values",
        aliases=("is_not_in_future",),
    ),
    RuleType(
        "distinct_values_contain_set",
        "validity",
        "Each of the listed values stands in the column. Counts the listed values that do not.",
        ValueList,
        {
            "type": "distinct_values_contain_set",
            "column": "origin",
            "arguments": {"values": ["JFK", "LGA", "EWR"]},
        },
        tested="values",
        category="G",
        nulls="NULL is no value.",
        empty_table="An empty table fails, for it has none of them.",
        aliases=("expect_column_distinct_values_to_contain_set",),
        counts_rows=False,
    ),
    RuleType(
        "distinct_values_equal_set",
        "validity",
        "The column has exactly the listed values. Counts the listed values that it has not and "
        "the other ones that it has.",
        ValueList,
        {
            "type": "distinct_values_equal_set",
            "column": "origin",
            "arguments": {"values": ["JFK", "LGA", "EWR"]},
        },
        tested="values",
        category="G",
        nulls="NULL is no value.",
        empty_table="An empty table fails, for it has none of them.",
        aliases=("expect_column_distinct_values_to_equal_set",),
        counts_rows=False,
    ),
)
