"""The architecture and the style, checked by machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

TOOLS = Path(sys.executable).parent


def run(*command: str) -> None:
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_imports_point_the_right_way() -> None:
    run("lint-imports", "--no-cache")


def test_domain_is_strictly_typed() -> None:
    run("mypy")


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_ruff_finds_nothing(arguments: tuple[str, ...]) -> None:
    run("ruff", *arguments, ".")


def test_every_rule_type_has_its_macro() -> None:
    from quality.catalogue import RULE_TYPES

    for name in RULE_TYPES:
        macro = PROJECT / "stringx" / "macros" / f"{name}.sql"
        assert f"test {name}(" in macro.read_text(), f"{macro} lacks its generic test"


def test_direct_dependencies_are_pinned() -> None:
    for file in PROJECT.glob("**/requirements.txt"):
        if ".venv" in file.parts:
            continue
        for line in file.read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert "==" in line, f"{file}: {line}"
