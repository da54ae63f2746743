"""start-service.sh and the supervisor: what is wrong is said in one line, with the remedy."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require_program

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "start-service.sh"
TOOLS = ("bash", "cat", "cut", "dirname", "flock", "ls", "mkdir", "rm", "sed", "sha256sum")


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script as from a fresh login: with a PATH and a HOME and nothing else but `variables`."""
    return subprocess.run(
        [str(SCRIPT), *arguments],
        env={"PATH": os.defpath, "HOME": str(PROJECT)} | variables,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _says(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("stringx: ")
    return lines[0]


def _embedded(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The supervisor alone, in the interpreter of the tests."""
    return _run(
        "demo",
        **{
            "STRINGX_NO_INSTALL": "1",
            "STRINGX_VENV": sys.prefix,
            "STRINGX_DATA_DIR": str(folder),
        }
        | variables,
    )


def test_help_names_every_command() -> None:
    done = _run("--help")
    assert done.returncode == 0
    for word in ("run", "demo", "test", "api", "consumer", "migrate", "STRINGX_DATABASE_URL"):
        assert word in done.stdout


def test_an_unknown_command_and_a_surplus_argument_are_refused() -> None:
    assert "unknown command 'strat'" in _says(_run("strat"))
    assert "takes no arguments" in _says(_run("demo", "fast"))


def test_no_python_is_said(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tools / tool).symlink_to(found)
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # an older Python says no
    old.chmod(0o755)
    done = subprocess.run(
        [tools / "bash", SCRIPT, "demo"],
        env={"PATH": str(tools), "HOME": "/", "STRINGX_VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no Python 3.11 or newer" in _says(done)


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("work")
    assert "no virtual environment" in _says(_run("api", STRINGX_VENV=str(tmp_path)))
    assert precious.read_text() == "work"


def test_an_unwritable_folder_names_the_setting() -> None:
    assert "STRINGX_VENV" in _says(_run("api", STRINGX_VENV="/proc/stringx"))


def test_an_environment_that_should_be_ready_and_is_not_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "venv")
    said = _says(_run("api", STRINGX_NO_INSTALL="1", STRINGX_VENV=missing))
    assert missing in said and "STRINGX_VENV" in said


def test_a_failing_pip_is_said_and_the_next_start_begins_anew(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    variables = {
        "STRINGX_VENV": str(venv),
        "PIP_INDEX_URL": "http://127.0.0.1:1/",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
    }
    done = _run("migrate", **variables)
    assert done.returncode != 0
    assert "pip could not install the packages" in done.stderr.splitlines()[-1]
    leftover = venv / "leftover"
    leftover.write_text("")
    assert _run("migrate", **variables).returncode != 0
    assert not leftover.exists(), "what a broken installation left was kept"


@pytest.mark.parametrize("setting", ["STRINGX_API_PORT", "STRINGX_CONSUMER_PORT"])
def test_a_taken_port_names_setting_and_holder(folder: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        said = _says(_embedded(folder, **{setting: port}))
    assert f"port {port}" in said and setting in said and f"(pid {os.getpid()})" in said


def test_a_data_folder_that_cannot_be_written_names_the_setting() -> None:
    said = _says(_embedded(Path("/proc/stringx")))
    assert "cannot write to /proc/stringx" in said and "STRINGX_DATA_DIR" in said


def test_a_wrong_setting_is_named(folder: Path) -> None:
    assert "STRINGX_API_PORT" in _says(_embedded(folder, STRINGX_API_PORT="many"))
    assert "STRINGX_DEMO" in _says(_embedded(folder, STRINGX_DEMO="perhaps"))


def test_the_script_is_clean() -> None:
    shellcheck = require_program("shellcheck")
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == ""
