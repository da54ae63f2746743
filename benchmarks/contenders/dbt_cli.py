"""`dbt test`, a process for each run, as pipelines call it: `python -m …contenders.dbt_cli`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contenders.dbt_project import PASSWORD_VARIABLE, arguments, write_project
from benchmarks.contenders.protocol import serve
from benchmarks.work import Finding, Target, Work

THREADS = 4


class DbtCommand:
    """See `Contender`. dbt keeps its partial parse between runs."""

    starts_processes = True

    def __init__(self) -> None:
        self._target: Target
        self._folder: Path
        self._projects: dict[str, Path] = {}

    def open(self, target: Target, folder: Path) -> dict[str, str]:
        self._target, self._folder = target, folder
        return {name: version(name) for name in ("dbt-core", "dbt-postgres")}

    def prepare(self, work: Work) -> None:
        project = write_project(self._folder, work, self._target)
        self._projects[work.name] = project
        self._dbt(["parse", f"--project-dir={project}", f"--profiles-dir={project}", "--quiet"])

    def run(self, work: Work) -> Any:
        project = self._projects[work.name]
        results = project / "target" / "run_results.json"
        results.unlink(missing_ok=True)  # dbt leaves the last one where it fails
        self._dbt(arguments(project, THREADS))
        return json.loads(results.read_text(encoding="utf-8"))["results"]

    def findings(self, work: Work, found: Any) -> Sequence[Finding]:
        return [
            Finding(
                result["unique_id"].split(".")[2],
                result["status"],
                failures=result["failures"],
                message=result["message"],
            )
            for result in found
        ]

    def close(self) -> None:
        self._projects.clear()

    def _dbt(self, words: list[str]) -> None:
        program = Path(sys.executable).with_name("dbt")
        done = subprocess.run(
            [str(program), *words],
            env={**os.environ, PASSWORD_VARIABLE: self._target.password},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):  # 1: a test failed
            raise RuntimeError(f"dbt ended with {done.returncode}: {done.stdout[-400:]}")


if __name__ == "__main__":
    serve(DbtCommand())
