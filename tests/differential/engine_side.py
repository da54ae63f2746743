"""The engine's side of the comparison: the one place that knows how its parts are called."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quality.engine.cancellation import Cancellation
from quality.engine.plan.compiled import CompiledTest
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import Plan, plan_test
from quality.engine.plan.preparing import entry_of
from quality.engine.planned import PlannedEngine
from quality.engine.settings import EngineSettings
from tests.conftest import PROJECT


class EngineSide:
    """The engine, which also takes tests that plain dbt compiled; to be closed."""

    def __init__(self, environment: Mapping[str, str], folder: Path, **settings: Any) -> None:
        found = EngineSettings(project_dir=PROJECT / "stringx", data_dir=folder, **settings)
        self.rules = PlannedEngine(found, environment)

    def run(self, tests: Sequence[CompiledTest], times: int = 1) -> list[list[Finding]]:
        """What is found, in the order of the tests; as many times with one plan, as checks do it.

        Each time is one snapshot.
        """
        deadline = time.monotonic() + 120
        pool = self.rules._targets.pool("demo", deadline)
        entry = entry_of(Plan(tuple(plan_test(test) for test in tests)))
        findings = []
        for _ in range(times):
            found = self.rules._findings(
                entry, entry.plan.narrowed(), pool, (), deadline, Cancellation()
            )
            findings.append([found[place] for place in range(len(tests))])
        return findings

    def close(self) -> None:
        self.rules.close()
