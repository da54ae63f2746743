"""What a newcomer sees: verdicts, triggers by both doors, pages, metrics (S5, S6, S13, S15)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from quality.identity import new_id
from tests.conftest import PROJECT, clean_environment, require_program
from tests.end_to_end.conftest import Service


def finished(service: Service, check_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = requests.get(f"{service.api}/api/v1/checks/{check_id}", timeout=10)
        if answer.ok and answer.json()["state"] == "finished":
            return answer.json()
        time.sleep(0.05)
    raise AssertionError(f"check {check_id} did not finish")


def test_start_prints_verdicts_and_where_to_look(service: Service) -> None:
    for table in ("airlines", "airports", "planes", "weather", "flights"):
        assert f"flights.{table}" in service.output
    assert f"{service.api}/docs" in service.output


def test_trigger_is_accepted_at_once_and_judged_later(service: Service) -> None:
    body = {"table": "flights.airlines", "mode": "async", "labels": {"run": "1"}}
    answer = requests.post(f"{service.api}/api/v1/checks", json=body, timeout=10)
    assert answer.status_code == 202
    assert answer.json()["state"] == "received"
    location = answer.headers["Location"]
    found = finished(service, location.rsplit("/", 1)[1])
    assert (found["status"], found["source"]) == ("pass", "http")
    assert found["request"]["labels"] == {"run": "1"}
    assert len(found["results"]) == 6
    again = requests.post(
        f"{service.api}/api/v1/checks", json={**body, "id": found["id"]}, timeout=10
    )
    assert (again.status_code, again.json()["finished_at"]) == (200, found["finished_at"])


def test_a_trigger_that_no_worker_would_take_is_refused_and_leaves_nothing(
    service: Service,
) -> None:
    values = [f"{number:04}{'x' * 300}" for number in range(1_000)]
    scope = [{"column": "carrier", "op": "in", "value": values}]
    body = {"id": new_id(), "table": "flights.airlines", "mode": "async", "scope": scope}
    path = f"{service.api}/api/v1/checks"
    answer = requests.post(path, json=body, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (422, "message_too_large")
    assert "STRINGX_KAFKA_MAX_MESSAGE_BYTES" in answer.json()["detail"]
    assert requests.get(f"{path}/{body['id']}", timeout=10).status_code == 404


def test_t9_a_task_triggers_a_check_by_kafka_and_waits_for_it(
    service: Service, tmp_path: Path
) -> None:
    """And the run is on record at the API."""
    file = tmp_path / "trigger.conf"
    file.write_text("tasks = [{name: check, args: {table: flights.airlines, mode: trigger}}]")
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "tasks", "run", str(file), "--output", "json"],
        cwd=PROJECT,
        env={
            **clean_environment(),
            "STRINGX_API_URL": service.api,
            "STRINGX_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    record = json.loads(ended.stdout)
    check = requests.get(f"{service.api}/api/v1/checks/{record['id']}.0", timeout=10).json()
    assert (check["state"], check["status"]) == ("finished", "pass")
    run = requests.get(f"{service.api}/api/v1/task-runs/{record['id']}", timeout=10).json()
    assert check["id"] in run["tasks"][0]["output"]


def test_bare_line_by_kcat_is_a_check(service: Service) -> None:
    kcat = require_program("kcat")
    identity = new_id()
    subprocess.run(
        [kcat, "-P", "-b", service.bootstrap_servers, "-t", "stringx.check.requests.v1"],
        input=json.dumps({"id": identity, "table": "flights.planes"}) + "\n",
        text=True,
        check=True,
        timeout=30,
    )
    found = finished(service, identity)
    assert (found["status"], found["source"]) == ("pass", "kafka")


def test_scope_narrows_to_new_rows(service: Service) -> None:
    body = {
        "table": "flights.flights",
        "select": {"rules": ["dep_time_known"]},
        "scope": [{"column": "time_hour", "op": ">=", "value": "2013-12-31"}],
    }
    answer = requests.post(f"{service.api}/api/v1/checks", json=body, timeout=60).json()
    assert 0 < answer["results"][0]["rows_tested"] < 2000
    assert 0 < answer["results"][0]["failures"] < 100
