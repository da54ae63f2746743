"""Texts as clients of the Watcher framework send them: names in any case, watermarks of any kind.

The meaning of each field is that of the framework (https://github.com/cmgoffena13/etl-watcher).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from quality.names import clean_text

MAX_WATERMARK = 50


def _folded(value: Any) -> Any:
    return clean_text(value).strip().lower() if isinstance(value, str) else value


def _stripped(value: Any) -> Any:
    return clean_text(value).strip() if isinstance(value, str) else value


def _watermark(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("must be a text, a whole number, a date or a time")
    text = clean_text(str(value)).strip()
    if len(text) > MAX_WATERMARK:
        raise ValueError(f"has more than {MAX_WATERMARK} characters")
    return text


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except ValueError:
        raise ValueError("is no time of ISO 8601, such as 2026-01-31T12:00:00Z") from None
    except OverflowError:
        raise ValueError("is beyond the years that can be stored") from None


def _metadata(value: Any) -> Any:
    for text in _texts(value):
        clean_text(text)
    return value


def _texts(value: Any) -> list[str]:
    found: list[str] = []
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            left.extend((*one.keys(), *one.values()))
        elif isinstance(one, list):
            left.extend(one)
    return found


Name = Annotated[str, BeforeValidator(_folded), Field(min_length=1, max_length=150)]
"""Stripped and in lower case."""

ShortName = Annotated[str, BeforeValidator(_folded), Field(max_length=63)]

Folded = BeforeValidator(_folded)
Stripped = BeforeValidator(_stripped)

Watermark = Annotated[
    str | None,
    PlainValidator(_watermark),
    WithJsonSchema({"type": ["string", "integer", "null"], "maxLength": MAX_WATERMARK}),
]
"""Where a pipeline stands, as text of at most 50 characters, with its case."""

Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""In UTC; without a zone it is UTC already."""

Metadata = Annotated[dict[str, Any], BeforeValidator(_metadata)]
"""Any JSON object; its case is kept."""
