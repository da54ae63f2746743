"""From a count to a status, as dbt does it.

dbt asks the database `{fail_calc} {warn_if}` and `{fail_calc} {error_if}` (its macro
`get_test_sql`), and judges in `TestRunner.build_test_run_result`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from quality.engine.plan.compiled import CompiledTest

_THRESHOLD = re.compile(r"\s*(=|!=|<>|>=|<=|>|<)\s*(\d{1,18})\s*")
_BETWEEN = re.compile(r"\s*between\s+(\d{1,18})\s+and\s+(\d{1,18})\s*", re.I)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Judgement(NamedTuple):
    """dbt's status, count and words."""

    status: Literal["pass", "warn", "fail"]
    failures: int
    message: str | None = None


def is_simple(test: CompiledTest) -> bool:
    """Whether the limit and both thresholds are whole numbers, so that no database is asked."""
    if test.limit is not None and test.limit < 0:  # an error of the database
        return False
    return all(
        _THRESHOLD.fullmatch(text) or _BETWEEN.fullmatch(text)
        for text in (test.warn_if, test.error_if)
    )


def judged(test: CompiledTest, rows: int) -> Judgement:
    """The judgement on a number of failing rows, of a test whose thresholds are simple."""
    count = rows if test.limit is None else min(rows, test.limit)
    return decided(test, count, _holds(test.warn_if, count), _holds(test.error_if, count))


def decided(test: CompiledTest, count: int, should_warn: bool, should_error: bool) -> Judgement:
    """The judgement where the database said what holds. A pass has no failures, whatever counted.

    Severity warn never looks at `should_error`.
    """
    plural = "" if count == 1 else "s"
    if test.severity == "error" and should_error:
        words = f"Got {count} result{plural}, configured to fail if {test.error_if}"
        return Judgement("fail", count, words)
    if should_warn:
        words = f"Got {count} result{plural}, configured to warn if {test.warn_if}"
        return Judgement("warn", count, words)
    return Judgement("pass", 0)


def _holds(threshold: str, count: int) -> bool:
    return _reader(threshold)(count)


@lru_cache(maxsize=4096)
def _reader(threshold: str) -> Callable[[int], bool]:
    """Read once: there are few thresholds, and each result asks two."""
    between = _BETWEEN.fullmatch(threshold)
    if between is not None:
        low, high = int(between[1]), int(between[2])
        return lambda count: low <= count <= high
    match = _THRESHOLD.fullmatch(threshold)
    if match is None:
        raise ValueError(f"not a simple threshold: {threshold}")
    compare, number = _OPERATORS[match[1]], int(match[2])
    return lambda count: compare(count, number)
