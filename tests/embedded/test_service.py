"""The whole service under its supervisor: verdicts, ends of every kind, and no process left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded import ports
from embedded.supervisor import is_ready

PROJECT = Path(__file__).resolve().parents[2]
STARTED = "Ctrl-C stops everything"


@pytest.fixture
def variables(folder: Path) -> dict[str, str]:
    """An environment with a data folder and ports of its own."""
    api, consumer, kafka = (str(ports.choose_free()) for _ in range(3))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STRINGX_")}
    return kept | {
        "STRINGX_NO_INSTALL": "1",
        "STRINGX_VENV": sys.prefix,
        "STRINGX_DATA_DIR": str(folder),
        "STRINGX_API_PORT": api,
        "STRINGX_CONSUMER_PORT": consumer,
        "STRINGX_EMBEDDED_KAFKA_PORT": kafka,
    }


@pytest.fixture(autouse=True)
def nothing_left(folder: Path) -> Iterator[None]:
    """However a test ends, no process of its data folder may be there afterwards."""
    yield
    deadline = time.monotonic() + 60
    while left := _processes_of(folder):
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"left running: {left}")
        time.sleep(0.2)


def _processes_of(folder: Path) -> dict[int, str]:
    """Processes that name the folder in command or environment, or work in it."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                command = (process / "cmdline").read_bytes()
                known = command + (process / "environ").read_bytes()
                known += str((process / "cwd").readlink()).encode()
            except OSError:
                continue
            if str(folder).encode() in known:
                found[int(process.name)] = command.replace(b"\0", b" ").decode()
    return found


def _start(variables: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(PROJECT / "start-service.sh")],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _read_until_started(service: "subprocess.Popen[str]") -> str:
    assert service.stdout
    output = ""
    for line in service.stdout:
        output += line
        if STARTED in line:
            return output
    pytest.fail(f"it did not start:\n{output}")


def _finish(service: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    service.send_signal(number)
    output, _ = service.communicate(timeout=90)
    return service.returncode, output


def _demo(variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(PROJECT / "start-service.sh"), "demo"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_the_demo_finds_exactly_what_is_known(variables: dict[str, str]) -> None:
    done = _demo(variables)
    assert done.returncode == 0, done.stdout + done.stderr
    for fact in (
        "8,255 flights have no dep_time",
        "2,512 flights have no tailnum",
        "4 such destinations: BQN, SJU, PSE and STT",
        "exactly the known verdicts",
    ):
        assert fact in done.stdout


def test_it_starts_again_after_a_kill_and_stops_on_sigterm(
    variables: dict[str, str], folder: Path
) -> None:
    service = _start(variables)
    _read_until_started(service)

    second = subprocess.run(
        [str(PROJECT / "start-service.sh")],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"pid {service.pid}" in second.stderr and f"kill {service.pid}" in second.stderr

    _finish(service, signal.SIGKILL)
    service = _start(variables)
    output = _read_until_started(service)
    assert "already loaded" in output
    exit_code, _ = _finish(service, signal.SIGTERM)
    assert exit_code == 0
    assert _processes_of(folder) == {}


def test_the_worker_has_a_token_of_its_own_and_not_the_operators(
    variables: dict[str, str], folder: Path
) -> None:
    service = _start(
        variables | {"STRINGX_DEMO": "0", "STRINGX_API_TOKEN": "a-token-of-the-operators"}
    )
    _read_until_started(service)
    known = {}
    for pid, command in _processes_of(folder).items():
        if command.split()[-2:-1] == ["-m"]:
            pairs = (Path("/proc") / str(pid) / "environ").read_bytes().decode().split("\0")
            known[command.split()[-1]] = dict(pair.partition("=")[::2] for pair in pairs)
    exit_code, _ = _finish(service, signal.SIGTERM)
    assert exit_code == 0
    assert known["api"]["STRINGX_API_TOKEN"] == "a-token-of-the-operators"
    assert "STRINGX_API_TOKEN" not in known["consumer"]
    assert known["consumer"]["STRINGX_WORKER_TOKEN"] == known["api"]["STRINGX_WORKER_TOKEN"]
    assert len(known["api"]["STRINGX_WORKER_TOKEN"]) >= 32


@pytest.mark.parametrize("part", ["api", "consumer"])
def test_a_part_that_dies_is_named_and_everything_stops(
    variables: dict[str, str], folder: Path, part: str
) -> None:
    service = _start(variables | {"STRINGX_DEMO": "0"})
    _read_until_started(service)
    assert is_ready(ports.LOOPBACK, int(variables[f"STRINGX_{part.upper()}_PORT"]))
    (pid,) = [
        pid
        for pid, command in _processes_of(folder).items()
        if command.strip().endswith(f"-m {part}") and _parent(pid) == service.pid
    ]
    os.kill(pid, signal.SIGKILL)
    output, _ = service.communicate(timeout=90)
    assert service.returncode == 1
    assert f"the {part} stopped by itself (signal SIGKILL): see {folder}" in output
    assert _processes_of(folder) == {}


def test_ctrl_c_stops_it_cleanly(variables: dict[str, str], folder: Path) -> None:
    service = _start(variables | {"STRINGX_DEMO": "0"})
    _read_until_started(service)
    exit_code, output = _finish(service, signal.SIGINT)
    assert (exit_code, "Traceback" in output) == (0, False)
    assert _processes_of(folder) == {}


def _parent(pid: int) -> int:
    fields: list[Any] = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[1])
