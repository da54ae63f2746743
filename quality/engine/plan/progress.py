"""One test on its way to a finding."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from quality.checks import Measure, RulePath
from quality.engine.plan.finding import Finding
from quality.engine.plan.judgement import Judgement, decided, judged
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import Counted, Row
from quality.engine.plan.shapes import Orphans, Rows
from quality.engine.target.proofs import Readiness
from quality.engine.target.wire import Answer

_SAFE = re.compile(r'\s*("(?:[^"]|"")+"|[A-Za-z_]\w*)\s+is\s+(not\s+)?null\s*', re.I)
_INTEGER = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?\d+\.\d+|-?\d+(\.\d+)?[eE][+-]?\d+")
_COLUMNS = ["failures", "should_warn", "should_error"]
# OIDs of pg_type: the integers, floats and numeric.
_NUMERIC = {20, 21, 23, 700, 701, 1700}
_BOOLEAN = 16
_TRUE = {"t", "true", "y", "yes", "on", "1"}
_FALSE = {"f", "false", "n", "no", "off", "0"}


@dataclass(slots=True, eq=False)
class Progress:
    """What is known so far of one test; `place` is its place in the check.

    `is_inexact`: it fails some rows, but dbt's count is not known yet.
    """

    place: int
    planned: PlannedTest
    ready: Readiness
    tested: int | None = None
    estimated: bool = False
    rows: int | None = None
    is_inexact: bool = False
    _judged: tuple[Judgement, dict[str, Measure], int | None, RulePath] | None = None
    _fault: tuple[str, str] = ("engine", "the engine came to no result")
    _seconds: float = 0.0

    @property
    def is_safe(self) -> bool:
        """Whether its predicate can raise no error, whatever stands in a row."""
        shape = self.planned.shape
        return isinstance(shape, Rows) and _SAFE.fullmatch(shape.predicate) is not None

    def finding(self) -> Finding:
        """The end of it."""
        if self._judged is None:
            cause, words = self._fault
            return Finding("error", cause=cause, message=words, seconds=self._seconds)
        verdict, measured, rows, path = self._judged
        return Finding(
            verdict.status,
            verdict.failures,
            rows,
            self.tested,
            self.estimated and self.tested is not None,
            measured,
            path,
            self.ready.proof if path == "constraint" else None,
            None,
            verdict.message,
            self._seconds,
        )

    def count(self, found: int, rows: int | None, path: RulePath, seconds: float) -> None:
        """dbt's number of failing rows is known, and perhaps how many rows of the table fail."""
        self.rows = rows
        self.is_inexact = False
        self._judge(judged(self.planned.test, found), {"failures": found}, rows, path, seconds)

    def take_counts(self, counted: Counted, row: Row, seconds: float) -> None:
        """What a scan counted for this test."""
        self._seconds += seconds
        if counted.tested is not None:
            self.tested, self.estimated = int(row[counted.tested] or 0), False
        if counted.condition is not None:
            fails = int(row[counted.condition] == "t")
            measured = {name: measure(row[place]) for name, place in counted.measures}
            self._judge(judged(self.planned.test, fails), measured, None, "scan", 0.0)
        elif counted.rows is not None:
            rows = int(row[counted.rows] or 0)
            found = rows if counted.exact is None else int(row[counted.exact] or 0)
            self.count(found, rows, "scan", 0.0)
            is_exact = counted.exact is not None or isinstance(self.planned.shape, Rows)
            self.is_inexact = rows > 0 and not is_exact

    def prove(self, answer: Answer) -> None:
        """A constraint says that every row passes, if only the role may read what it would."""
        if answer.failed:
            self.fail(answer, "the query")
            return
        self.count(0, 0, "constraint", answer.seconds)

    def take_own(self, answer: Answer) -> None:
        """The answer to the query that dbt would send: failures, should_warn, should_error."""
        if answer.failed:
            self.fail(answer, "the query")
            return
        if self.planned.only_measures:
            self._take_measures(answer)
            return
        if len(answer.rows) != 1 or [name.lower() for name in answer.columns] != _COLUMNS:
            words = f"dbt needs one row of {', '.join(_COLUMNS)}; these came: {len(answer.rows)}"
            self._unusable(words, answer.seconds)
            return
        (failures, should_warn, should_error), types = answer.rows[0], answer.types
        found = _whole(failures) if types[0] in _NUMERIC else None
        warns, errs = _truth(should_warn, types[1]), _truth(should_error, types[2])
        if found is None or warns is None or errs is None:
            what = (
                "fail_calc gave no whole number" if found is None else "a threshold is no boolean"
            )
            self._unusable(f"{what}: {answer.rows[0]}", answer.seconds)
            return
        test = self.planned.test
        counts_rows = isinstance(self.planned.shape, (Rows, Orphans)) and test.limit is None
        rows = found if counts_rows else None
        verdict = decided(test, found, warns, errs)
        self._judge(verdict, {"failures": found}, rows, "dbt_sql", answer.seconds)

    def _take_measures(self, answer: Answer) -> None:
        if len(answer.rows) != 1:
            self._unusable(f"measures are one row; these came: {len(answer.rows)}", answer.seconds)
            return
        values = zip(answer.columns, answer.rows[0], strict=True)
        measured = {name: measure(value) for name, value in values}
        none = decided(self.planned.test, 0, False, False)
        self._judge(none, measured, None, "dbt_sql", answer.seconds)

    def fail(self, answer: Answer, what: str) -> None:
        """It could not be judged, for the database's reason."""
        cause = "deadline" if answer.is_late else answer.cause
        message = answer.message or ""
        if cause == "timeout":
            message = f"{what} ran {answer.seconds:.1f} s and was ended: {message}"
        self._seconds += answer.seconds
        self._judged, self._fault = None, (cause, message)

    def _unusable(self, words: str, seconds: float) -> None:
        self._seconds += seconds
        self._judged, self._fault = None, ("engine", words)

    def _judge(
        self,
        verdict: Judgement,
        measured: dict[str, Measure],
        rows: int | None,
        path: RulePath,
        seconds: float,
    ) -> None:
        self._seconds += seconds
        self._judged = (verdict, measured, rows, path)


def measure(text: str | None) -> Measure:
    """A value as JSON can carry it without loss: a number where it is one, otherwise text."""
    if text is None:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and len(text) <= 17 and math.isfinite(float(text)):
        return float(text)
    return text


def _whole(text: str | None) -> int | None:
    """The number that dbt would take for a count; None where it would refuse."""
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or number != int(number):
        return None
    return int(text) if _INTEGER.fullmatch(text) else int(number)


def _truth(text: str | None, type_: int) -> bool | None:
    """A threshold's answer as Python's truth, as dbt takes it; None where dbt would refuse.

    NULL does not hold. A text is read as distutils' strtobool does.
    """
    if text is None:
        return False
    if type_ == _BOOLEAN:
        return text == "t"
    if type_ in _NUMERIC:
        return float(text) != 0
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    return None
