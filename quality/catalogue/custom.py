"""Arguments that are SQL of the author's, read by the guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from quality.custom_sql import Refused, read_expression, read_query
from quality.names import Text


def _read_by(guard: Callable[[str], Any]) -> Callable[[str], str]:
    def checked(text: str) -> str:
        try:
            guard(text)
        except Refused as refusal:
            # Braces in the words are no places to fill in.
            raise PydanticCustomError(
                refusal.code,
                "{words}",
                {"words": str(refusal)},
            ) from None
        return text.strip()

    return checked


RowText = Annotated[
    Text, Field(min_length=1, max_length=2000), AfterValidator(_read_by(read_expression))
]
"""An expression over the columns of one row."""
AggregateText = RowText
"""An expression of aggregates over the columns; PostgreSQL itself tells the two apart."""
QueryText = Annotated[
    Text, Field(min_length=1, max_length=8000), AfterValidator(_read_by(read_query))
]
"""One read-only SELECT."""
