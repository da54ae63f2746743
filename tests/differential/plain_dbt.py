"""Plain dbt: a process of its own that runs generated projects."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quality.engine.dbt.frames import ClosedPipe, read_frame, write_frame
from quality.engine.plan.compiled import CompiledTest
from tests.conftest import PROJECT
from tests.differential.cases import Case, Relation
from tests.differential.project import write_project


@dataclass(frozen=True, slots=True)
class Said:
    """What dbt said of one test, and the test as it compiled it."""

    name: str
    status: str
    failures: int | None
    message: str | None
    test: CompiledTest


class PlainDbt:
    """A resident process of dbt without anything of ours; to be closed."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        theirs_in, self._requests = os.pipe()
        self._answers, theirs_out = os.pipe()
        self._words = (folder / "plain_dbt.log").open("w+")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.differential.plain_worker",
                f"{theirs_in}",
                f"{theirs_out}",
            ],
            cwd=PROJECT,
            env={**environment, "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"},
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
        )
        os.close(theirs_in)
        os.close(theirs_out)

    def test(
        self,
        cases: Sequence[Case],
        relations: Sequence[Relation] = (),
        flags: dict[str, Any] | None = None,
    ) -> dict[str, Said]:
        """What dbt says of every case, by its name."""
        folder = Path(tempfile.mkdtemp(dir=self._folder, prefix="project-"))
        write_project(folder / "it", cases, relations, flags)
        write_frame(self._requests, {"project": str(folder / "it")})
        try:
            answer = read_frame(self._answers, time.monotonic() + 240)
        except ClosedPipe:
            raise AssertionError(f"dbt's process ended: {self._last_words()}") from None
        assert "error" not in answer, f"{answer['error']}\n{self._last_words()}"
        found = {said["name"]: _said(said) for said in answer["results"]}
        assert set(found) == {case.name for case in cases}, self._last_words()
        return found

    def close(self) -> None:
        os.close(self._requests)
        os.close(self._answers)
        self._process.wait(20)
        self._words.close()

    def _last_words(self) -> str:
        self._words.flush()
        return Path(self._words.name).read_text()[-4000:]


def _said(answer: dict[str, Any]) -> Said:
    return Said(**{**answer, "test": CompiledTest(**answer["test"])})
