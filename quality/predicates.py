"""Typed predicates: a rule's `where` and a request's `scope`.

A caller names a column, an operator and a value; SQL is built from them by our own macros and
builders, with identifiers and literals quoted. There is no way to write SQL in a predicate.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from quality.names import Identifier, clean_text

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "between", "is_null", "is_not_null"]
MAX_TEXT = 1024


def _scalar(value: Any) -> bool | int | float | str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"has more than {MAX_TEXT} characters")
        return clean_text(value)
    if not isinstance(value, (bool, int, float)):
        raise ValueError("must be a text, a number or a boolean")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _bound(value: Any) -> int | float | str:
    if isinstance(value, bool):
        raise ValueError("must be a number or a text")
    return _scalar(value)


# Validated by one function each, because a union reports an error for each of its members.
Scalar = Annotated[
    bool | int | float | str,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["boolean", "number", "string"], "maxLength": MAX_TEXT}),
]
"""A literal: text of at most 1,024 characters, a finite number or a boolean."""

Bound = Annotated[
    int | float | str,
    PlainValidator(_bound),
    WithJsonSchema({"type": ["number", "string"], "maxLength": MAX_TEXT}),
]
"""An end of a range: a number, or a text such as a date."""


def _value(value: Any) -> Any:
    if value is None or not isinstance(value, list):
        return None if value is None else _scalar(value)
    if not 1 <= len(value) <= 1000:
        raise ValueError("must have 1 to 1000 values")
    return [_scalar(item) for item in value]


Value = Annotated[
    bool | int | float | str | list[bool | int | float | str] | None,
    PlainValidator(_value),
    WithJsonSchema(
        {
            "type": ["boolean", "number", "string", "array", "null"],
            "maxLength": MAX_TEXT,
            "items": {"type": ["boolean", "number", "string"], "maxLength": MAX_TEXT},
            "minItems": 1,
            "maxItems": 1000,
        }
    ),
]


class Predicate(BaseModel):
    """`{"column": "time_hour", "op": ">=", "value": "2013-12-31"}`.

    `in` takes a list of 1 to 1,000 values, `between` a list of two (both ends included),
    `is_null` and `is_not_null` none. A text value is cast by the database to the column's type.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Identifier
    op: Operator
    value: Value = None

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
