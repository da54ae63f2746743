"""Runs told to the API, and the task `check` against it (T9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import LiveApi
from tests.tasks.conftest import Tasks

SAY = 'tasks = [{name: shell_script, args: {script: "echo said"}}]'


@pytest.fixture
def api(live_api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> LiveApi:
    monkeypatch.setenv("STRINGX_API_URL", live_api.url)
    return live_api


@pytest.fixture
def table(api: LiveApi) -> Iterator[int]:
    """`shop.orders` with a rule that fails and one that warns, `shop.clean` with one that holds."""
    rules: dict[str, list[dict[str, Any]]] = {
        "shop.orders": [
            {"type": "not_null", "column": "amount", "name": "amount_known", "tags": ["strict"]},
            {
                "type": "unique",
                "column": "id",
                "name": "once",
                "severity": "warn",
                "tags": ["mild"],
            },
        ],
        "shop.clean": [{"type": "not_null", "column": "id", "name": "id_known"}],
        "shop.customers": [],
    }
    requests.put(api.api("/connections/demo"), json={}, timeout=60).raise_for_status()
    ids = []
    for name, wanted in rules.items():
        answer = requests.put(api.api("/tables"), json={"table": name}, timeout=60)
        ids.append(answer.json()["id"])
        body = {"rules": wanted}
        path = api.api(f"/tables/{ids[-1]}/rules")
        requests.put(path, json=body, timeout=60).raise_for_status()
    yield ids[0]
    for table_id in ids:
        requests.delete(api.api(f"/tables/{table_id}"), timeout=60)


def run_of(api: LiveApi, run_id: str) -> requests.Response:
    return requests.get(api.api(f"/task-runs/{run_id}"), timeout=60)


def test_a_run_is_told_to_the_api(tasks: Tasks, api: LiveApi, tmp_path: Path) -> None:
    ended = tasks(SAY)
    assert (ended.code, "kept" in ended.err) == (0, False)
    found = run_of(api, ended.record["id"]).json()
    assert (found["file"], found["status"], found["action_id"]) == ("tasks.conf", "succeeded", None)
    assert found["tasks"][0]["output"] == "said\n"
    assert found["tasks"][0]["place"] == "tasks.conf:1:11"
    assert found["duration_ms"] > 0
    assert list((tmp_path / "data" / "task-runs").iterdir()) == []


def test_a_run_waits_while_the_api_is_away(
    tasks: Tasks, api: LiveApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_API_URL", "http://127.0.0.1:9")
    first = tasks(SAY)
    assert first.code == 0
    assert "the run is kept and will be told later" in first.err
    monkeypatch.setenv("STRINGX_API_URL", api.url)
    second = tasks(SAY)
    for ended in (first, second):
        assert run_of(api, ended.record["id"]).status_code == 200
    assert list((tmp_path / "data" / "task-runs").iterdir()) == []


def test_a_run_is_stored_once_and_no_other_takes_its_id(api: LiveApi, tasks: Tasks) -> None:
    record = tasks(SAY).record
    again = requests.post(api.api("/task-runs"), json=record, timeout=60)
    assert again.status_code == 200
    other = {**record, "started_at": "2026-01-01T00:00:00+00:00"}
    answer = requests.post(api.api("/task-runs"), json=other, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (409, "task_run_id")


def test_runs_are_listed_page_by_page(api: LiveApi, tasks: Tasks) -> None:
    made = [tasks(SAY, file="paged.conf").record["id"] for _ in range(3)]
    found, cursor = [], None
    while True:
        asked = {"file": "paged.conf", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = requests.get(api.api("/task-runs"), params=asked, timeout=60).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made[::-1]
    assert run_of(api, "no-such-run").status_code == 404


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("table: shop.clean", 0, "pass: demo shop.clean"),
        ("table: shop.orders", 1, "fail: demo shop.orders"),
        ('table: shop.orders, select: ["tags=mild"]', 0, "warn: demo shop.orders"),
        ('table: shop.orders, select: ["tags=mild"], fail_on: warn', 1, "warn: demo shop.orders"),
        ('table: shop.orders, scope: ["id < 2"]', 0, "pass: demo shop.orders"),
        ("table: shop.customers", 1, "no_rules"),
        ("table: shop.nowhere", 1, "shop.nowhere"),
        ("table: shop.clean, mode: trigger", 1, "no Kafka is configured"),
    ],
)
def test_a_check_is_a_task(tasks: Tasks, table: int, arguments: str, code: int, said: str) -> None:
    ended = tasks(f"tasks = [{{name: check, args: {{{arguments}}}}}]")
    assert ended.code == code, ended.err
    [found] = ended.tasks
    assert said in (found["error"] or found["output"])


def test_a_check_that_fails_stops_what_follows(tasks: Tasks, table: int, tmp_path: Path) -> None:
    ended = tasks(
        "tasks = [{name: check, args: {table: shop.orders}, retries: 3}, "
        "{name: shell_script, args: {script: touch, script_args: [loaded]}}]"
    )
    assert [task["status"] for task in ended.tasks] == ["failed", "skipped"]
    assert ended.tasks[0]["attempts"] == 1  # the data are as they are
    assert ended.tasks[0]["output"] == "amount_known: fail, 1 failures"
    assert not (tmp_path / "loaded").exists()
