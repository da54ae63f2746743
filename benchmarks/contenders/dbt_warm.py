"""dbtRunner in a resident process that holds its manifests: `… dbt_warm THREADS`.

It keeps what dbt lets a program keep: the imported modules and the parsed project.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from benchmarks.contenders.dbt_project import PASSWORD_VARIABLE, arguments, write_project
from benchmarks.contenders.protocol import serve
from benchmarks.work import Finding, Target, Work


class WarmDbt:
    """See `Contender`."""

    starts_processes = False

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._target: Target
        self._folder: Path
        self._runners: dict[str, tuple[dbtRunner, list[str]]] = {}

    def open(self, target: Target, folder: Path) -> dict[str, str]:
        self._target, self._folder = target, folder
        os.environ[PASSWORD_VARIABLE] = target.password
        return {name: version(name) for name in ("dbt-core", "dbt-postgres")}

    def prepare(self, work: Work) -> None:
        project = write_project(self._folder, work, self._target)
        parsed = dbtRunner().invoke(
            ["parse", f"--project-dir={project}", f"--profiles-dir={project}", "--quiet"]
        )
        if not parsed.success:
            raise RuntimeError(f"dbt cannot parse its project: {parsed.exception}")
        runner = dbtRunner(manifest=parsed.result)
        self._runners[work.name] = runner, [*arguments(project, self._threads), "--no-write-json"]

    def run(self, work: Work) -> Any:
        runner, words = self._runners[work.name]
        return runner.invoke(words)

    def findings(self, work: Work, found: Any) -> Sequence[Finding]:
        if found.exception is not None:
            raise found.exception
        return [
            Finding(
                result.node.name,
                str(result.status),  # type: ignore[arg-type]
                failures=result.failures,
                message=result.message,
            )
            for result in found.result
        ]

    def close(self) -> None:
        self._runners.clear()


if __name__ == "__main__":
    serve(WarmDbt(int(sys.argv[1])))
