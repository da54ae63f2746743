"""The engine's side of the comparison: the one place that knows how its parts are called."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from quality.budgets import UNLIMITED
from quality.checks import CheckOutcome
from quality.engine.cancellation import Cancellation
from quality.engine.judging import Asked, Judging
from quality.engine.plan import arranging
from quality.engine.plan.compiled import CompiledTest
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import Plan, plan_test
from quality.engine.plan.preparing import entry_of
from quality.engine.plan.urgency import End
from quality.engine.planned import PlannedEngine
from quality.engine.settings import EngineSettings
from quality.predicates import Predicate
from quality.rules import RuleSet
from tests.conftest import PROJECT


class EngineSide:
    """The engine, which also takes tests that plain dbt compiled; to be closed."""

    def __init__(self, environment: Mapping[str, str], folder: Path, **settings: Any) -> None:
        found = EngineSettings(
            project_dir=PROJECT / "stringx",
            data_dir=folder,
            threads=1,
            custom_sql=True,
            **settings,
        )
        self.rules = PlannedEngine(found, environment)

    def check(
        self, rule_set: RuleSet, scope: Sequence[Predicate] = (), *, large: bool = False
    ) -> CheckOutcome:
        """What a check of the rules says; `large`: as if no table were small."""
        with _as_if(large):
            return self.rules.run(rule_set, scope)

    def verdicts_of_dbt(
        self, rule_set: RuleSet, scope: Sequence[Predicate] = ()
    ) -> list[dict[str, Any]]:
        """What dbt itself says of each rule: its own run of the same generated project."""
        return self.rules._dbt.test(rule_set, tuple(scope), time.monotonic() + 120)

    def run(
        self, tests: Sequence[CompiledTest], times: int = 1, *, large: bool = False
    ) -> list[list[Finding]]:
        """What is found, in the order of the tests; as many times with one plan, as checks do it.

        Each time is one snapshot. `large`: as if no table were small.
        """
        with _as_if(large):
            return self._run(tests, times)

    def close(self) -> None:
        self.rules.close()

    def _run(self, tests: Sequence[CompiledTest], times: int) -> list[list[Finding]]:
        end = End(time.monotonic() + 120)
        pool = self.rules._targets.pool("demo", end.at)
        entry = entry_of(Plan(tuple(plan_test(test) for test in tests)))
        findings = []
        for _ in range(times):
            places = range(len(tests))
            asked = Asked((), (), frozenset(places), end, UNLIMITED, Cancellation())
            rules = self.rules
            found, _ = Judging(asked, entry, rules._planner, pool, rules._settings).findings()
            findings.append([found[place] for place in places])
        return findings


@contextmanager
def _as_if(large: bool) -> Iterator[None]:
    small = 0 if large else arranging.SMALL_BYTES
    with mock.patch.object(arranging, "SMALL_BYTES", small):
        yield
