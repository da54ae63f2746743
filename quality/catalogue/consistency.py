"""Consistency: one place says what another one says."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quality.catalogue.accuracy import columns_of
from quality.catalogue.custom import AggregateText
from quality.catalogue.types import (
    Arguments,
    AsItIs,
    ColumnList,
    Columns,
    OtherColumn,
    OtherTable,
    OtherTableText,
    RuleType,
    WholeIfNoFloat,
)
from quality.names import Identifier, Text
from quality.predicates import Predicates

Percent = Annotated[float, Field(ge=0, le=1_000_000)]
Amount = Annotated[float, Field(ge=-1e300, le=1e300), WholeIfNoFloat, AsItIs]
Tolerance = Annotated[float, Field(ge=0, le=1e300), WholeIfNoFloat, AsItIs]


class Relationship(Arguments):
    to: OtherTableText
    field: Identifier

    def tables_by_path(self) -> dict[str, OtherTable]:
        return {"to": OtherTable(self.to, {"field": self.field})}


class NarrowedRelationship(Relationship):
    to_where: Predicates = ()

    def tables_by_path(self) -> dict[str, OtherTable]:
        columns = {"field": self.field, **predicated("to_where", self.to_where)}
        return {"to": OtherTable(self.to, columns)}


class Comparison(Arguments):
    """With another table, narrowed by `compare_where`."""

    compare_model: OtherTableText
    compare_where: Predicates = ()

    def compared_columns(self) -> dict[str, str]:
        """Columns of the other table, by path."""
        return {}

    def tables_by_path(self) -> dict[str, OtherTable]:
        columns = {**self.compared_columns(), **predicated("compare_where", self.compare_where)}
        return {"compare_model": OtherTable(self.compare_model, columns)}


class RowCountRatio(Comparison):
    factor: Annotated[float, Field(gt=0, le=1e15)]
    tolerance_percent: Percent = 0


class SameRows(Comparison):
    compare_columns: Columns

    def columns_by_path(self) -> dict[str, str]:
        return {f"compare_columns[{place}]": c for place, c in enumerate(self.compare_columns)}

    def compared_columns(self) -> dict[str, str]:
        return self.columns_by_path()


class SameRowsByKey(SameRows):
    compare_columns: Annotated[list[Identifier], Field(max_length=100)] = Field(
        default_factory=list
    )
    keys: Columns

    def columns_by_path(self) -> dict[str, str]:
        keys = {f"keys[{place}]": key for place, key in enumerate(self.keys)}
        return {**keys, **super().columns_by_path()}


class SameAggregate(Comparison):
    is_custom_sql: ClassVar[bool] = True
    expression: AggregateText
    compare_expression: AggregateText | None = None
    tolerance: Annotated[float, Field(ge=0, le=1e300)] = 0
    tolerance_percent: Percent | None = None

    @model_validator(mode="after")
    def _one_tolerance(self) -> SameAggregate:
        if self.tolerance and self.tolerance_percent is not None:
            raise ValueError("takes tolerance or tolerance_percent, not both")
        return self

    def columns_by_path(self) -> dict[str, str]:
        return columns_of(self.expression)

    def compared_columns(self) -> dict[str, str]:
        if self.compare_expression is None:
            return columns_of(self.expression)
        return columns_of(self.compare_expression, "compare_expression")


class SameDistinctCount(Comparison):
    compare_column: Identifier | None = None

    def compared_columns(self) -> dict[str, str]:
        return {} if self.compare_column is None else {"compare_column": self.compare_column}


class SameColumnCount(Arguments):
    compare_model: OtherTableText

    def tables_by_path(self) -> dict[str, OtherTable]:
        return {"compare_model": OtherTable(self.compare_model)}


class EqualColumn(OtherColumn):
    nulls_equal: bool = False


class ColumnSum(ColumnList):
    sum_total: Amount | None = None
    total_column: Identifier | None = None
    tolerance: Tolerance = 0.0
    per: Annotated[str, Field(pattern="^(row|table)$")] = "row"

    @property
    def counts_rows(self) -> bool:
        return self.per == "row"

    @model_validator(mode="after")
    def _one_total(self) -> ColumnSum:
        if (self.sum_total is None) == (self.total_column is None):
            raise ValueError("needs sum_total or total_column")
        return self

    def columns_by_path(self) -> dict[str, str]:
        total = {} if self.total_column is None else {"total_column": self.total_column}
        return {**super().columns_by_path(), **total}


class NeededColumn(BaseModel):
    """A column on which someone relies, and its type as PostgreSQL spells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Identifier
    type: Annotated[Text, Field(min_length=1, max_length=200)] | None = None


