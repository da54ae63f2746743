"""Typed predicates: a rule's `where` and a request's `scope`.

A caller names a column, an operator and a value; SQL is built from them by our own macros and
builders, with identifiers and literals quoted. There is no way to write SQL in a predicate.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, model_validator

from quality.names import Identifier, Text

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "between", "is_null", "is_not_null"]
Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Scalar = StrictBool | Number | Annotated[Text, Field(max_length=1024)]


class Predicate(BaseModel):
    """`{"column": "time_hour", "op": ">=", "value": "2013-12-31"}`.

    `in` takes a list of 1 to 1,000 values, `between` a list of two (both ends included),
    `is_null` and `is_not_null` none. A text value is cast by the database to the column's type.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Identifier
    op: Operator
    value: Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Predicate:
        if self.op in ("is_null", "is_not_null"):
            if self.value is not None:
                raise ValueError(f"{self.op} takes no value")
        elif self.op == "in":
            if not isinstance(self.value, list):
                raise ValueError("in takes a list of values")
        elif self.op == "between":
            if not isinstance(self.value, list) or len(self.value) != 2:
                raise ValueError("between takes a list of two values")
        elif self.value is None or isinstance(self.value, list):
            raise ValueError(f"{self.op} takes one value")
        return self

    def document(self) -> dict[str, Any]:
        """As JSON, without an absent value."""
        return self.model_dump(mode="json", exclude_none=True)


Predicates = Annotated[tuple[Predicate, ...], Field(max_length=20)]
"""All of them must hold."""
