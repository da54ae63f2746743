"""What a deadline left: its verdict is posted in time, and the whole of it by the same claim."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.consumer.conftest import LATE, Bench
from tests.consumer.contract_api import Answer, problem


@pytest.fixture
def cut_short(bench: Bench) -> Bench:
    """A bench whose engine leaves a rule at each deadline."""
    bench.engine.leaves = (LATE,)
    return bench


def posted(bench: Bench) -> list[tuple[str, bool, str]]:
    """Ids, whether they are only the first part, and what became of the rule."""
    return [
        (item["id"], item.get("is_partial", False), item["outcome"]["results"][0]["status"])
        for body in bench.api.bodies("/outcomes")
        for item in body["outcomes"]
    ]


def until_posted(bench: Bench, number: int) -> None:
    while len(posted(bench)) < number:
        bench.worker.turn()


def test_the_first_part_is_posted_while_the_rest_is_judged(cut_short: Bench) -> None:
    go_on = threading.Event()
    cut_short.engine.on_complete = lambda: go_on.wait(20)
    cut_short.put(cut_short.request("request-1"))
    until_posted(cut_short, 1)
    assert posted(cut_short) == [("request-1", True, "skipped")]
    assert cut_short.position == 0  # a worker that dies now leaves it to another
    assert [claim.job.id for claim in cut_short.worker.desk.held()] == ["request-1"]
    go_on.set()
    cut_short.drain()
    assert posted(cut_short)[1:] == [("request-1", False, "pass")]
    fences = [
        item["fence"] for body in cut_short.api.bodies("/outcomes") for item in body["outcomes"]
    ]
    assert fences == [1, 1]
    assert (cut_short.position, cut_short.counted("stored")) == (1, 1)
    assert cut_short.worker.desk.held() == []
    assert (len(cut_short.engine.runs), cut_short.engine.completed) == (1, ["shop.orders"])


def test_claims_that_share_a_run_share_its_rest(cut_short: Bench) -> None:
    cut_short.work(*(cut_short.request(f"request-{number}") for number in range(3)))
    assert len(cut_short.engine.completed) == 1
    assert sorted(cut_short.api.results) == ["request-0", "request-1", "request-2"]
    assert cut_short.position == 3


def test_every_check_of_a_table_has_a_verdict_before_any_rest_is_judged(cut_short: Bench) -> None:
    order: list[str] = []
    cut_short.engine.on_run = lambda: order.append("first")
    cut_short.engine.on_complete = lambda: order.append("rest")
    scopes = [[{"column": "id", "op": "=", "value": number}] for number in range(3)]
    cut_short.work(*(cut_short.request(f"request-{n}", scope=s) for n, s in enumerate(scopes)))
    assert order == ["first"] * 3 + ["rest"] * 3
    assert cut_short.position == 3


def test_a_check_that_another_took_over_is_not_judged_to_its_end(cut_short: Bench) -> None:
    seen: list[int] = []

    def other_worker(path: str, body: Any) -> Answer | None:
        if path == "/outcomes" and not seen:
            seen.append(1)
            cut_short.api.requests["request-1"]["fence"] += 1
        return None

    lost = threading.Event()
    cut_short.engine.on_complete = lambda: lost.wait(20)
    cut_short.api.refuse = other_worker
    cut_short.put(cut_short.request("request-1"))
    until_posted(cut_short, 1)
    lost.set()
    while cut_short.counted("busy") < 1:
        cut_short.worker.turn()
    cut_short.api.requests["request-1"]["state"] = "received"
    cut_short.drain()
    while cut_short.position < 1:
        cut_short.worker.turn()
    assert len(cut_short.api.results["request-1"]) == 1
    assert cut_short.counted("stored") == 1


def test_an_api_that_takes_no_first_parts_gets_the_whole(cut_short: Bench) -> None:
    """Such as one of the version before, which does not know the field."""

    def refuse(path: str, body: Any) -> Answer | None:
        if path == "/outcomes" and any("is_partial" in item for item in body["outcomes"]):
            return problem(422, "unknown_field")
        return None

    cut_short.api.refuse = refuse
    cut_short.work(cut_short.request("request-1"))
    [outcome] = cut_short.api.results["request-1"]
    assert outcome["results"][0]["status"] == "pass"
    assert cut_short.position == 1


def test_a_worker_that_stops_gives_the_rest_back_and_another_completes_it(
    cut_short: Bench,
) -> None:
    cut_short.engine.on_run = cut_short.stop.set
    cut_short.work_to_the_end(cut_short.request("request-1"))
    assert posted(cut_short) == [("request-1", True, "skipped")]
    assert cut_short.engine.completed == []
    assert cut_short.api.requests["request-1"]["state"] == "received"
    assert cut_short.position == 0

    cut_short.stop.clear()
    cut_short.engine.on_run = lambda: None
    cut_short.work(cut_short.request("request-1"))
    assert [run[2] for run in cut_short.engine.runs] == [120.0, None]  # now without a deadline
    assert len(cut_short.api.results["request-1"]) == 1


def test_a_rest_that_fails_leaves_errors_in_place_of_what_was_late(cut_short: Bench) -> None:
    def fail() -> None:
        raise RuntimeError("for the test")

    cut_short.engine.on_complete = fail
    cut_short.work(cut_short.request("request-1"))
    [outcome] = cut_short.api.results["request-1"]
    assert outcome["results"][0]["status"] == "error"
    assert outcome["results"][0]["message"].startswith("engine: ")
    assert cut_short.position == 1
