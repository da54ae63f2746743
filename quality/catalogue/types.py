"""What a rule type is, and the arguments that several of them share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from quality.custom_sql import Query, is_system_schema
from quality.names import Identifier, TableName, TableText, Text
from quality.predicates import Bound, Scalar

Dimension = Literal[
    "completeness", "accuracy", "consistency", "uniqueness", "timeliness", "validity"
]
Category = Literal["R", "A", "G", "X", "M", "S", "H"]
"""How a type asks: R row by row, A one row of aggregates, G groups or windows, X a second table,
M the database's own catalogue, S SQL of the author's, H stored history. R and A share one scan."""
Tested = Literal["rows", "values", "none"]

Datepart = Literal["minute", "hour", "day", "week", "month", "year"]
RegexText = Annotated[Text, Field(min_length=1, max_length=1024)]
Values = Annotated[list[Scalar], Field(min_length=1, max_length=1000)]
Columns = Annotated[list[Identifier], Field(min_length=1, max_length=32)]


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    try:
        is_finite = math.isfinite(value)
    except OverflowError:  # whole, and greater than every float
        is_finite = False
    if not is_finite:
        raise ValueError("must be a finite number")
    found: int | float = value
    return found


def _whole_if_no_float(value: Any, read: ValidatorFunctionWrapHandler) -> int | float:
    found: float = read(value)
    return value if isinstance(value, int) and Decimal(str(found)) != value else found


# Whole numbers stay whole: a sum of big ones has more digits than a float.
Number = Annotated[int | float, PlainValidator(_number), WithJsonSchema({"type": "number"})]
# For a float with bounds: 10 is 10.0, as it ever was in the hashes of rules, and 2**53 + 1 itself.
WholeIfNoFloat = WrapValidator(_whole_if_no_float)
AsItIs = PlainSerializer(lambda value: value, return_type=int | float)


def _not_of_the_system(table: str) -> str:
    schema = TableName.parse(table).schema
    if is_system_schema(schema):
        raise ValueError(f"must not name a table of {schema}, the database's own")
    return table


OtherTableText = Annotated[TableText, AfterValidator(_not_of_the_system)]
"""A table to compare with."""


class Arguments(BaseModel):
    """What a rule type takes beside the column. No more fields than these exist."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    def columns_by_path(self) -> dict[str, str]:
        """The columns of the checked table that the arguments name, by their path in them."""
        return {}

    def columns(self) -> list[str]:
        """Columns of the checked table that the arguments name."""
        return list(self.columns_by_path().values())

    def regexes_by_path(self) -> dict[str, str]:
        """The regular expressions among the arguments, by their path in them."""
        return {}

    def thresholds(self) -> dict[str, str]:
        """`severity`, `warn_if` and `error_if` of a rule that says nothing of them, where they are
        not those of other types."""
        return {}

    @property
    def counts_rows(self) -> bool:
        """Whether with these arguments, too, what fails is counted in rows of the table."""
        return True

    is_custom_sql: ClassVar[bool] = False
    """Whether the author's own SQL is among them, which needs a permission of its own."""

    def queries_by_path(self) -> dict[str, Query]:
        """What queries of the author's own read, by their path."""
        return {}

    def tables_by_path(self) -> dict[str, OtherTable]:
        """Other tables that the arguments name, by the name of the argument."""
        return {}


@dataclass(frozen=True, slots=True)
class OtherTable:
    """A table beside the checked one: its name, and columns of it by the argument's path."""

    name: str
    columns: dict[str, str] = field(default_factory=dict)


AnyArguments = TypeVar("AnyArguments", bound=Arguments)


class NoArguments(Arguments):
    """The column says it all."""


class ValueList(Arguments):
    values: Values


class CountRange(Arguments):
    min_value: int | None = Field(default=None, ge=0, lt=2**63)
    max_value: int | None = Field(default=None, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _ordered(self) -> CountRange:
        return in_order(self, self.min_value, self.max_value, "min_value", "max_value")


class ValueRange(Arguments):
    min_value: Bound | None = None
    max_value: Bound | None = None
    inclusive: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> ValueRange:
        return in_order(self, self.min_value, self.max_value, "min_value", "max_value")


class NumberRange(Arguments):
    min_value: Number | None = None
    max_value: Number | None = None
    inclusive: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> NumberRange:
        return in_order(self, self.min_value, self.max_value, "min_value", "max_value")


class ColumnList(Arguments):
    columns_: Columns = Field(alias="columns")

    def columns_by_path(self) -> dict[str, str]:
        return {f"columns[{place}]": column for place, column in enumerate(self.columns_)}


class OtherColumn(Arguments):
    other_column: Identifier

    def columns_by_path(self) -> dict[str, str]:
        return {"other_column": self.other_column}


@dataclass(frozen=True, slots=True)
class RuleType:
    """One kind of rule.

    `tested` is the denominator: all rows, the column's non-NULL values, or none where a rule counts
    nothing of the table's content. `counts_rows`: what fails is counted in rows of the table, or
    can be; not in keys, in gaps, or once for the whole. `nulls` and `empty_table` say how these are
    judged, `aliases` by which names the type is known elsewhere.
    """

    name: str
    dimension: Dimension
    summary: str
    arguments: type[Arguments]
    example: dict[str, Any]
    takes_column: bool = True
    tested: Tested = "rows"
    category: Category = "R"
    nulls: str = "NULL never violates the rule."
    empty_table: str = "An empty table passes."
    aliases: tuple[str, ...] = ()
    counts_rows: bool = True

    @property
    def takes_percent(self) -> bool:
        """Whether thresholds may be percentages of the rows tested, if its arguments allow it."""
        return self.counts_rows and self.tested != "none" and self.category != "A"


def in_order(
    model: AnyArguments, low: Any, high: Any, low_name: str, high_name: str
) -> AnyArguments:
    """The model, where one of the ends at least is there and the low one is not the higher.

    Raises ValueError with the names of both.
    """
    if low is None and high is None:
        raise ValueError(f"needs {low_name}, {high_name} or both")
    if low is not None and high is not None:
        if isinstance(low, str) != isinstance(high, str):
            raise ValueError(f"{low_name} and {high_name} must both be numbers or both be texts")
        if not isinstance(low, str) and low > high:
            raise ValueError(f"{low_name} must not be greater than {high_name}")
    return model
