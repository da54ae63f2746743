"""Plans: a compiled rule set, each test with its shape, ready for any scope."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from quality.engine.plan.compiled import CompiledTest
from quality.engine.plan.judgement import is_simple
from quality.engine.plan.recognition import recognise
from quality.engine.plan.shapes import Shape, Subject


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """A test and how it can run.

    `subject` are the rows it is about, None where nobody knows; `tested` is the column (as SQL)
    whose non-NULL values are counted as tested, None for all rows. A test that `only_measures` is
    judged elsewhere: its SQL gives one row, of which every column is a measure. Where nothing
    `counts_rows`, nobody wants to know how many there are.
    """

    test: CompiledTest
    shape: Shape | None = None
    subject: Subject | None = None
    tested: str | None = None
    only_measures: bool = False
    counts_rows: bool = True


@dataclass(frozen=True)
class Plan:
    """The tests of a rule set in their order.

    `marker` is the name that stands for the scope in every subject; empty where there is none.
    `is_complete`: nothing comes to what the tests find, but samples where all rules have them.
    """

    tests: tuple[PlannedTest, ...]
    marker: str = ""
    is_complete: bool = False

    @property
    def subject(self) -> Subject | None:
        """The rows that the tests are about; None where none of them reads any that are known."""
        return next((test.subject for test in self.tests if test.subject is not None), None)

    def narrowed(self, scope: Sequence[str] = ()) -> tuple[PlannedTest, ...]:
        """The tests for the rows where all conditions of `scope` (SQL) hold."""
        if not self.marker:
            return self.tests
        if not scope:
            return self._whole
        return tuple(self._narrowed(test, tuple(scope)) for test in self.tests)

    def narrowed_test(self, place: int, scope: Sequence[str]) -> PlannedTest:
        """One of the tests for the rows where all conditions of `scope` (SQL, not empty) hold."""
        return self._narrowed(self.tests[place], tuple(scope))

    @cached_property
    def _whole(self) -> tuple[PlannedTest, ...]:
        return tuple(self._narrowed(test, ()) for test in self.tests)

    def _narrowed(self, planned: PlannedTest, scope: tuple[str, ...]) -> PlannedTest:
        subject = planned.subject and self._subject(planned.subject, scope)
        shape = planned.shape
        if shape is not None:
            shape = replace(shape, subject=self._subject(shape.subject, scope))
        sql = self._text(planned.test.sql, scope)
        return replace(planned, test=replace(planned.test, sql=sql), shape=shape, subject=subject)

    def _subject(self, subject: Subject, scope: tuple[str, ...]) -> Subject:
        """The marker's place among the conditions is the scope's."""
        mark = f'"{self.marker}"'
        kept = tuple(condition for condition in subject.conditions if condition != mark)
        pieces = [self._text(condition, scope) for condition in kept]
        return replace(subject, conditions=(*pieces, *scope))

    def _text(self, sql: str, scope: tuple[str, ...]) -> str:
        """SQL with the scope for its marker, or without any where there is none."""
        mark = f'"{self.marker}"'
        if scope:
            return sql.replace(mark, " and ".join(scope))
        sql = sql.replace(f" and {mark}", "")
        alone = rf"\(select \* from ((?:\"(?:[^\"]|\"\")+\"\.?)+) where {mark}\) sx_subject\b"
        return re.sub(alone, r"\1", sql).replace(mark, "true")


def plan_test(
    test: CompiledTest, subject: Subject | None = None, tested: str | None = None
) -> PlannedTest:
    """What is known of a test, from its SQL and configuration."""
    countable = test.dbt_only is None and test.fail_calc.strip().lower() == "count(*)"
    shape = recognise(test.sql) if countable and is_simple(test) else None
    return PlannedTest(test, shape, subject or (shape.subject if shape else None), tested)
