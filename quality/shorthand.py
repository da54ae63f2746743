"""Predicates and selections as people type them on a command line."""

from __future__ import annotations

import json
import re
from typing import Any

from quality.errors import InvalidInput

_COMPARISON = re.compile(r"\s*([^\s=!<>]+)\s*(=|!=|<=|>=|<|>)\s*(.*)", re.DOTALL)
_LIST = re.compile(r"\s*(\S+)\s+(in|between)\s+(.+)", re.DOTALL)
_NULL = re.compile(r"\s*(\S+)\s+(is_null|is_not_null)\s*")
_SELECTED = ("rules", "tags", "dimensions", "kind")


def predicate(text: str, option: str = "--scope") -> dict[str, Any]:
    """A predicate from `time_hour>=2013-12-31`, `origin in JFK,LGA`, `month between 1,3` or
    `tailnum is_null`. A value that reads as a JSON number or boolean is one, else it is text.

    Raises InvalidInput, which names the option that the text came by.
    """
    if match := _NULL.fullmatch(text):
        return {"column": match[1], "op": match[2]}
    if match := _LIST.fullmatch(text):
        return {
            "column": match[1],
            "op": match[2],
            "value": [_value(v) for v in match[3].split(",")],
        }
    if match := _COMPARISON.fullmatch(text):
        return {"column": match[1], "op": match[2], "value": _value(match[3])}
    raise InvalidInput(f'{option} "{text}" is no predicate; write for example "month>=6"')


def selection(texts: list[str]) -> dict[str, Any]:
    """A selection from `rules=a,b`, `tags=x`, `dimensions=validity` and `kind=business`."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in _SELECTED:
            raise InvalidInput(
                f'--select "{text}" is not known; write rules=…, tags=…, dimensions=… or kind=…'
            )
        found[name] = value if name == "kind" else [*found.get(name, []), *value.split(",")]
    return found


def _value(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=lambda name: name)  # NaN is a text here
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text
