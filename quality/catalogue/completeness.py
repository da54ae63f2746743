"""Completeness: what should be there is there."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from quality.catalogue.types import (
    Arguments,
    ColumnList,
    CountRange,
    Datepart,
    NoArguments,
    RegexText,
    RuleType,
    in_order,
)
from quality.names import Text
from quality.predicates import Scalar

# What PostgreSQL and Python read alike; PostgreSQL knows no days of a week and drops any offset.
_MOMENT = re.compile(
    r"\d{4}(-?)\d\d\1\d\d([T ]\d\d:?\d\d(:?\d\d(\.\d{1,9})?)?(?P<offset>Z|[+-]\d\d.*)?)?",
    re.A | re.I,
)


def _moment(value: str) -> str:
    match = _MOMENT.fullmatch(value)
    if match and match["offset"]:
        raise ValueError(
            f'has the offset "{match["offset"]}", which would be dropped: write it without, in the '
            "time zone of the database"
        )
    try:
        datetime.fromisoformat(value if match else "")
    except ValueError:
        raise ValueError(
            'must be a date or a time, such as "2026-01-31" or "2026-01-31T10:15"'
        ) from None
    return value


Moment = Annotated[Text, Field(max_length=40), AfterValidator(_moment)]


class Missing(Arguments):
    missing_values: Annotated[list[Scalar], Field(max_length=1000)] = Field(default=[])
    missing_regex: RegexText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Missing:
        if not self.missing_values and self.missing_regex is None:
            raise ValueError("needs missing_values, missing_regex or both")
        return self

    def regexes_by_path(self) -> dict[str, str]:
        return {} if self.missing_regex is None else {"missing_regex": self.missing_regex}


class RequiredTogether(ColumnList):
    required: Literal["all", "any", "exactly_one"] = "all"


class InsertedRows(CountRange):
    datepart: Datepart
    interval: int = Field(gt=0, le=100_000)


class Windows(Arguments):
    datepart: Datepart = "day"
    interval: int = Field(default=1, gt=0, le=100_000)
    start: Moment | None = None
    end: Moment | None = None

    @model_validator(mode="after")
    def _forwards(self) -> Windows:
        if self.start and self.end:
            start, end = map(datetime.fromisoformat, (self.start, self.end))
            if start > end:
                raise ValueError("start must not be later than end")
        return self


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
    RuleType(
        "is_null",
        "completeness",
        "The column has no value in any row. Counts the rows with one.",
        NoArguments,
        {"type": "is_null", "column": "retired_at"},
        nulls="NULL is what the rule asks for.",
        aliases=("null", "expect_column_values_to_be_null"),
    ),
    RuleType(
        "not_missing",
        "completeness",
        "No NULL, none of missing_values (values that stand for a missing one, such as 'n/a'), and "
        "no text in which missing_regex matches.",
        Missing,
        {
            "type": "not_missing",
            "column": "tailnum",
            "arguments": {"missing_values": ["", "n/a"], "missing_regex": "^-+$"},
        },
        nulls="Each NULL violates the rule.",
        aliases=("missing_values", "missingValues", "columnValuesMissingCount"),
    ),
    RuleType(
        "at_least_one",
        "completeness",
        "The column has a value in one row at least. One failing row stands for the table.",
        NoArguments,
        {"type": "at_least_one", "column": "dep_time"},
        category="A",
        nulls="A column of NULLs only fails.",
        empty_table="An empty table fails.",
        aliases=("expect_column_to_have_values",),
    ),
    RuleType(
        "required_together",
        "completeness",
        "In every row all of the columns have a value, or any of them, or exactly_one, as "
        "`required` says.",
        RequiredTogether,
        {
            "type": "required_together",
            "arguments": {"columns": ["dep_time", "arr_time"], "required": "all"},
        },
        takes_column=False,
        nulls="NULLs are what the rule counts.",
        aliases=("areComplete", "areAnyComplete"),
    ),
    RuleType(
        "rows_inserted_between",
        "completeness",
        "From min_value to max_value rows have a time within the last `interval` dateparts. One "
        "failing row stands for the table.",
        InsertedRows,
        {
            "type": "rows_inserted_between",
            "column": "time_hour",
            "arguments": {"datepart": "day", "interval": 1, "min_value": 1},
        },
        category="A",
        nulls="A row without a time is not counted.",
        empty_table="An empty table has 0 rows and fails where min_value is greater.",
        aliases=("tableRowInsertedCountToBeBetween",),
    ),
    RuleType(
        "no_gaps",
        "completeness",
        "Each window of `interval` dateparts has a value, from the window of start to that of end, "
        "or from the oldest value to the newest. Counts gaps, however many windows each spans.",
        Windows,
        {"type": "no_gaps", "column": "time_hour", "arguments": {"datepart": "day"}},
        tested="values",
        category="G",
        nulls="NULL and infinite times are in no window.",
        empty_table="An empty table passes, unless start and end are given: then it is one gap.",
        aliases=(
            "expect_row_values_to_have_data_for_every_n_datepart",
            "has_no_gaps_per_time_window",
        ),
        counts_rows=False,
    ),
)