class Exposure(Arguments):
    exposure: Annotated[Text, Field(max_length=200)] | None = None
    needed_columns: Annotated[list[NeededColumn], Field(min_length=1, max_length=200)]


def predicated(path: str, predicates: Predicates) -> dict[str, str]:
    """The columns of predicates by their paths."""
    return {f"{path}[{place}].column": p.column for place, p in enumerate(predicates)}


_BOUND = "One failing row stands for the table."
_COUNTED = "NULLs are rows like others."
_AIRPORTS = {"to": "flights.airports", "field": "faa"}
_PLANES = {"compare_model": "flights.planes"}

TYPES = (
    RuleType(
        "relationships",
        "consistency",
        "Each value of the column stands in the field of the other table. Counts rows.",
        Relationship,
        {"type": "relationships", "column": "dest", "arguments": _AIRPORTS},
        tested="values",
        category="X",
        aliases=("foreign_key", "ReferentialIntegrity", "valid_reference_data"),
    ),
    RuleType(
        "relationships_where",
        "consistency",
        "Each value of the column stands in the field of the other table, among its rows for which "
        "all predicates of to_where hold. Counts rows.",
        NarrowedRelationship,
        {
            "type": "relationships_where",
            "column": "dest",
            "arguments": {**_AIRPORTS, "to_where": [{"column": "tz", "op": "<=", "value": -5}]},
        },
        tested="values",
        category="X",
    ),
    RuleType(
        "cardinality_equality",
        "consistency",
        "Each value stands as often in the column as in the field of the other table. Counts each "
        "value and number of rows that the other side has not.",
        NarrowedRelationship,
        {"type": "cardinality_equality", "column": "faa", "arguments": _AIRPORTS},
        category="X",
        nulls="NULL is a value here, equal to itself.",
        empty_table="An empty table fails unless the other one is empty too.",
        counts_rows=False,
    ),
    RuleType(
        "equal_rowcount",
        "consistency",
        "The table has as many rows as the other one. The count of failures is the difference.",
        Comparison,
        {"type": "equal_rowcount", "arguments": {"compare_model": "flights.airlines"}},
        takes_column=False,
        category="X",
        nulls=_COUNTED,
        empty_table="An empty table fails unless the other one is empty too.",
    ),
    RuleType(
        "fewer_rows_than",
        "consistency",
        "The table has fewer rows than the other one. The count of failures is how many more it "
        "has, 1 where both have the same number.",
        Comparison,
        {"type": "fewer_rows_than", "arguments": {"compare_model": "flights.flights"}},
        takes_column=False,
        category="X",
        nulls=_COUNTED,
        empty_table="An empty table passes unless the other one is empty too.",
    ),
    RuleType(
        "row_count_ratio",
        "consistency",
        "The table has factor times as many rows as the other one, give or take tolerance_percent "
        f"of these. {_BOUND}",
        RowCountRatio,
        {"type": "row_count_ratio", "arguments": {**_PLANES, "factor": 1, "tolerance_percent": 5}},
        takes_column=False,
        category="X",
        nulls=_COUNTED,
        empty_table="An empty table fails unless the other one is empty too.",
        counts_rows=False,
    ),
    RuleType(
        "equality",
        "consistency",
        "Both tables have the same rows in compare_columns; how often each stands does not matter. "
        "Counts the rows that the other table has not.",
        SameRows,
        {"type": "equality", "arguments": {**_PLANES, "compare_columns": ["tailnum", "year"]}},
        takes_column=False,
        category="X",
        nulls="NULLs are equal.",
        empty_table="An empty table fails unless the other one is empty too.",
    ),
    RuleType(
        "table_diff",
        "consistency",
        "Rows with equal keys agree in compare_columns, and none is missing in either table. "
        "Counts the rows that differ or are missing.",
        SameRowsByKey,
        {
            "type": "table_diff",
            "arguments": {**_PLANES, "keys": ["tailnum"], "compare_columns": ["year", "seats"]},
        },
        takes_column=False,
        category="X",
        nulls="NULLs of compare_columns are equal; a row with NULL in a key finds no partner.",
        empty_table="An empty table fails unless the other one is empty too.",
        aliases=("tableDiff", "compare_datasets"),
    ),
    RuleType(
        "aggregation_equals_other_table",
        "consistency",
        "An aggregate in SQL over the table equals that of the other one (compare_expression, or "
        "the same expression), give or take tolerance, or tolerance_percent of its own value. "
        f"{_BOUND} Needs the permission for custom SQL.",
        SameAggregate,
        {
            "type": "aggregation_equals_other_table",
            "arguments": {"expression": "count(distinct tailnum)", **_PLANES},
        },
        takes_column=False,
        category="X",
        nulls="An aggregate that is NULL equals NULL only.",
        empty_table="As the aggregate of no rows.",
        aliases=("aggr_matches_dataset",),
        counts_rows=False,
    ),
    RuleType(
        "distinct_count_equals_other_table",
        "consistency",
        "The column has as many distinct values as compare_column of the other table (or its "
        f"column of the same name). {_BOUND}",
        SameDistinctCount,
        {"type": "distinct_count_equals_other_table", "column": "tailnum", "arguments": _PLANES},
        category="X",
        tested="values",
        nulls="NULL is not counted.",
        empty_table="An empty table has no values, as an empty other one.",
        counts_rows=False,
    ),
    RuleType(
        "column_count_equals_other_table",
        "consistency",
        f"The table has as many columns as the other one. {_BOUND}",
        SameColumnCount,
        {"type": "column_count_equals_other_table", "arguments": _PLANES},
        takes_column=False,
        tested="none",
        category="M",
        nulls="Looks at the definition only.",
        empty_table="Looks at the definition only.",
    ),
    RuleType(
        "multicolumn_sum_equals",
        "consistency",
        "The columns add up to sum_total or to total_column, give or take tolerance: in each row, "
        "or (per: table) in their sums over all rows. Counts rows.",
        ColumnSum,
        {
            "type": "multicolumn_sum_equals",
            "arguments": {"columns": ["net", "tax"], "total_column": "gross"},
        },
        takes_column=False,
        nulls="A row with NULL in one of the columns does not violate the rule; the sum of a "
        "column leaves NULLs out.",
    ),
    RuleType(
        "columns_equal",
        "consistency",
        "The column equals the other one. Counts rows.",
        EqualColumn,
        {
            "type": "columns_equal",
            "column": "sched_dep_time",
            "arguments": {"other_column": "dep_time"},
        },
        nulls="A row with NULL in either column does not violate the rule; with nulls_equal one "
        "with a single NULL does.",
    ),
    RuleType(
        "exposure_schema",
        "consistency",
        "The columns that someone relies on are there, and of the type given (as PostgreSQL spells "
        "it: integer, character varying(20)). Counts the columns that are not.",
        Exposure,
        {
            "type": "exposure_schema",
            "arguments": {
                "exposure": "departures dashboard",
                "needed_columns": [{"name": "dep_time", "type": "integer"}, {"name": "origin"}],
            },
        },
        takes_column=False,
        tested="none",
        category="M",
        nulls="Looks at the definition only.",
        empty_table="Looks at the definition only.",
    ),
)
