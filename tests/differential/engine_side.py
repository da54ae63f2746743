"""The engine's side of the comparison: the one place that knows how its parts are called."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quality.engine.cancellation import Cancellation
from quality.engine.plan.compiled import CompiledTest
from quality.engine.plan.execution import Execution
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import Plan, plan_test
from quality.engine.plan.preparing import Planner, entry_of
from quality.engine.settings import EngineSettings
from quality.engine.target.catalogue import signatures_of
from quality.engine.target.connecting import Targets
from quality.engine.target.snapshot import open_snapshot


class EngineSide:
    """Plans and runs tests that plain dbt compiled, on a target of its own; to be closed."""

    def __init__(self, environment: Mapping[str, str], folder: Path, **settings: Any) -> None:
        credentials = {
            "host": environment["STRINGX_TARGET_HOST"],
            "port": environment["STRINGX_TARGET_PORT"],
            "user": environment["STRINGX_TARGET_USER"],
            "password": environment["DBT_ENV_SECRET_TARGET_PASSWORD"],
            "database": environment["STRINGX_TARGET_DBNAME"],
        }
        self._settings = EngineSettings(data_dir=folder, **settings)
        self._targets = Targets(lambda target, deadline: credentials, self._settings)
        # It never asks dbt for anything: what dbt compiled is here already.
        self._planner = Planner(None, self._settings)  # type: ignore[arg-type]

    def run(self, tests: Sequence[CompiledTest], times: int = 1) -> list[list[Finding]]:
        """What is found, in the order of the tests; as many times with one plan, as checks do it.

        Each time is one snapshot.
        """
        deadline = time.monotonic() + self._settings.check_time_limit_s
        pool = self._targets.pool("it", deadline)
        entry = entry_of(Plan(tuple(plan_test(test) for test in tests)))
        prepared = self._planner.prepare(entry, pool, deadline)
        findings = []
        for _ in range(times):
            opened = open_snapshot(pool, self._settings, deadline, Cancellation(), entry.signatures)
            with opened as (snapshot, answer):
                signatures = dict(zip(entry.relations, signatures_of(answer), strict=True))
                execution = Execution(
                    entry.plan.tests,
                    prepared.readiness,
                    signatures,
                    snapshot,
                    prepared.experience,
                )
                found = execution.findings()
            findings.append([found[place] for place in range(len(tests))])
        return findings

    def close(self) -> None:
        self._targets.close()
