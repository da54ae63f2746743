"""Validity of a table's definition: its columns and their types, whatever rows it has."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from quality.catalogue.types import Arguments, CountRange, RuleType
from quality.names import Identifier, Text

_NULLS = "Rows are not looked at."
_EMPTY = "An empty table has its columns as any other."

TypeName = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=200,
        description="as PostgreSQL knows it: integer, int4, varchar(10), timestamptz, text[]",
    ),
]


class Place(Arguments):
    index: int | None = Field(default=None, ge=1, le=1600, description="counted from 1")


class OneType(Arguments):
    type: TypeName


class SeveralTypes(Arguments):
    types: Annotated[list[TypeName], Field(min_length=1, max_length=50)]


class ColumnNames(Arguments):
    """Names of columns that are there, or should be, or should not."""

    names: Annotated[list[Identifier], Field(min_length=1, max_length=1600)] = Field(
        alias="columns"
    )


def _about_columns(
    name: str,
    summary: str,
    arguments: type[Arguments],
    given: dict[str, Any],
    *aliases: str,
    column: str | None = None,
) -> RuleType:
    example = {"type": name, "arguments": given} | ({"column": column} if column else {})
    return RuleType(
        name,
        "validity",
        summary,
        arguments,
        example,
        takes_column=column is not None,
        tested="none",
        category="M",
        nulls=_NULLS,
        empty_table=_EMPTY,
        aliases=aliases,
    )


TYPES = (
    _about_columns(
        "column_exists",
        "The table has the column, as its column number `index` if that is given.",
        Place,
        {},
        "expect_column_to_exist",
        "tableColumnNameToExist",
        column="tailnum",
    ),
    _about_columns(
        "column_type",
        "The column is of the type, by any name that PostgreSQL has for it; a length or a "
        "precision counts where it is given. A column that is missing violates the rule.",
        OneType,
        {"type": "timestamptz"},
        "expect_column_values_to_be_of_type",
        column="time_hour",
    ),
    _about_columns(
        "column_type_in",
        "The column is of one of the types. A column that is missing violates the rule.",
        SeveralTypes,
        {"types": ["integer", "bigint"]},
        "expect_column_values_to_be_in_type_list",
        column="flight",
    ),
    _about_columns(
        "columns_match_set",
        "The table has exactly the listed columns, in any order. Counts those that are missing "
        "and those that are not listed.",
        ColumnNames,
        {"columns": ["carrier", "name"]},
        "expect_table_columns_to_match_set",
        "tableColumnToMatchSet",
    ),
    _about_columns(
        "columns_match_ordered_list",
        "The table has exactly the listed columns in that order. Counts the places where it has "
        "another.",
        ColumnNames,
        {"columns": ["carrier", "name"]},
        "expect_table_columns_to_match_ordered_list",
    ),
    _about_columns(
        "columns_contain_set",
        "The table has the listed columns, and maybe others. Counts those that are missing.",
        ColumnNames,
        {"columns": ["carrier"]},
        "expect_table_columns_to_contain_set",
    ),
    _about_columns(
        "columns_not_contain_set",
        "The table has none of the listed columns. Counts those that it has.",
        ColumnNames,
        {"columns": ["password"]},
        "expect_table_columns_to_not_contain_set",
    ),
    _about_columns(
        "column_count_between",
        "The table has min_value to max_value columns.",
        CountRange,
        {"min_value": 2, "max_value": 2},
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "tableColumnCountToBeBetween",
    ),
)
