"""Measured values as numbers, and the points in time that they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

LARGEST = 1e150
"""Above it squares are no numbers any more; such a value is none here."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a rule measured before: `at` is the moment that the values are about.

    `measured` is as the engine gave it, by name.
    """

    at: datetime
    measured: Mapping[str, object]


def number_of(value: object) -> float | None:
    """A measured value as a number: a time as seconds since 1970, None for what is no number.

    NaN, infinity, NULL and other texts are none, whether they came as numbers or as text.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        number = _number(value)
    else:
        number = value if isinstance(value, (int, float)) else None
    if number is None or abs(number) > LARGEST or math.isnan(number):
        return None
    return float(number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
