"""`python -m consumer` as a process: its settings, and its end when it hangs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from consumer import watchdog
from consumer.health import Health
from consumer.watchdog import EXIT_WEDGED
from embedded import ports
from tests.conftest import PROJECT, clean_environment


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "consumer", *arguments],
        cwd=PROJECT,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_says_how_to_set_it_up() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "STRINGX_KAFKA_BOOTSTRAP_SERVERS" in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRINGX_KAFKA_BOOTSTRAP_SERVERS", ""),
        ("STRINGX_KAFKA_ASSIGNMENT", "both"),
        ("STRINGX_CONSUMER_PORT", "0"),
        ("STRINGX_BATCH_SIZE", "many"),
        ("STRINGX_API_URL", "not a url"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_that_names_it(name: str, value: str) -> None:
    environment = {"STRINGX_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", name: value}
    done = run(**environment)
    assert done.returncode == 78
    assert name in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_loop_that_hangs_is_ended_with_its_stacks_in_the_log(tmp_path: Path) -> None:
    script = """
import threading, time
from consumer.health import Health
from consumer.watchdog import watch
from quality.logs import configure
configure("test")
watch(Health(), 0.6, threading.Event())
def stuck_here():
    time.sleep(60)
stuck_here()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == EXIT_WEDGED
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["message"] for event in events] == ["polling_loop_hangs"] * 2
    assert "stuck_here" in events[0]["stacks"]


def test_a_loop_that_goes_round_is_left_alone() -> None:
    health, stop = Health(), threading.Event()
    thread = watchdog.watch(health, 2.0, stop)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        health.tick()
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_ends_soon_when_told_to_while_kafka_and_the_api_are_away(tmp_path: Path) -> None:
    port = ports.choose_free()
    process = subprocess.Popen(
        [sys.executable, "-m", "consumer"],
        cwd=PROJECT,
        env={
            **clean_environment(),
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
            "STRINGX_API_URL": "http://127.0.0.1:9",
            "STRINGX_CONSUMER_PORT": str(port),
            "STRINGX_DATA_DIR": str(tmp_path),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(json.loads(line)["message"])
        if seen[-1] == "waiting_for_kafka":
            break
    assert ports.accepts(port)
    process.terminate()
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0, rest
    assert "consumer_stopped" in rest
    assert "Traceback" not in rest
