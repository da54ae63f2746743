"""The contenders that can take part, and the environment of those that are not in the product's."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.database import data_folder
from benchmarks.resident import Resident

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_S = 600.0


class EnvironmentMissing(RuntimeError):
    """The environment cannot be made; the message is one line that says why."""


@dataclass(frozen=True)
class Entry:
    """One contender: the module and arguments of its program."""

    name: str
    title: str
    module: str
    arguments: tuple[str, ...] = ()
    foreign: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def resident(self, python: Path) -> Resident:
        """Its process, not started."""
        command = [str(python), "-m", f"benchmarks.contenders.{self.module}", *self.arguments]
        folder = data_folder() / "contenders" / self.name
        return Resident(self.title, command, folder, self.environment)


CONTENDERS = (
    Entry("stringx", "StringX", "stringx"),
    Entry("sql-fused", "plain SQL, fused into two scans", "plain_sql", ("fused",)),
    Entry("sql-each", "plain SQL, one query a check", "plain_sql", ("each",)),
    Entry(
        "soda",
        "Soda Core 4, in process",
        "soda",
        foreign=True,
        environment={"SODA_CORE_TELEMETRY_ENABLED": "false"},
    ),
    Entry("dbt-1", "dbtRunner, warm, 1 thread", "dbt_warm", ("1",)),
    Entry("dbt-4", "dbtRunner, warm, 4 threads", "dbt_warm", ("4",)),
    Entry("dbt-cli", "`dbt test`, a process each", "dbt_cli"),
)
OURS = CONTENDERS[0]


def python_of(entry: Entry, say: Callable[[str], None]) -> Path:
    """The interpreter that a contender runs in, its environment made where need be.

    Raises EnvironmentMissing.
    """
    if entry.foreign:
        return environment(REQUIREMENTS, sys.executable, say)
    return Path(sys.executable)


def environment(requirements: Path, python: str, say: Callable[[str], None]) -> Path:
    """The interpreter of a virtual environment with these requirements, made with `python` the
    first time and when they change. Raises EnvironmentMissing."""
    wanted = f"{python} {sys.version_info[:2]} {requirements.read_text(encoding='utf-8')}"
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    folder = data_folder() / f"environment-{digest}"
    interpreter = folder / "bin" / "python"
    complete = folder / "complete"
    if complete.exists():
        return interpreter
    say(f"installing benchmarks/{requirements.name} in an environment of its own (once)")
    shutil.rmtree(folder, ignore_errors=True)
    _run([python, "-m", "venv", str(folder)])
    _run([str(interpreter), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
    complete.touch()
    return interpreter


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentMissing(str(error)[:300]) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no output"]
        raise EnvironmentMissing(lines[-1][:300])
