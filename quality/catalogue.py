"""The rule types: what a rule can be, with which arguments, in which dimension.

One entry here and one dbt generic test of the same name in `stringx/macros` make a rule type.
Names and semantics are those of dbt and dbt_utils where these have the test. NULL never violates a
rule unless its summary says so; the count of failing rows is dbt's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quality.names import Identifier, TableText, Text
from quality.predicates import Bound, Scalar

Dimension = Literal[
    "completeness", "accuracy", "consistency", "uniqueness", "timeliness", "validity"
]
Values = Annotated[list[Scalar], Field(min_length=1, max_length=1000)]
Columns = Annotated[list[Identifier], Field(min_length=1, max_length=32)]


class Arguments(BaseModel):
    """What a rule type takes beside the column. No more fields than these exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def columns(self) -> list[str]:
        """Columns of the checked table that the arguments name."""
        return []


AnyArguments = TypeVar("AnyArguments", bound=Arguments)


class NoArguments(Arguments):
    """The column says it all."""


class ValueList(Arguments):
    values: Values


class Relationship(Arguments):
    to: TableText
    field: Identifier


class NotEmptyString(Arguments):
    trim_whitespace: bool = True


class Proportion(Arguments):
    at_least: float = Field(ge=0, le=1)
    at_most: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Proportion:
        return _in_order(self, self.at_least, self.at_most, "at_least", "at_most")


class CountRange(Arguments):
    min_value: int | None = Field(default=None, ge=0, lt=2**63)
    max_value: int | None = Field(default=None, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _ordered(self) -> CountRange:
        return _in_order(self, self.min_value, self.max_value, "min_value", "max_value")


class ValueRange(Arguments):
    min_value: Bound | None = None
    max_value: Bound | None = None
    inclusive: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> ValueRange:
        return _in_order(self, self.min_value, self.max_value, "min_value", "max_value")


class ColumnCombination(Arguments):
    columns_: Columns = Field(alias="columns")
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    def columns(self) -> list[str]:
        return list(self.columns_)


class Regex(Arguments):
    regex: Annotated[Text, Field(min_length=1, max_length=1024)]


class OtherColumn(Arguments):
    other_column: Identifier
    or_equal: bool = False

    def columns(self) -> list[str]:
        return [self.other_column]


class Recency(Arguments):
    datepart: Literal["minute", "hour", "day", "week", "month", "year"]
    interval: int = Field(gt=0, le=100_000)


@dataclass(frozen=True, slots=True)
class RuleType:
    """One kind of rule. `tested` is the denominator: all rows, or the column's non-NULL values."""

    name: str
    dimension: Dimension
    summary: str
    arguments: type[Arguments]
    example: dict[str, Any]
    takes_column: bool = True
    tested: Literal["rows", "values"] = "rows"


RULE_TYPES: dict[str, RuleType] = {
    entry.name: entry
    for entry in (
        RuleType(
            "not_null",
            "completeness",
            "The column has a value in every row. Counts the rows without one.",
            NoArguments,
            {"type": "not_null", "column": "tailnum"},
        ),
        RuleType(
            "not_null_proportion",
            "completeness",
            "The share of rows with a value lies between at_least and at_most (both included). "
            "One failing row stands for the table; an empty table passes.",
            Proportion,
            {"type": "not_null_proportion", "column": "dep_time", "arguments": {"at_least": 0.95}},
        ),
        RuleType(
            "not_empty_string",
            "completeness",
            "No text of length zero, blanks at both ends cut off first unless told otherwise.",
            NotEmptyString,
            {"type": "not_empty_string", "column": "name"},
            tested="values",
        ),
        RuleType(
            "row_count_between",
            "completeness",
            "The table has at least min_value and at most max_value rows. One failing row stands "
            "for the table.",
            CountRange,
            {"type": "row_count_between", "arguments": {"min_value": 1}},
            takes_column=False,
        ),
        RuleType(
            "unique",
            "uniqueness",
            "No value of the column stands twice. Counts the values that do, not their rows.",
            NoArguments,
            {"type": "unique", "column": "faa"},
            tested="values",
        ),
        RuleType(
            "unique_combination_of_columns",
            "uniqueness",
            "No combination of the columns stands twice. Counts combinations; NULLs are equal.",
            ColumnCombination,
            {
                "type": "unique_combination_of_columns",
                "arguments": {"columns": ["origin", "time_hour"]},
            },
            takes_column=False,
        ),
        RuleType(
            "accepted_values",
            "validity",
            "Only the listed values. Counts the distinct values that are not listed.",
            ValueList,
            {"type": "accepted_values", "column": "origin", "arguments": {"values": ["JFK"]}},
        ),
        RuleType(
            "not_accepted_values",
            "validity",
            "None of the listed values. Counts the listed values that are found.",
            ValueList,
            {"type": "not_accepted_values", "column": "tz", "arguments": {"values": [99]}},
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
        ),
        RuleType(
            "match_regex",
            "validity",
            "Texts in which PostgreSQL's regular expression matches somewhere (anchor with ^ $).",
            Regex,
            {"type": "match_regex", "column": "tailnum", "arguments": {"regex": "^N"}},
            tested="values",
        ),
        RuleType(
            "relationships",
            "consistency",
            "Each value of the column stands in the field of the other table. Counts rows.",
            Relationship,
            {
                "type": "relationships",
                "column": "dest",
                "arguments": {"to": "flights.airports", "field": "faa"},
            },
            tested="values",
        ),
        RuleType(
            "column_greater_than",
            "accuracy",
            "The column is greater than the other column (or equal, if so told).",
            OtherColumn,
            {
                "type": "column_greater_than",
                "column": "distance",
                "arguments": {"other_column": "air_time"},
            },
        ),
        RuleType(
            "recency",
            "timeliness",
            "The newest value of the column is at most interval dateparts old. One failing row "
            "stands for the table; an empty table fails.",
            Recency,
            {
                "type": "recency",
                "column": "time_hour",
                "arguments": {"datepart": "day", "interval": 1},
            },
        ),
    )
}


def _in_order(
    model: AnyArguments, low: Any, high: Any, low_name: str, high_name: str
) -> AnyArguments:
    if low is None and high is None:
        raise ValueError(f"needs {low_name}, {high_name} or both")
    if low is not None and high is not None:
        if isinstance(low, str) != isinstance(high, str):
            raise ValueError(f"{low_name} and {high_name} must both be numbers or both be texts")
        if not isinstance(low, str) and low > high:
            raise ValueError(f"{low_name} must not be greater than {high_name}")
    return model
