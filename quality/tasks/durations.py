"""Lengths of time as HOCON writes them: `500 ms`, `30s`, `5 minutes`, `2 h`, `7 days`."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
}
_NAMES = {
    "ms": ("ms", "milli", "millis", "millisecond", "milliseconds"),
    "s": ("s", "second", "seconds"),
    "m": ("m", "minute", "minutes"),
    "h": ("h", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "week", "weeks"),
}
_SIZES = {name: _UNITS[unit] for unit, names in _NAMES.items() for name in names}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]{1,12})")


def seconds(value: Any) -> Any:
    """The seconds of a text like `5 minutes`; numbers are seconds already, and stay."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be a length of time such as 30s, 5 minutes or 7 days")
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None or match[2] not in _SIZES:
            raise ValueError(
                f'"{value[:40]}" is no length of time; write for example 30s, 5 minutes or 7 days'
            )
        return float(match[1]) * _SIZES[match[2]]
    try:
        return float(value)
    except OverflowError:
        return math.inf


Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=10 * 365 * 86_400)]
"""Seconds."""
