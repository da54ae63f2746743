"""Validity: a value is one of those that it may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from quality.catalogue.types import Arguments, CountRange, RuleType, ValueList, ValueRange
from quality.names import Text


class Regex(Arguments):
    regex: Annotated[Text, Field(min_length=1, max_length=1024)]

    def regexes_by_path(self) -> dict[str, str]:
        return {"regex": self.regex}


TYPES = (
    RuleType(
        "accepted_values",
        "validity",
        "Only the listed values. Counts the distinct values that are not listed.",
        ValueList,
        {"type": "accepted_values", "column": "origin", "arguments": {"values": ["JFK"]}},
        aliases=(
            "expect_column_values_to_be_in_set",
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
        "string_length_between",
        "validity",
        "Texts of min_value to max_value characters, both included.",
        CountRange,
        {
            "type": "string_length_between",
            "column": "faa",
            "arguments": {"min_value": 3, "max_value": 3},
        },
        tested="values",
        aliases=(
            "expect_column_value_lengths_to_be_between",
            "columnValueLengthsToBeBetween",
            "valid_length",
        ),
    ),
    RuleType(
        "match_regex",
        "validity",
        "Texts in which PostgreSQL's regular expression matches somewhere (anchor with ^ $).",
        Regex,
        {"type": "match_regex", "column": "tailnum", "arguments": {"regex": "^N"}},
        tested="values",
        aliases=(
            "expect_column_values_to_match_regex",
            "columnValuesToMatchRegex",
            "regex_match",
            "hasPattern",
        ),
    ),
)
