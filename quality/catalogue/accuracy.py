"""Accuracy: values fit each other, and what is known of the world."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from quality.catalogue.custom import AggregateText, QueryText, RowText
from quality.catalogue.types import (
    Arguments,
    AsItIs,
    Columns,
    OtherColumn,
    RuleType,
    ValueList,
    ValueRange,
    WholeIfNoFloat,
    in_order,
)
from quality.custom_sql import Query, read_expression, read_query
from quality.names import Identifier
from quality.predicates import Bound

Step = Annotated[float, Field(gt=0, allow_inf_nan=False), WholeIfNoFloat, AsItIs]
Sigmas = Annotated[float, Field(gt=0, le=1000)]


class GreaterColumn(OtherColumn):
    or_equal: bool = False


class RowExpression(Arguments):
    is_custom_sql: ClassVar[bool] = True
    expression: RowText

    def columns_by_path(self) -> dict[str, str]:
        return columns_of(self.expression)


class AggregateExpression(ValueRange):
    is_custom_sql: ClassVar[bool] = True
    expression: AggregateText

    def columns_by_path(self) -> dict[str, str]:
        return columns_of(self.expression)


class Monotonic(Arguments):
    sort_column: Identifier
    strictly: bool = True
    step: Step | None = None
    partition_by: Columns | None = None

    def columns_by_path(self) -> dict[str, str]:
        return {"sort_column": self.sort_column, **listed("partition_by", self.partition_by)}


class Sequence(Arguments):
    interval: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    datepart: Literal["second", "minute", "hour", "day", "week", "month", "year"] | None = None
    partition_by: Columns | None = None

    def columns_by_path(self) -> dict[str, str]:
        return listed("partition_by", self.partition_by)


class Ranges(Arguments):
    lower_column: Identifier
    upper_column: Identifier
    partition_by: Columns | None = None
    gaps: Literal["allowed", "not_allowed", "required"] = "allowed"
    zero_length_allowed: bool = False

    def columns_by_path(self) -> dict[str, str]:
        ends = {"lower_column": self.lower_column, "upper_column": self.upper_column}
        return {**ends, **listed("partition_by", self.partition_by)}


class Deviation(Arguments):
    sigma_threshold: Sigmas = 3
    sum_by: Columns | None = None

    def columns_by_path(self) -> dict[str, str]:
        return listed("sum_by", self.sum_by)


class MovingDeviation(Arguments):
    date_column: Identifier
    period: Literal["hour", "day", "week", "month"] = "day"
    lookback_periods: Annotated[int, Field(ge=1, le=1000)] = 1
    trend_periods: Annotated[int, Field(ge=2, le=1000)] = 7
    test_periods: Annotated[int, Field(ge=1, le=1000)] = 14
    sigma_threshold: Sigmas = 3
    take_logs: bool = True
    take_diffs: bool = True

    def columns_by_path(self) -> dict[str, str]:
        return {"date_column": self.date_column}


class CommonValues(ValueList):
    top_n: Annotated[int, Field(ge=1, le=1000)] = 1


class Correlation(OtherColumn):
    min_value: Annotated[float, Field(ge=-1, le=1)] | None = None
    max_value: Annotated[float, Field(ge=-1, le=1)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Correlation:
        return in_order(self, self.min_value, self.max_value, "min_value", "max_value")


class FailedRows(Arguments):
    is_custom_sql: ClassVar[bool] = True
    query: QueryText
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000

    def queries_by_path(self) -> dict[str, Query]:
        return {"query": read_query(self.query)}


class Metric(Arguments):
    is_custom_sql: ClassVar[bool] = True
    query: QueryText
    min_value: Bound | None = None
    max_value: Bound | None = None
    inclusive: bool = True
    negate: bool = False

    def queries_by_path(self) -> dict[str, Query]:
        return {"query": read_query(self.query)}

    @model_validator(mode="after")
    def _one_number_in_order(self) -> Metric:
        if read_query(self.query).columns not in (1, None):
            raise ValueError("query must return one column")
        return in_order(self, self.min_value, self.max_value, "min_value", "max_value")


def listed(path: str, columns: list[str] | None) -> dict[str, str]:
    """A list of columns by their paths."""
    return {f"{path}[{place}]": column for place, column in enumerate(columns or ())}


def columns_of(expression: str, path: str = "expression") -> dict[str, str]:
    """The columns of an expression by paths in it."""
    return {f"{path}.{column}": column for column in read_expression(expression)}


_IN_ORDER_NULLS = "A NULL is compared with nothing: neither it nor the row after it can violate."
_BOUND = "One failing row stands for the table."

TYPES = (
    RuleType(
        "column_greater_than",
        "accuracy",
        "The column is greater than the other column (or equal, if so told).",
        GreaterColumn,
        {
            "type": "column_greater_than",
            "column": "distance",
            "arguments": {"other_column": "air_time"},
        },
        nulls="A row with NULL in either column does not violate the rule.",
        aliases=("expect_column_pair_values_A_to_be_greater_than_B", "is_older_than_col2"),
    ),
    RuleType(
        "expression_is_true",
        "accuracy",
        "A condition in SQL over the columns of the table holds in each row. Needs the permission "
        "for custom SQL.",
        RowExpression,
        {
            "type": "expression_is_true",
            "arguments": {"expression": "dep_delay is null or dep_delay > -60"},
        },
        takes_column=False,
        nulls="A condition that is NULL does not violate the rule.",
        aliases=("satisfies", "sql_expression"),
    ),
    RuleType(
        "expression_between",
        "accuracy",
        "An aggregate in SQL over the columns of the table lies from min_value to max_value, both "
        f"included unless inclusive is false. {_BOUND} Needs the permission for custom SQL.",
        AggregateExpression,
        {
            "type": "expression_between",
            "arguments": {"expression": "avg(arr_delay - dep_delay)", "max_value": 10},
        },
        takes_column=False,
        category="A",
        nulls="An aggregate that is NULL does not violate the rule.",
        empty_table="As the aggregate of no rows: NULL passes, count(*) is 0.",
    ),
    RuleType(
        "correlation_between",
        "accuracy",
        "Pearson's correlation of the column with the other one lies from min_value to max_value, "
        f"both included. {_BOUND}",
        Correlation,
        {
            "type": "correlation_between",
            "column": "dep_delay",
            "arguments": {"other_column": "arr_delay", "min_value": 0.5},
        },
        category="A",
        nulls="Pairs with a NULL are left out; without two pairs, or of a constant, there is no "
        "correlation and nothing is violated.",
        aliases=("hasCorrelation",),
    ),
    RuleType(
        "increasing",
        "accuracy",
        "In the order of sort_column (and of the column, where that is equal) each value is "
        "greater than the one before, or equal unless strictly, by exactly step if given. Counts "
        "rows.",
        Monotonic,
        {"type": "increasing", "column": "flight", "arguments": {"sort_column": "time_hour"}},
        category="G",
        nulls=_IN_ORDER_NULLS,
        aliases=("expect_column_values_to_be_increasing",),
    ),
    RuleType(
        "decreasing",
        "accuracy",
        "In the order of sort_column (and of the column, where that is equal) each value is "
        "smaller than the one before, or equal unless strictly, by exactly step if given. Counts "
        "rows.",
        Monotonic,
        {"type": "decreasing", "column": "flight", "arguments": {"sort_column": "time_hour"}},
        category="G",
        nulls=_IN_ORDER_NULLS,
        aliases=("expect_column_values_to_be_decreasing",),
    ),
    RuleType(
        "sequential_values",
        "accuracy",
        "In their own order the values follow each other at interval, a number or, with datepart, "
        "so many of these. Counts the values that do not follow.",
        Sequence,
        {
            "type": "sequential_values",
            "column": "time_hour",
            "arguments": {"interval": 1, "datepart": "hour"},
        },
        category="G",
        nulls="A NULL does not violate the rule.",
    ),
    RuleType(
        "mutually_exclusive_ranges",
        "accuracy",
        "The ranges from lower_column to upper_column do not overlap; gaps between them are "
        "allowed, not_allowed or required. Counts ranges that overlap the next one or are none.",
        Ranges,
        {
            "type": "mutually_exclusive_ranges",
            "arguments": {"lower_column": "valid_from", "upper_column": "valid_to"},
        },
        takes_column=False,
        category="G",
        nulls="A range with NULL at an end violates the rule.",
    ),
    RuleType(
        "within_n_stdevs",
        "accuracy",
        "Each value is at most sigma_threshold standard deviations (of the sample) from the mean; "
        "with sum_by, the sum of each group of these columns is. Counts values.",
        Deviation,
        {"type": "within_n_stdevs", "column": "air_time", "arguments": {"sigma_threshold": 6}},
        tested="values",
        category="G",
        nulls="NULLs are no values; where all values are equal nothing is violated.",
    ),
    RuleType(
        "within_n_moving_stdevs",
        "accuracy",
        "The column is summed for each period of date_column; each sum of the last test_periods "
        "complete ones is at most sigma_threshold standard deviations from the mean of the "
        "trend_periods before it. Natural logarithms are compared (take_logs), and their change "
        "since lookback_periods earlier (take_diffs). Counts periods.",
        MovingDeviation,
        {
            "type": "within_n_moving_stdevs",
            "column": "distance",
            "arguments": {"date_column": "time_hour"},
        },
        tested="values",
        category="G",
        nulls="NULLs add nothing; a sum with nothing to compare it with violates nothing, nor does "
        "a change with fewer than trend_periods changes before it.",
        counts_rows=False,
    ),
    RuleType(
        "most_common_value_in_set",
        "accuracy",
        "The top_n most common values, with those that are as common as the last of them, are "
        "among those listed. Counts values.",
        CommonValues,
        {"type": "most_common_value_in_set", "column": "carrier", "arguments": {"values": ["UA"]}},
        tested="values",
        category="G",
        counts_rows=False,
    ),
    RuleType(
        "failed_rows_sql",
        "accuracy",
        "A SELECT finds no rows; `checked` in it are the rows of the table that the rule's where "
        "and the check's scope leave, other tables stand as schema.table. Counts rows, max_rows at "
        "most. Needs the permission for custom SQL.",
        FailedRows,
        {
            "type": "failed_rows_sql",
            "arguments": {"query": "select * from checked where dep_time = 2400"},
        },
        takes_column=False,
        tested="none",
        category="S",
        nulls="As the query says.",
        empty_table="As the query says.",
        aliases=("failed_rows", "tableCustomSQLQuery", "unexpected_rows_expectation"),
    ),
    RuleType(
        "metric_sql",
        "accuracy",
        "The number that a query returns lies from min_value to max_value, both included unless "
        "inclusive is false; negate turns that round. `checked` in it are the rows that the rule's "
        f"where and the check's scope leave. {_BOUND} Needs the permission for custom SQL.",
        Metric,
        {
            "type": "metric_sql",
            "arguments": {"query": "select count(distinct carrier) from checked", "min_value": 10},
        },
        takes_column=False,
        tested="none",
        category="S",
        nulls="NULL, or no row, is no number and violates the rule.",
        empty_table="As the query says.",
    ),
)
