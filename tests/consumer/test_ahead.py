"""Checks that begin before their claim is asked for: the claim says whether that counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumer import ahead, batch, claims
from consumer.ahead import Ahead
from consumer.jobs import Job
from consumer.records import Delivery
from quality.errors import EngineError
from tests.consumer.conftest import LATE, Bench
from tests.consumer.contract_api import RULE_SET, Answer, problem

QUICK_MS = 1.0
"""How long the recording engine says that it took."""


@pytest.fixture(autouse=True)
def _without_limit(bench: Bench) -> None:
    """Claims have the time limit of their requests, which is none."""
    bench.api.time_limit_s = None


@pytest.fixture
def warm(bench: Bench) -> Bench:
    """A bench that has checked the table once."""
    bench.work(bench.request("warm-0001"))
    return bench


def new(bench: Bench, request_id: str, **document: Any) -> Delivery:
    """A message that nobody can have read before."""
    delivery = bench.request(request_id, **document)
    delivery.is_new = True
    return delivery


def runs_before_the_answer(bench: Bench) -> list[int]:
    """How many runs have begun when a claim is answered; each claim waits for the run, if it is to
    come, and the run for the claim to be asked for."""
    seen: list[int] = []
    began = threading.Event()
    bench.engine.on_run = began.set

    def answer(path: str, body: Any) -> Answer | None:
        if path == "/claims":
            began.wait(0.3)
            seen.append(len(bench.engine.runs))
            began.clear()
        return None

    bench.api.refuse = answer
    return seen


def counted(bench: Bench, outcome: str) -> float:
    name = "stringx_consumer_runs_ahead_total"
    return bench.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


def test_a_check_like_the_last_one_begins_before_its_claim_is_answered(warm: Bench) -> None:
    seen = runs_before_the_answer(warm)
    warm.work(new(warm, "request-1"))
    assert seen == [2]
    assert len(warm.api.results["request-1"]) == 1
    assert len(warm.engine.runs) == 2
    assert (warm.position, warm.counted("stored")) == (2, 2)
    assert (counted(warm, "used"), counted(warm, "dropped")) == (1, 0)


@pytest.fixture
def patient(warm: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A warm bench whose claims wait for what was run before them, however slow the machine is."""
    monkeypatch.setattr(batch, "AHEAD_S", 20.0)
    return warm


def claimed_with_a_run(bench: Bench) -> list[bool]:
    """Of each request claimed after the first, whether what was run went with it."""
    bodies = bench.api.bodies("/claims")[1:]
    return ["ahead" in item for body in bodies for item in body["requests"]]


def test_what_was_found_soon_is_stored_with_the_claim(patient: Bench) -> None:
    for number in range(3):
        patient.work(new(patient, f"request-{number}"))
    assert [path for path, _ in patient.api.calls] == ["/claims", "/outcomes"] + ["/claims"] * 3
    assert claimed_with_a_run(patient) == [True] * 3
    assert [len(results) for results in patient.api.results.values()] == [1] * 4
    assert len(patient.engine.runs) == 4
    assert (patient.position, patient.counted("stored")) == (4, 4)
    assert (counted(patient, "used"), counted(patient, "dropped")) == (3, 0)
    assert patient.worker.desk.held() == []


def test_a_claim_asks_beside_a_run_that_takes_longer(
    warm: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "AHEAD_S", QUICK_MS / 1000 + 0.005)
    asks_beside_the_run(warm)


def asks_beside_the_run(warm: Bench) -> None:
    """The run of the next claim waits for it."""
    claimed = threading.Event()

    def answer(path: str, body: Any) -> Answer | None:
        claimed.set()
        return None

    warm.engine.on_run, warm.api.refuse = lambda: claimed.wait(20), answer
    warm.work(new(warm, "request-1"))
    assert [path for path, _ in warm.api.calls] == ["/claims", "/outcomes"] * 2
    assert claimed_with_a_run(warm) == [False]
    assert (len(warm.engine.runs), counted(warm, "used")) == (2, 1)


def test_a_run_that_took_longer_the_last_time_is_not_waited_for(
    patient: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "AHEAD_S", QUICK_MS / 1000)
    asks_beside_the_run(patient)


