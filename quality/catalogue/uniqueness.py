"""Uniqueness: nothing is there twice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quality.catalogue.types import (
    Arguments,
    ColumnList,
    CountRange,
    NoArguments,
    NumberRange,
    RuleType,
)
from quality.names import Identifier


class Combination(ColumnList):
    ignore_row_if: Literal["never", "all_values_are_missing", "any_value_is_missing"] = "never"


class Proportion(NumberRange):
    min_value: float | None = Field(default=None, ge=0, le=1)
    max_value: float | None = Field(default=None, ge=0, le=1)


class SeveralColumns(ColumnList):
    columns_: Annotated[list[Identifier], Field(min_length=2, max_length=32)] = Field(
        alias="columns"
    )


class LeftAside(Arguments):
    exclude_columns: Annotated[list[Identifier], Field(max_length=100)] = Field(default=[])

    def columns_by_path(self) -> dict[str, str]:
        return {f"exclude_columns[{n}]": column for n, column in enumerate(self.exclude_columns)}


TYPES = (
    RuleType(
        "unique",
        "uniqueness",
        "No value of the column stands twice. Counts the values that do, not their rows.",
        NoArguments,
        {"type": "unique", "column": "faa"},
        tested="values",
        category="G",
        aliases=(
            "expect_column_values_to_be_unique",
            "columnValuesToBeUnique",
            "is_unique",
            "isUnique",
        ),
    ),
    RuleType(
        "unique_combination_of_columns",
        "uniqueness",
        "No combination of the columns stands twice; rows in which all of the columns are NULL, or "
        "any of them, can be left aside by ignore_row_if. Counts combinations.",
        Combination,
        {
            "type": "unique_combination_of_columns",
            "arguments": {"columns": ["origin", "time_hour"]},
        },
        takes_column=False,
        category="G",
        nulls="NULLs are equal to each other here, unless ignore_row_if leaves their rows aside.",
        aliases=("expect_compound_columns_to_be_unique", "duplicateValues"),
    ),
    RuleType(
        "unique_proportion_between",
        "uniqueness",
        "The share of distinct values among all values lies between min_value and max_value, both "
        "included unless inclusive is false. One failing row stands for the table.",
        Proportion,
        {
            "type": "unique_proportion_between",
            "column": "tailnum",
            "arguments": {"min_value": 0.9},
        },
        tested="values",
        category="G",
        nulls="NULLs are no values; a column of nothing else passes.",
        aliases=(
            "expect_column_proportion_of_unique_values_to_be_between",
            "hasUniqueness",
            "hasDistinctness",
        ),
        counts_rows=False,
    ),
    RuleType(
        "distinct_count_between",
        "uniqueness",
        "The column has min_value to max_value distinct values. One failing row stands for the "
        "table.",
        CountRange,
        {
            "type": "distinct_count_between",
            "column": "origin",
            "arguments": {"min_value": 3, "max_value": 3},
        },
        tested="values",
        category="G",
        nulls="NULL is no value.",
        empty_table="An empty table has 0 values and fails where min_value is greater.",
        aliases=(
            "expect_column_unique_value_count_to_be_between",
            "expect_column_distinct_count_to_equal",
            "hasApproxCountDistinct",
        ),
        counts_rows=False,
    ),
    RuleType(
        "unique_within_record",
        "uniqueness",
        "No two of the columns have the same value in a row.",
        SeveralColumns,
        {"type": "unique_within_record", "arguments": {"columns": ["origin", "dest"]}},
        takes_column=False,
        nulls="NULL is equal to nothing.",
        aliases=("expect_select_column_values_to_be_unique_within_record",),
    ),
    RuleType(
        "primary_key",
        "uniqueness",
        "The columns identify a row: no NULL in them and no combination twice. Counts "
        "combinations.",
        ColumnList,
        {"type": "primary_key", "arguments": {"columns": ["faa"]}},
        takes_column=False,
        category="G",
        nulls="A combination with a NULL violates the rule, once however often it stands.",
        aliases=("isPrimaryKey",),
        counts_rows=False,
    ),
    RuleType(
        "duplicate_rows",
        "uniqueness",
        "No whole row stands twice, exclude_columns left aside. Counts the rows' contents, not the "
        "rows; numbers are compared by value, whatever their type.",
        LeftAside,
        {"type": "duplicate_rows", "arguments": {"exclude_columns": ["loaded_at"]}},
        takes_column=False,
        category="G",
        nulls="NULLs are equal to each other here.",
        aliases=("duplicateRows",),
        counts_rows=False,
    ),
)
