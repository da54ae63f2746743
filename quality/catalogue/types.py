"""What a rule type is, and the arguments that several of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quality.names import Identifier
from quality.predicates import Bound, Scalar

Dimension = Literal[
    "completeness", "accuracy", "consistency", "uniqueness", "timeliness", "validity"
]
Category = Literal["R", "A", "G", "X", "M", "S", "H"]
"""How a type asks: R row by row, A one row of aggregates, G groups or windows, X a second table,
M the database's own catalogue, S SQL of the author's, H stored history. R and A share one scan."""
Tested = Literal["rows", "values", "none"]

Values = Annotated[list[Scalar], Field(min_length=1, max_length=1000)]
Columns = Annotated[list[Identifier], Field(min_length=1, max_length=32)]


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

    def tables_by_path(self) -> dict[str, OtherTable]:
        """Other tables that the arguments name, by the name of the argument."""
        return {}


@dataclass(frozen=True, slots=True)
class OtherTable:
    """A table beside the checked one: its name as text, and columns of it by the argument's path."""

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
    nothing of the table's content. `nulls` and `empty_table` say how these are judged, `aliases` by
    which names the type is known elsewhere.
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
