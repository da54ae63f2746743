"""Plain dbt: processes of its own that run generated projects."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quality.engine.dbt.frames import ClosedPipe, read_frame, write_frame
from quality.engine.plan.compiled import CompiledTest
from tests.conftest import PROJECT
from tests.differential.cases import Case
from tests.differential.project import MACROS, write_project

PATIENCE_S = 240
# A user's dbt may write, whatever is usual for the role.
OWN_ENVIRONMENT = {
    "PGOPTIONS": "-c default_transaction_read_only=off",
    "DO_NOT_TRACK": "1",
    "PYTHONUTF8": "1",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What dbt said of one test, and the test as it compiled it."""

    name: str
    status: str
    failures: int | None
    message: str | None
    test: CompiledTest


class PlainDbt:
    """Two resident processes of dbt without anything of ours; to be closed."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._processes = [_Process(environment, folder / f"dbt_{n}.log") for n in (1, 2)]

    def test(
        self,
        cases: Sequence[Case],
        flags: dict[str, Any] | None = None,
        macros: Path = MACROS,
    ) -> dict[str, Said]:
        """What dbt says of every case, by its name. `flags` are those of dbt_project.yml."""
        halves = [half for half in (cases[::2], cases[1::2]) if half]
        folders = []
        for half in halves:
            folders.append(Path(tempfile.mkdtemp(dir=self._folder, prefix="project-")) / "it")
            write_project(folders[-1], half, flags, macros)
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(_Process.run, self._processes, folders)
            said = [_said(one) for answer in answers for one in answer]
        found = {one.name: one for one in said}
        missing = {case.name for case in cases}.symmetric_difference(found)
        assert not missing, f"dbt did not judge {sorted(missing)[:10]}"
        return found

    def close(self) -> None:
        for process in self._processes:
            process.close()


class _Process:
    def __init__(self, environment: Mapping[str, str], log_file: Path) -> None:
        theirs_in, self._requests = os.pipe()
        self._answers, theirs_out = os.pipe()
        self._log_file = log_file
        module = "tests.differential.plain_worker"
        with log_file.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs_in), str(theirs_out)],
                cwd=PROJECT,
                env={**environment, **OWN_ENVIRONMENT},
                pass_fds=(theirs_in, theirs_out),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(theirs_in)
        os.close(theirs_out)

    def run(self, project: Path) -> list[dict[str, Any]]:
        write_frame(self._requests, {"project": str(project)})
        try:
            answer = read_frame(self._answers, time.monotonic() + PATIENCE_S)
        except ClosedPipe:
            raise AssertionError(f"dbt's process ended: {self._last_words()}") from None
        assert "error" not in answer, f"{answer['error']}\n{self._last_words()}"
        found: list[dict[str, Any]] = answer["results"]
        return found

    def close(self) -> None:
        os.close(self._requests)
        os.close(self._answers)
        self._process.wait(20)

    def _last_words(self) -> str:
        return self._log_file.read_text()[-2000:]


def _said(answer: dict[str, Any]) -> Said:
    return Said(**{**answer, "test": CompiledTest(**answer["test"])})
