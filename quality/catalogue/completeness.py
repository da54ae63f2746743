"""Completeness: what should be there is there."""

from __future__ import annotations

from pydantic import Field, model_validator

from quality.catalogue.types import Arguments, CountRange, NoArguments, RuleType, in_order


class NotEmptyString(Arguments):
    trim_whitespace: bool = True


class Proportion(Arguments):
    at_least: float = Field(ge=0, le=1)
    at_most: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Proportion:
        return in_order(self, self.at_least, self.at_most, "at_least", "at_most")


TYPES = (
    RuleType(
        "not_null",
        "completeness",
        "The column has a value in every row. Counts the rows without one.",
        NoArguments,
        {"type": "not_null", "column": "tailnum"},
        nulls="Each NULL violates the rule.",
        aliases=(
            "expect_column_values_to_not_be_null",
            "columnValuesToBeNotNull",
            "is_not_null",
            "isComplete",
            "nullValues",
        ),
    ),
    RuleType(
        "not_null_proportion",
        "completeness",
        "The share of rows with a value lies between at_least and at_most (both included). "
        "One failing row stands for the table.",
        Proportion,
        {"type": "not_null_proportion", "column": "dep_time", "arguments": {"at_least": 0.95}},
        category="A",
        nulls="NULLs are what the share lacks.",
        aliases=("hasCompleteness", "missing_percent"),
    ),
    RuleType(
        "not_empty_string",
        "completeness",
        "No text of length zero, blanks at both ends cut off first unless told otherwise.",
        NotEmptyString,
        {"type": "not_empty_string", "column": "name"},
        tested="values",
        aliases=("is_not_empty",),
    ),
    RuleType(
        "row_count_between",
        "completeness",
        "The table has at least min_value and at most max_value rows. One failing row stands "
        "for the table.",
        CountRange,
        {"type": "row_count_between", "arguments": {"min_value": 1}},
        takes_column=False,
        category="A",
        nulls="A row counts whatever is in it.",
        empty_table="An empty table has 0 rows and fails where min_value is greater.",
        aliases=(
            "expect_table_row_count_to_be_between",
            "tableRowCountToBeBetween",
            "rowCount",
            "row_count",
        ),
    ),
)
