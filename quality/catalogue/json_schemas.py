"""JSON Schema (draft 2020-12), as much of it as one row's SQL can decide.

Source: https://json-schema.org/draft/2020-12. What a word of a schema means is there; what is not
known here is refused, so that nothing is left unchecked in silence. `stringx/macros` has the SQL.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from quality.names import clean_text

MAX_DEPTH = 8
MAX_SCHEMAS = 200
_TYPES = ("null", "boolean", "object", "array", "number", "integer", "string")
_ANNOTATIONS = (
    *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
    *("readOnly", "writeOnly", "format"),
)
Below = Iterator[tuple[str, Any]]


def checked(schema: Any) -> Any:
    """The schema, where all of it is understood; ValueError names the place and what is wrong."""
    number = 0
    for path, below, depth in _all(schema, "", 0):
        number += 1
        where = f"at {path}: " if path else ""
        if depth > MAX_DEPTH:
            raise ValueError(f"{where}is nested more than {MAX_DEPTH} deep")
        if number > MAX_SCHEMAS:
            raise ValueError(f"has more than {MAX_SCHEMAS} schemas in it")
        if isinstance(below, bool):
            continue
        if not isinstance(below, dict):
            raise ValueError(f"{where}a schema is an object, true or false")
        for word, value in below.items():
            if word in _ANNOTATIONS:
                continue
            if word not in _WORDS:
                known = ", ".join(sorted(_WORDS))
                raise ValueError(f"{where}{word[:60]!r} is not supported; these are: {known}")
            fault = _WORDS[word](value)
            if fault:
                raise ValueError(f"{where}{word} must be {fault}")
    _clean(schema)
    return schema


def patterns(schema: Any) -> dict[str, str]:
    """The regular expressions in a schema that was checked, by their path."""
    return {
        f"{path}.pattern".lstrip("."): below["pattern"]
        for path, below, _ in _all(schema, "", 0)
        if isinstance(below, dict) and "pattern" in below
    }


def _all(schema: Any, path: str, depth: int) -> Iterator[tuple[str, Any, int]]:
    """The schema and those below it, each with its path and depth; also of what is no schema."""
    yield path, schema, depth
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return
    for step, below in _below(schema):
        yield from _all(below, f"{path}.{step}".lstrip("."), depth + 1)


def _below(schema: dict[str, Any]) -> Below:
    for word in ("items", "contains", "not", "additionalProperties"):
        if word in schema:
            yield word, schema[word]
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, below in properties.items():
            yield f"properties.{name[:60]}", below
    for word in ("allOf", "anyOf", "oneOf"):
        listed = schema.get(word)
        if isinstance(listed, list):
            for place, below in enumerate(listed):
                yield f"{word}[{place}]", below


def _clean(value: Any) -> None:
    """Texts that PostgreSQL can store, and numbers that are some."""
    if isinstance(value, str):
        clean_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif isinstance(value, list):
        for one in value:
            _clean(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            clean_text(name)
            _clean(one)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> str:
    return "" if _is_number(value) else "a number"


def _above_zero(value: Any) -> str:
    return "" if _is_number(value) and value > 0 else "a number above 0"


def _count(value: Any) -> str:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return "" if is_count else "a whole number from 0"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _types(value: Any) -> str:
    listed = [value] if isinstance(value, str) else value
    fits = isinstance(listed, list) and listed and all(one in _TYPES for one in listed)
    return "" if fits else f"one of {', '.join(_TYPES)}, or a list of them"


def _names(value: Any) -> str:
    fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return "" if fits else "a list of names"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and len(value) <= 1024 else "a text of 1024 letters at most"


def _some(value: Any) -> str:
    fits = isinstance(value, list) and 0 < len(value) <= 1000
    return "" if fits else "a list of 1 to 1000 entries"


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else "an object"


def _anything(value: Any) -> str:
    return ""


_WORDS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _count),
    **dict.fromkeys(("minProperties", "maxProperties"), _count),
    **dict.fromkeys(("enum", "allOf", "anyOf", "oneOf"), _some),
    **dict.fromkeys(("const", "items", "contains", "not", "additionalProperties"), _anything),
    "type": _types,
    "multipleOf": _above_zero,
    "pattern": _text,
    "uniqueItems": _flag,
    "required": _names,
    "properties": _object,
}
