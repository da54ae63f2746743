"""Synchronous checks that are answered at their deadline and go on after it; a real engine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from quality.identity import new_id
from tests.api.test_gate import ask
from tests.conftest import LiveApi, start_api
from tests.held import RULES, Held

Call = Callable[..., requests.Response]


@pytest.fixture
def held(postgres: EmbeddedPostgres) -> Iterator[Held]:
    view = Held(postgres, "reluctant")
    yield view
    view.drop()


def cut_short(call: Call, held: Held, **more: Any) -> dict[str, Any]:
    """The answer to a check that cannot have all by its deadline."""
    body = {"table": held.table, "deadline_ms": 2000, **more}
    answer = call("POST", "/checks", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def finished(call: Call, check_id: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found: dict[str, Any] = call("GET", f"/checks/{check_id}").json()
        if found["state"] == "finished":
            return found
        time.sleep(0.05)
    pytest.fail(f"the check was not finished: {found}")


def results(check: dict[str, Any]) -> dict[str, str]:
    return {result["rule"]: result["status"] for result in check["results"]}


def sample(live: LiveApi, name: str) -> float:
    """The sum of a metric's samples."""
    lines = requests.get(f"{live.url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))


def test_the_same_id_has_a_verdict_in_time_and_all_of_it_later(
    call: Call, live_api: LiveApi, table: Callable[..., int], held: Held
) -> None:
    table_id = table(held.table, *RULES)
    counted = sample(live_api, "stringx_checks_total")
    gates: list[dict[str, Any]] = []
    check_id = new_id()

    def wait() -> None:
        url = live_api.api(f"/gate/{held.table}")
        query = {"check_id": check_id, "wait": "50", "whole": "true"}
        gates.append(requests.get(url, params=query, timeout=60).json())

    waiting = threading.Thread(target=wait)
    waiting.start()
    with held.held():
        early = cut_short(call, held, id=check_id)
        assert (early["state"], early["is_partial"], early["status"]) == ("running", True, "error")
        assert results(early) == {"slow_known": "skipped", "id_known": "pass"}
        assert early["counts"] == {"pass": 1, "skipped": 1}
        for query in ({}, {"check_id": check_id}, {"check_id": check_id, "wait": 20}):
            decided = ask(call, held.table, **query)
            assert (decided["decision"], decided["is_partial"]) == ("unknown", True)
            assert decided["reasons"][0].startswith("slow_known: deadline")
        again = cut_short(call, held, id=check_id)
        assert (again["id"], again["results"]) == (check_id, early["results"])
        assert call("GET", f"/tables/{table_id}").json()["last_status"] is None
        assert not gates
    late = finished(call, check_id)
    assert (late["is_partial"], late["status"], late["score"]) == (False, "pass", 1.0)
    assert (results(late), late["attempts"]) == ({"slow_known": "pass", "id_known": "pass"}, 1)
    decided = ask(call, held.table)
    assert (decided["decision"], decided["is_partial"], decided["check_id"]) == (
        *("allow", False),
        check_id,
    )
    waiting.join(60)
    assert [(one["decision"], one["is_partial"]) for one in gates] == [("allow", False)]
    assert sample(live_api, "stringx_checks_total") == counted + 1
    assert sample(live_api, "stringx_partial_verdicts_total") >= 1
    history = call("GET", "/results", params={"check_id": check_id}).json()["items"]
    assert sorted(one["rule"] for one in history) == ["id_known", "slow_known"]


@pytest.fixture
def start(
    target_environment: dict[str, str], new_database: Callable[[], str], tmp_path: Path
) -> Iterator[Callable[[], LiveApi]]:
    """Starts APIs without Kafka on one database, with short leases."""
    running: list[LiveApi] = []
    environment = {
        **target_environment,
        "STRINGX_DATABASE_URL": new_database(),
        "STRINGX_LEASE_S": "2",
        "STRINGX_SYNC_TIME_LIMIT_S": "10",
        "STRINGX_REST_POLL_S": "0.2",
        "STRINGX_REST_CHECKS": "1",
    }

    def begin() -> LiveApi:
        running.append(start_api(environment, tmp_path / str(len(running))))
        return running[-1]

    yield begin
    for live in running:
        if live.process.poll() is None:
            assert live.stop() == 0


def calls(live: LiveApi) -> Call:
    def send(method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, live.api(path), timeout=60, **options)

    return send


def configure(call: Call, held: Held) -> None:
    call("PUT", "/connections/demo", json={}).raise_for_status()
    table_id = call("PUT", "/tables", json={"table": held.table}).json()["id"]
    call("PUT", f"/tables/{table_id}/rules", json={"rules": RULES}).raise_for_status()


def kill(live: LiveApi) -> None:
    """With the processes that it started, which would else give back what they have."""
    listed = Path(f"/proc/{live.process.pid}/task").glob("*/children")
    for child in [int(pid) for path in listed for pid in path.read_text().split()]:
        os.kill(child, signal.SIGKILL)
    live.process.kill()


@pytest.mark.parametrize(("end", "attempts"), [(kill, 2), (LiveApi.stop, 1)])
def test_what_an_api_that_ends_had_in_hand_is_completed_by_another(
    start: Callable[[], LiveApi], held: Held, end: Callable[[LiveApi], object], attempts: int
) -> None:
    first = start()
    configure(calls(first), held)
    with held.held():
        early = cut_short(calls(first), held)
        assert early["is_partial"]
        end(first)
        first.process.wait(30)
        second = start()
        kept = calls(second)("GET", f"/checks/{early['id']}").json()
        assert (kept["is_partial"], kept["status"]) == (True, "error")
        assert results(kept) == results(early)
    late = finished(calls(second), early["id"])
    assert (late["status"], late["is_partial"]) == ("pass", False)
    assert results(late) == {"slow_known": "pass", "id_known": "pass"}
    assert late["attempts"] == attempts


def test_where_there_is_no_room_for_the_rest_it_is_judged_when_there_is(
    start: Callable[[], LiveApi], held: Held
) -> None:
    live = start()
    configure(calls(live), held)
    with held.held():
        early = [cut_short(calls(live), held)["id"] for _ in range(3)]
    for check_id in early:
        late = finished(calls(live), check_id)
        assert (late["status"], len(late["results"])) == ("pass", 2)
