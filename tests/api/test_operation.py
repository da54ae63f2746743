"""For operators: tokens, health, metrics, what a wrong setting says (S15)."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import TOKEN
from tests.conftest import PROJECT, LiveApi, clean_environment, require_program, start_api


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"]
)
def test_everything_wants_the_token(guarded: LiveApi, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    for path in ("/api/v1/tables", "/metrics", "/api/v1/nothing"):
        answer = requests.get(guarded.url + path, headers=headers, timeout=10)
        assert answer.status_code == 401, path
        assert answer.json()["code"] == "unauthenticated"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert TOKEN not in answer.text


def test_token_opens_and_health_is_open(guarded: LiveApi) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(guarded.api("/tables"), headers=headers, timeout=10).ok
    assert requests.get(f"{guarded.url}/health/live", timeout=10).ok
    assert requests.get(f"{guarded.url}/health/ready", timeout=10).json()["database"] == "ok"
    assert TOKEN not in guarded.log_file.read_text()


def test_without_token_only_this_machine_by_its_own_name(live_api: LiveApi) -> None:
    answer = requests.get(live_api.api("/tables"), headers={"Host": "evil.example"}, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "host")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "STRINGX_DATABASE_URL is not set"),
        ({"STRINGX_DATABASE_URL": "mysql://x:secret@h/d"}, "must be a postgresql:// URL"),
        ({"STRINGX_DATABASE_URL": "nonsense"}, "is no URL"),
        (
            {"STRINGX_DATABASE_URL": "postgresql://h/d", "STRINGX_API_PORT": "0"},
            "STRINGX_API_PORT",
        ),
        (
            {"STRINGX_DATABASE_URL": "postgresql://h/d", "STRINGX_API_TOKEN": "short"},
            "fewer than 16",
        ),
    ],
)
def test_wrong_setting_is_one_line_that_names_it(environment: dict[str, str], words: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "api"],
        cwd=PROJECT,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 78
    assert words in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "secret" not in ended.stderr


def test_metrics_tell_what_happened(
    live_api: LiveApi, call: Callable[..., requests.Response], table: Callable[..., int]
) -> None:
    table("shop.orders", {"type": "unique", "column": "id"})
    before = samples(live_api)
    call("POST", "/checks", json={"table": "shop.orders"})
    after = samples(live_api)
    counted = 'stringx_checks_total{source="http",status="fail"}'
    assert after[counted] == before.get(counted, 0) + 1
    labels = 'dimension="uniqueness",severity="error",status="fail"'
    assert after[f"stringx_rule_results_total{{{labels}}}"] >= 1
    place = 'connection="demo",status="{}",table="shop.orders"'
    assert after[f"stringx_table_verdict{{{place.format('fail')}}}"] == 1
    assert after[f"stringx_table_verdict{{{place.format('pass')}}}"] == 0
    score = 'connection="demo",dimension="uniqueness",table="shop.orders"'
    assert after[f"stringx_table_score_ratio{{{score}}}"] == 0
    assert after["stringx_outbox_pending"] == 0


def test_series_do_not_grow_with_what_callers_send(live_api: LiveApi) -> None:
    requests.get(f"{live_api.url}/first-unknown-path", timeout=10)
    before = len(samples(live_api))
    for number in range(50):
        requests.get(f"{live_api.url}/unknown-{number}", timeout=10)
    assert len(samples(live_api)) == before


def test_metrics_pass_promtool(live_api: LiveApi) -> None:
    promtool = require_program("promtool")
    text = requests.get(f"{live_api.url}/metrics", timeout=10).text
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_logs_are_json_with_the_request_as_correlation_id(
    live_api: LiveApi, call: Callable[..., requests.Response], table: Callable[..., int]
) -> None:
    table("shop.clean", {"type": "unique", "column": "id"})
    identity = call("POST", "/checks", json={"table": "shop.clean"}).json()["id"]
    lines = [json.loads(line) for line in live_api.log_file.read_text().splitlines()]
    finished = [line for line in lines if line["message"] == "check_finished"]
    assert identity in [line["correlation_id"] for line in finished]


def samples(live: LiveApi) -> dict[str, float]:
    text = requests.get(f"{live.url}/metrics", timeout=10).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{key}="{sample.labels[key]}"' for key in sorted(sample.labels))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_migrating_twice_at_once_is_safe(new_database: Callable[[], str], tmp_path: Path) -> None:
    environment = {**clean_environment(), "STRINGX_DATABASE_URL": new_database()}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "api", "migrate"],
            cwd=PROJECT,
            env=environment,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()


def test_clients_that_stop_in_the_middle_do_not_hold_the_api(
    live_api: LiveApi, tmp_path: Path
) -> None:
    environment = {
        name: value
        for name, value in live_api.environment.items()
        if name not in ("STRINGX_API_PORT", "STRINGX_DATA_DIR")
    }
    settings = {"STRINGX_API_THREADS": "2", "STRINGX_API_READ_TIMEOUT_S": "0.5"}
    live = start_api({**environment, **settings}, tmp_path)
    place = ("127.0.0.1", int(live.url.rsplit(":", 1)[1]))
    slow = [socket.create_connection(place) for _ in range(6)]
    for connection in slow:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert requests.get(f"{live.url}/health/live", timeout=20).ok
    for connection in slow:
        connection.close()
    assert "Traceback" not in live.log_file.read_text()
    assert live.stop() == 0


def test_every_line_of_the_log_is_json(live_api: LiveApi) -> None:
    lines = live_api.log_file.read_text().splitlines()
    assert lines
    for line in lines:
        json.loads(line)
