"""Typed predicates: a rule's `where` and a request's `scope`.

A caller names a column, an operator and a value; SQL is built from them by our own macros and
builders, with identifiers and literals quoted. There is no way to write SQL in a predicate.

A value may be a relative time (`now-1d`, `today`). In a rule it is SQL on `current_timestamp` or
`current_date`; in a request `resolve` makes it a fixed moment when the request is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from quality.moments import MAX_TEXT, marked, relative
from quality.names import Identifier, clean_text

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "between", "is_null", "is_not_null"]


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


Operand = bool | int | float | str | dict[str, str]
"""What a column is compared with: a scalar, a relative time, `{"literal": "now"}` for a text that
would be one, or a fixed moment: `{"timestamp": …}`, `{"date": …}`."""


def _operand(value: Any) -> Operand:
    if isinstance(value, dict):
        return marked(value)
    if isinstance(value, str):
        relative(clean_text(value))
    return _scalar(value)


def _value(value: Any) -> Any:
    if value is None or not isinstance(value, list):
        return None if value is None else _operand(value)
    if not 1 <= len(value) <= 1000:
        raise ValueError("must have 1 to 1000 values")
    return [_operand(item) for item in value]


_MARKED = {
    "additionalProperties": {"type": "string", "maxLength": MAX_TEXT},
    "propertyNames": {"enum": ["literal", "timestamp", "date"]},
    "minProperties": 1,
    "maxProperties": 1,
}

Value = Annotated[
    Operand | list[Operand] | None,
    PlainValidator(_value),
    WithJsonSchema(
        {
            "type": ["boolean", "number", "string", "object", "array", "null"],
            "maxLength": MAX_TEXT,
            "items": {
                "type": ["boolean", "number", "string", "object"],
                "maxLength": MAX_TEXT,
                **_MARKED,
            },
            "minItems": 1,
            "maxItems": 1000,
            **_MARKED,
        }
    ),
]


class Predicate(BaseModel):
    """`{"column": "time_hour", "op": ">=", "value": "2013-12-31"}`.

    `in` takes a list of 1 to 1,000 values, `between` a list of two (both ends included),
    `is_null` and `is_not_null` none. A text value is cast by the database to the column's type.
    `now-1d`, `today` and the like are times; `{"literal": "today"}` is that text.
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


def resolve(predicates: Iterable[Predicate], now: datetime) -> tuple[Predicate, ...]:
    """The predicates with each relative time as the moment it is at `now` (with a time zone).

    Resolving what is resolved changes nothing, so that a request keeps its meaning wherever and
    whenever it runs.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    return tuple(
        predicate.model_copy(update={"value": _resolved(predicate.value, now)})
        for predicate in predicates
    )


def _resolved(value: Operand | list[Operand] | None, now: datetime) -> Any:
    if isinstance(value, list):
        return [_resolved(item, now) for item in value]
    found = relative(value) if isinstance(value, str) else None
    return value if found is None else found.at(now)