def test_an_api_that_takes_no_runs_with_claims_is_given_them_afterwards(patient: Bench) -> None:
    """Such as one of the version before, which does not know the field."""

    def refuse(path: str, body: Any) -> Answer | None:
        if path == "/claims" and any("ahead" in item for item in body["requests"]):
            return problem(422, "unknown_field")
        return None

    patient.api.refuse = refuse
    patient.work(new(patient, "request-1"))
    assert claimed_with_a_run(patient) == [True, False]
    assert len(patient.api.results["request-1"]) == 1
    assert (len(patient.engine.runs), counted(patient, "used")) == (2, 1)
    assert (patient.position, patient.letters) == (2, [])


def test_an_api_that_was_away_is_given_only_the_claim(patient: Bench) -> None:
    """By the time that it answers what was found may be old."""
    patient.api.faults = [problem(503, "database_unavailable")] * 2
    patient.work(new(patient, "request-1"))
    assert claimed_with_a_run(patient) == [True, False, False]
    assert len(patient.api.results["request-1"]) == 1
    assert patient.position == 2


def test_a_lost_answer_to_what_was_stored_is_asked_for_again(patient: Bench) -> None:
    calls: list[Any] = []

    def lose(path: str, body: Any) -> Answer | None:
        calls.append(body)
        if len(calls) > 1:
            return None
        item = body["requests"][0]
        patient.api.requests[item["id"]] = {
            "request": item["request"],
            "state": "finished",
            "fence": 1,
        }
        patient.api.results[item["id"]] = [item["ahead"]["outcome"]]
        return problem(503, "database_unavailable")

    patient.api.refuse = lose
    patient.work(new(patient, "request-1"))
    assert claimed_with_a_run(patient) == [True, False]
    assert (patient.counted("replayed"), counted(patient, "dropped")) == (1, 1)
    assert len(patient.api.results["request-1"]) == 1
    patient.work(new(patient, "request-2"))  # the table is free again
    assert patient.position == 3


