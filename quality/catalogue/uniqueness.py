"""Uniqueness: nothing is there twice."""

from __future__ import annotations

from quality.catalogue.types import ColumnList, NoArguments, RuleType

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
        "No combination of the columns stands twice. Counts combinations.",
        ColumnList,
        {
            "type": "unique_combination_of_columns",
            "arguments": {"columns": ["origin", "time_hour"]},
        },
        takes_column=False,
        category="G",
        nulls="NULLs are equal to each other here.",
        aliases=("expect_compound_columns_to_be_unique", "duplicateValues"),
    ),
)
