"""Checks with a deadline, from a message to all of their results, with a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from tests.held import RULES, Held
from tests.kafka.conftest import Api, Lane, eventually


@pytest.fixture(scope="module")
def held(api: Api, postgres: EmbeddedPostgres) -> Iterator[Held]:
    """A slow table that is configured; the worker compiles its rules with the first check."""
    view = Held(postgres, "hesitating")
    base = f"{api.url}/api/v1"
    made = requests.put(f"{base}/tables", json={"table": view.table}, timeout=30).json()
    rules = {"rules": RULES}
    requests.put(f"{base}/tables/{made['id']}/rules", json=rules, timeout=60).raise_for_status()
    yield view
    requests.delete(f"{base}/tables/{made['id']}", timeout=30)
    view.drop()


def partial(lane: Lane, check_id: str) -> dict[str, Any]:
    """The check once it has the verdict of its deadline."""

    def look() -> dict[str, Any] | None:
        check = lane.api.check(check_id)
        return check if check is not None and check["is_partial"] else None

    return eventually(look, lambda: f"{lane.api.check(check_id)} {lane.workers[-1].log()}")


def statuses(check: dict[str, Any]) -> dict[str, str]:
    return {result["rule"]: result["status"] for result in check["results"]}


WHOLE = {"slow_known": "pass", "id_known": "pass"}


def test_a_verdict_is_there_at_the_deadline_and_all_of_it_later(lane: Lane, held: Held) -> None:
    worker = lane.start().wait_ready()
    lane.finished(lane.request(table=held.table))  # its rules are compiled
    with held.held():
        [check_id] = lane.request(table=held.table, deadline_ms=1500)
        early = partial(lane, check_id)
        assert (early["state"], early["status"]) == ("running", "error")
        assert statuses(early) == {"slow_known": "skipped", "id_known": "pass"}
        assert lane.committed() == 1
    [late] = lane.finished([check_id])
    assert (late["status"], late["is_partial"], statuses(late)) == ("pass", False, WHOLE)
    assert late["attempts"] == 1
    lane.wait_committed(2)
    eventually(lambda: worker.counted("stored") == 2, worker.log)


def test_a_worker_killed_after_its_first_part_leaves_the_rest_to_another(
    lane: Lane, held: Held
) -> None:
    worker = lane.start().wait_ready()
    with held.held():
        [check_id] = lane.request(table=held.table, deadline_ms=1500)
        early = partial(lane, check_id)
        worker.kill()
        lane.start()
        kept = lane.api.check(check_id)
        assert kept is not None
        assert (kept["status"], statuses(kept)) == (early["status"], statuses(early))
    [late] = lane.finished([check_id])
    assert (late["status"], late["is_partial"], statuses(late)) == ("pass", False, WHOLE)
    assert late["attempts"] == 2
    assert lane.api.check(check_id) == late
    lane.wait_committed(1)


def test_a_worker_told_to_stop_gives_the_rest_back(lane: Lane, held: Held) -> None:
    worker = lane.start(STRINGX_SHUTDOWN_S="12").wait_ready()
    with held.held():
        [check_id] = lane.request(table=held.table, deadline_ms=1500)
        partial(lane, check_id)
        assert worker.stop() == 0, worker.log()
        kept = lane.api.check(check_id)
        assert kept is not None
        assert (kept["state"], kept["is_partial"]) == ("received", True)
        lane.start()
    [late] = lane.finished([check_id])
    assert (late["status"], statuses(late), late["attempts"]) == ("pass", WHOLE, 1)
    lane.wait_committed(1)
