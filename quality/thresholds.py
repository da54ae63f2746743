"""Thresholds: when a count of failing rows is a warning or a failure.

`> 10` compares the count that dbt has; `> 0.5%` the share of the rows tested that fail.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_THRESHOLD = re.compile(
    r"\s*(=|==|!=|<>|>=|<=|>|<)\s*(?:(\d{1,18})|(\d{1,3}(?:\.\d{1,9})?)\s*%)\s*"
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold, read: an operator, and a whole number or a percentage (0 to 100)."""

    operator: str
    number: Decimal
    is_percent: bool

    def holds(self, failing: int, tested: int | None) -> bool:
        """Whether so many failing of so many tested reach it.

        Exact, without rounding; of no rows 0 % fail. `tested` may be None for a plain number.
        """
        compare = _OPERATORS[self.operator]
        if not self.is_percent:
            return compare(failing, int(self.number))
        if tested is None:
            raise ValueError("a percentage needs to know how many rows were tested")
        if tested == 0:
            return compare(0, self.number)
        return compare(failing * 100, self.number * tested)

    def __str__(self) -> str:
        if not self.is_percent:
            return f"{self.operator} {int(self.number)}"
        digits = f"{self.number:f}"
        if "." in digits:
            digits = digits.rstrip("0").rstrip(".")
        return f"{self.operator} {digits}%"


@lru_cache(maxsize=4096)
def limit_of(text: str) -> Limit:
    """`> 10`, `>= 2.5%`; ValueError says what may stand there."""
    match = _THRESHOLD.fullmatch(text)
    if match is None:
        raise ValueError(
            'must be an operator and a whole number, such as "> 10", '
            'or a percentage of the rows tested, such as "> 0.5%"'
        )
    sign = {"==": "=", "<>": "!="}.get(match[1], match[1])
    number = Decimal(match[2] or match[3])
    if match[3] is not None and number > 100:
        raise ValueError("must be a percentage from 0% to 100%")
    return Limit(sign, number, match[3] is not None)


def _canonical(text: str) -> str:
    return str(limit_of(text))


Threshold = Annotated[str, Field(max_length=40), AfterValidator(_canonical)]
"""A threshold as text, in its canonical spelling."""