def test_what_is_larger_than_the_api_may_take_follows_its_claim(
    patient: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MAX_BODY_BYTES", 200)
    patient.work(new(patient, "request-1"))
    assert claimed_with_a_run(patient) == [False]
    assert (len(patient.engine.runs), counted(patient, "used")) == (2, 1)


def test_what_was_cancelled_says_nothing(patient: Bench) -> None:
    patient.engine.on_run = lambda: (patient.stop.set(), patient.abort.set())
    patient.work_to_the_end(new(patient, "request-1"))
    assert claimed_with_a_run(patient) == [False]
    assert "request-1" not in patient.api.results
    assert patient.api.requests["request-1"]["state"] == "received"


def test_a_run_that_lasts_longer_than_its_claim_counts_as_well(warm: Bench) -> None:
    claimed, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        assert go_on.wait(20)

    def answer(path: str, body: Any) -> Answer | None:
        claimed.set()
        return None

    warm.engine.on_run, warm.api.refuse = wait, answer
    warm.put(new(warm, "request-1"))
    warm.worker.turn()
    assert claimed.is_set()
    assert not warm.worker.is_idle
    assert [claim.job.id for claim in warm.worker.desk.held()] == ["request-1"]
    go_on.set()
    warm.drain()
    assert len(warm.api.results["request-1"]) == 1
    assert len(warm.engine.runs) == 2


@pytest.mark.parametrize(
    "first, delivery",
    [
        pytest.param({}, lambda bench: bench.request("request-1"), id="may have been read before"),
        pytest.param({"table": "shop.other"}, lambda bench: new(bench, "request-1"), id="table"),
        pytest.param(
            {"select": {"rules": ["other"]}}, lambda bench: new(bench, "request-1"), id="rules"
        ),
        pytest.param({"budget": {"rows": 5}}, lambda bench: new(bench, "request-1"), id="budget"),
        pytest.param(
            {"scope": [{"column": "id", "op": "=", "value": 1}]},
            lambda bench: new(bench, "request-1"),
            id="rows",
        ),
        pytest.param(
            {"scope": [{"column": "at", "op": ">=", "value": "now-1d"}]},
            lambda bench: new(
                bench, "request-1", scope=[{"column": "at", "op": ">=", "value": "now-1d"}]
            ),
            id="relative time",
        ),
    ],
)
def test_what_cannot_be_foreseen_waits_for_its_claim(
    bench: Bench, first: dict[str, Any], delivery: Callable[[Bench], Delivery]
) -> None:
    bench.work(bench.request("warm-0001", **first))
    seen = runs_before_the_answer(bench)
    bench.work(delivery(bench))
    assert seen == [1]
    assert len(bench.engine.runs) == 2
    assert len(bench.api.results["request-1"]) == 1


def test_rows_asked_for_in_the_same_way_are_foreseen(bench: Bench) -> None:
    bench.work(bench.request("warm-0001", scope=[{"column": "id", "op": "=", "value": 1}]))
    seen = runs_before_the_answer(bench)
    bench.work(new(bench, "request-1", scope=[{"column": "id", "op": "=", "value": 2}]))
    assert seen == [2]
    assert [run[1][0].value for run in bench.engine.runs] == [1, 2]


def test_messages_that_come_together_are_claimed_first(warm: Bench) -> None:
    seen = runs_before_the_answer(warm)
    warm.work(new(warm, "request-1"), new(warm, "request-2"))
    assert seen == [1]


def test_a_message_that_was_put_off_is_claimed_first(warm: Bench) -> None:
    seen = runs_before_the_answer(warm)
    busy = {"id": "request-1", "outcome": "busy", "retry_after_s": 0.05}
    answers: list[Answer] = [(200, {"claims": [busy], "rule_sets": {}}, {})]
    watch = warm.api.refuse

    def answer(path: str, body: Any) -> Answer | None:
        watch(path, body)
        return answers.pop() if answers else None

    warm.api.refuse = answer
    warm.put(new(warm, "request-1"))
    while "request-1" not in warm.api.results:
        warm.worker.turn()
    assert seen == [2, 2]  # it was run in vain, and then not before it was ours
    assert len(warm.engine.runs) == 3
    assert counted(warm, "dropped") == 1


@pytest.mark.parametrize("after", ["slow", "off"])
def test_a_check_that_took_long_or_a_setting_of_nothing_waits(warm: Bench, after: str) -> None:
    warm.worker.run_ahead_ms = {"slow": QUICK_MS / 2, "off": 0.0}[after]
    seen = runs_before_the_answer(warm)
    warm.work(new(warm, "request-1"))
    assert seen == [1]


def test_rules_that_changed_meanwhile_are_run_and_the_others_are_not_stored(
    warm: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULE_SET, "rules", [{"name": "new", "type": "not_null", "column": "id"}])
    before = warm.api.results["warm-0001"][0]["rule_set_hash"]
    runs_before_the_answer(warm)
    warm.work(new(warm, "request-1"))
    assert len(warm.engine.runs) == 3
    [stored] = warm.api.results["request-1"]
    assert stored["rule_set_hash"] != before
    assert counted(warm, "dropped") == 1
    warm.work(new(warm, "request-2"))  # these are the ones that are known now
    assert counted(warm, "dropped") == 1
    assert warm.position == 3


def test_another_time_limit_is_another_run(warm: Bench) -> None:
    warm.api.time_limit_s = 120.0
    warm.work(new(warm, "request-1", deadline_ms=120_000))
    assert warm.engine.runs[1:] == [("shop.orders", (), 120.0)]
    warm.api.time_limit_s = 60.0
    runs_before_the_answer(warm)
    warm.work(new(warm, "request-2", deadline_ms=120_000))
    assert [limit for _, _, limit in warm.engine.runs[2:]] == [120.0, 60.0]
    assert len(warm.api.results["request-2"]) == 1


def test_what_was_answered_before_is_not_stored_again(warm: Bench) -> None:
    warm.work(new(warm, "request-1"))
    warm.work(new(warm, "request-1"))
    assert len(warm.api.results["request-1"]) == 1
    assert (warm.position, warm.counted("replayed")) == (3, 1)
    warm.work(new(warm, "request-2"))  # the table is free again
    assert warm.position == 4


def test_what_is_refused_is_a_dead_letter_whatever_was_run(warm: Bench) -> None:
    warm.work(new(warm, "warm-0001", scope=[]))
    refused = [problem(422, "out_of_order")] * 2
    warm.api.refuse = lambda path, body: refused.pop() if refused else None
    warm.work(new(warm, "request-1"))
    refused.clear()
    assert [reason.code for _, reason in warm.letters] == ["out_of_order"]
    assert "request-1" not in warm.api.results
    warm.work(new(warm, "request-2"))
    assert len(warm.api.results["request-2"]) == 1


def test_an_api_that_is_away_is_waited_for(warm: Bench) -> None:
    warm.api.faults = [problem(503, "database_unavailable")]
    warm.work(new(warm, "request-1"))
    assert len(warm.api.results["request-1"]) == 1


def test_a_run_that_fails_is_made_again_once_the_claim_is_ours(warm: Bench) -> None:
    """What it was kept from may be over: its target may have been away together with the API."""
    warm.engine.fails = EngineError("the target is away", code="target_unreachable")
    warm.api.faults = [problem(503, "database_unavailable")]
    began = threading.Event()
    warm.engine.on_run = began.set

    def answer(path: str, body: Any) -> Answer | None:
        assert began.wait(20)
        warm.engine.fails = None
        return None

    warm.api.refuse = answer
    warm.work(new(warm, "request-1"))
    assert len(warm.engine.runs) == 3
    [stored] = warm.api.results["request-1"]
    assert "error_code" not in stored
    assert counted(warm, "dropped") == 1


def test_a_run_whose_claim_took_its_time_is_made_again(
    warm: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FRESH_S", -1.0)
    warm.work(new(warm, "request-1"))
    assert len(warm.engine.runs) == 3
    assert len(warm.api.results["request-1"]) == 1
    assert counted(warm, "dropped") == 1


def test_one_that_is_known_to_be_in_vain_is_not_made(warm: Bench) -> None:
    """Whatever else runs: it began, and its claim was answered, before a thread came to it."""
    job = warm.worker.reader.read(new(warm, "request-1"))
    assert isinstance(job, Job)
    work = warm.worker.memory.foresee(job, 50.0)
    assert work is not None
    begun = Ahead(job, work)
    warm.worker.runs.settle(begun, None)
    warm.worker.runs._waiting += 1
    warm.worker.runs._free -= 1
    warm.worker.runs._run_ahead(begun)
    assert len(warm.engine.runs) == 1
    assert warm.worker.runs.is_idle


def test_what_a_deadline_left_follows(warm: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    warm.engine.leaves = (LATE,)
    warm.engine.on_complete = lambda: go_on.wait(20)  # or there is only the whole to be stored
    warm.api.time_limit_s = 120.0
    monkeypatch.setattr(batch, "AHEAD_S", 20.0)
    warm.put(new(warm, "request-1", deadline_ms=120_000))
    while "request-1" not in warm.api.partial:
        warm.worker.turn()
    assert "request-1" not in warm.api.results
    go_on.set()
    warm.drain()
    assert (len(warm.engine.runs), warm.engine.completed) == (2, ["shop.orders"])
    assert claimed_with_a_run(warm) == [False]
    assert (len(warm.api.partial["request-1"]), len(warm.api.results["request-1"])) == (1, 1)


def test_a_worker_that_stops_while_it_asks_leaves_the_message(warm: Bench) -> None:
    def answer(path: str, body: Any) -> Answer | None:
        warm.stop.set()
        return problem(503, "database_unavailable")

    warm.api.refuse = answer
    warm.work_to_the_end(new(warm, "request-1"))
    assert warm.position == 1
    assert "request-1" not in warm.api.results
    assert not warm.worker.runs.running


def test_a_fault_of_our_own_costs_time_and_no_message(
    warm: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = type(warm.worker.desk).claim
    faults = [RuntimeError("made to fail")]

    def fail(desk: Any, *given: Any) -> Any:
        if faults:
            raise faults.pop()
        return claim(desk, *given)

    monkeypatch.setattr(type(warm.worker.desk), "claim", fail)
    warm.put(new(warm, "request-1"))
    while "request-1" not in warm.api.results:
        warm.worker.turn()
    assert len(warm.api.results["request-1"]) == 1
    assert warm.position == 2
