"""A batch from messages to stored results, against a server that speaks the API's contract."""

from __future__ import annotations

import json
import threading
import time

import pytest

from consumer import batch
from quality.checks import RuleResult, Sample
from quality.errors import EngineError
from tests.consumer.conftest import TOPIC, Bench
from tests.consumer.contract_api import RULE_SET, Answer, problem


def scope_of(number: int) -> list[dict[str, object]]:
    """A scope of its own, so that nothing shares a run."""
    return [{"column": "id", "op": "=", "value": number}]


def test_a_message_is_claimed_run_stored_and_then_done(bench: Bench) -> None:
    bench.work(bench.request("request-1"))
    assert [path for path, _ in bench.api.calls] == ["/claims", "/outcomes"]
    assert len(bench.api.results["request-1"]) == 1
    assert bench.position == 1
    assert bench.counted("stored") == 1


def test_an_offset_is_not_done_before_its_result_is_stored(bench: Bench) -> None:
    seen: list[int] = []
    bench.api.refuse = lambda path, body: seen.append(bench.position)
    bench.work(bench.request("request-1"))
    assert seen == [0, 0]
    assert bench.position == 1


def test_the_same_id_again_is_not_run_again(bench: Bench) -> None:
    bench.work(bench.request("request-1"))
    bench.work(bench.request("request-1"))
    assert len(bench.engine.runs) == 1
    assert len(bench.api.results["request-1"]) == 1
    assert bench.position == 2
    assert bench.counted("replayed") == 1


def test_the_same_id_twice_in_a_batch_is_claimed_once(bench: Bench) -> None:
    bench.work(bench.request("request-1"), bench.request("request-1"))
    assert len(bench.api.bodies("/claims")[0]["requests"]) == 1
    assert bench.position == 2
    assert (bench.counted("stored"), bench.counted("replayed")) == (1, 1)


def test_an_id_used_for_another_request_is_a_dead_letter(bench: Bench) -> None:
    bench.work(bench.request("request-1"), bench.request("request-1", table="shop.clean"))
    assert [reason.code for _, reason in bench.letters] == ["idempotency_key_reused"]
    assert len(bench.api.results["request-1"]) == 1
    assert bench.position == 2


def test_a_message_without_an_id_gets_the_same_one_whenever_it_is_read(bench: Bench) -> None:
    delivery = bench.request()
    bench.work(delivery)
    bench.work(delivery)
    first, second = (body["requests"][0]["id"] for body in bench.api.bodies("/claims"))
    assert first == second
    assert first.startswith("k-")
    bench.work(bench.request())
    assert bench.api.bodies("/claims")[2]["requests"][0]["id"] != first


def test_equal_rules_and_scope_share_a_run_and_each_is_stored(bench: Bench) -> None:
    bench.work(*(bench.request(f"request-{number}") for number in range(10)))
    assert len(bench.engine.runs) == 1
    assert sorted(bench.api.results) == [f"request-{number}" for number in range(10)]
    assert bench.position == 10


def test_another_scope_is_another_run(bench: Bench) -> None:
    scope = [{"column": "id", "op": ">=", "value": 2}]
    bench.work(bench.request("request-1"), bench.request("request-2", scope=scope))
    assert [len(run[1]) for run in bench.engine.runs] == [0, 1]


def test_a_check_has_the_budget_that_the_api_says(bench: Bench) -> None:
    bench.work(bench.request("request-1"), bench.request("request-2", budget={"rows": 5}))
    assert [budget.rows for budget in bench.engine.budgets] == [None, 5]


def test_a_relative_time_is_what_the_api_made_of_it(bench: Bench) -> None:
    resolved = {"timestamp": "2026-01-31T12:00:00+00:00"}
    bench.api.resolve = lambda scope: [{**predicate, "value": resolved} for predicate in scope]
    scope = [{"column": "placed", "op": ">=", "value": "now-1d"}]
    bench.work(*(bench.request(f"request-{number}", scope=scope) for number in range(2)))
    [(_, (predicate,), _)] = bench.engine.runs  # shared, because it is the same moment
    assert predicate.value == resolved
    [claimed] = bench.api.bodies("/claims")
    assert claimed["requests"][0]["request"]["scope"] == scope


def test_requests_of_a_table_are_run_and_stored_in_their_order(bench: Bench) -> None:
    scopes = [[{"column": "id", "op": "=", "value": number}] for number in range(5)]
    bench.work(*(bench.request(f"request-{n}", scope=scope) for n, scope in enumerate(scopes)))
    assert [run[1][0].value for run in bench.engine.runs] == [0, 1, 2, 3, 4]
    posted = [item["id"] for body in bench.api.bodies("/outcomes") for item in body["outcomes"]]
    assert posted == [f"request-{n}" for n in range(5)]


def test_a_slow_check_holds_up_its_own_table_alone(bench: Bench) -> None:
    slow, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        if bench.engine.runs[-1][0] == "shop.slow":
            slow.set()
            assert go_on.wait(20)

    bench.engine.on_run = wait
    bench.put(bench.request("slow-0001", table="shop.slow"))
    bench.worker.turn()
    assert slow.wait(20)
    bench.put(bench.request("slow-0002", table="shop.slow"))
    bench.put(*(bench.request(f"quick-{n:03}", scope=scope_of(n)) for n in range(3)))
    while len(bench.api.results) < 3:
        bench.worker.turn()
    assert sorted(bench.api.results) == ["quick-000", "quick-001", "quick-002"]
    assert bench.position == 0  # offsets wait for the slow one
    assert [one["id"] for body in bench.api.bodies("/claims") for one in body["requests"]] == [
        "slow-0001",
        "quick-000",
        "quick-001",
        "quick-002",
    ]
    go_on.set()
    while len(bench.api.results) < 5:
        bench.worker.turn()
    assert bench.position == 5


def test_tables_that_are_far_behind_leave_room_for_others_and_are_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def wait() -> None:
        if bench.engine.runs[-1][0].startswith("shop.slow"):
            assert go_on.wait(60)

    bench.engine.on_run = wait
    bench.worker.batch_size = 5
    monkeypatch.setattr(batch, "POST_EVERY_S", 1000.0)
    for table in ("shop.slow1", "shop.slow2"):
        bench.put(
            *(bench.request(f"{table}-{n:03}", table=table, scope=scope_of(n)) for n in range(12))
        )
    while len({claim.job.table for claim in bench.worker.desk.held()}) < 2:
        bench.worker.turn()
    for number in range(3):
        bench.put(bench.request(f"quick-{number:03}", table="shop.quick", scope=scope_of(number)))
        until = time.monotonic() + 20
        while len(bench.api.results) <= number and time.monotonic() < until:
            bench.inbox.nudge()
            bench.worker.turn()
        assert sorted(bench.api.results) == [f"quick-{n:03}" for n in range(number + 1)]
    go_on.set()
    bench.drain()
    assert bench.position == 27


def test_checks_of_several_tables_run_at_once_and_of_one_table_never(bench: Bench) -> None:
    together = threading.Barrier(3)
    at_work: list[str] = []
    seen: list[list[str]] = []

    def meet() -> None:
        with lock:
            seen.append([*at_work])
            at_work.append("a table")
        if len(seen) <= 3:
            together.wait(20)
        with lock:
            at_work.pop()

    lock = threading.Lock()
    bench.engine.on_run = meet
    tables = ("shop.a", "shop.b", "shop.c")
    bench.work(*(bench.request(f"request-{table}", table=table) for table in tables))
    assert max(map(len, seen)) == 2
    seen.clear()
    seen.extend([[], [], []])
    bench.work(*(bench.request(f"request-{n:03}", scope=scope_of(n)) for n in range(5)))
    assert seen[3:] == [[]] * 5


def test_messages_that_came_during_a_run_share_the_next_one(bench: Bench) -> None:
    def more() -> None:
        bench.engine.on_run = lambda: None
        bench.put(*(bench.request(f"request-{n:03}") for n in range(1, 6)))
        time.sleep(0.05)

    bench.engine.on_run = more
    bench.work(bench.request("request-000"))
    while len(bench.api.results) < 6:
        bench.worker.turn()
    assert len(bench.engine.runs) == 2
    assert bench.position == 6


def test_the_same_id_again_while_the_first_waits_is_one_claim(bench: Bench) -> None:
    bench.engine.on_run = lambda: (
        bench.engine.runs[1:]
        or (
            bench.put(bench.request("request-2"), bench.request("request-2")),
            time.sleep(0.05),
        )
    )
    bench.work(bench.request("request-1"))
    while bench.position < 3:
        bench.worker.turn()
    assert [len(body["requests"]) for body in bench.api.bodies("/claims")] == [1, 1]
    assert (bench.counted("stored"), bench.counted("replayed")) == (2, 1)


def test_a_rule_set_is_sent_once_and_then_known_by_its_hash(bench: Bench) -> None:
    tables = ("shop.a", "shop.a", "shop.b", "shop.a", "shop.c", "shop.d", "shop.a")
    for number, table in enumerate(tables):
        bench.work(bench.request(f"request-{number}", table=table))
    known = [len(body["known_rule_sets"]) for body in bench.api.bodies("/claims")]
    assert known == [0, 1, 0, 1, 0, 0, 0]  # two are kept: shop.a was forgotten for shop.d
    assert [run[0] for run in bench.engine.runs] == list(tables)


def test_a_changed_rule_set_is_taken_from_the_claim(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.work(bench.request("request-1"))
    rules = [{"name": "all_new", "type": "unique", "column": "id"}]
    monkeypatch.setattr("tests.consumer.contract_api.RULE_SET", {**RULE_SET, "rules": rules})
    bench.work(bench.request("request-2"))
    hashes = [bench.api.results[f"request-{n}"][0]["rule_set_hash"] for n in (1, 2)]
    assert hashes[0] != hashes[1]


def test_what_waits_is_dropped_with_its_partition(bench: Bench) -> None:
    def lose_the_partition() -> None:
        bench.engine.on_run = lambda: None
        bench.put(*(bench.request(f"request-{n}", scope=scope_of(n)) for n in (2, 3)))
        deadline = time.monotonic() + 20
        while bench.worker.lanes.size[0] < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        bench.inbox.drop([(TOPIC, 0)])

    bench.engine.on_run = lose_the_partition
    bench.work(bench.request("request-1"))
    assert list(bench.api.results) == ["request-1"]
    assert bench.worker.lanes.size == (0, 0)


def test_bad_messages_are_dead_letters_and_good_ones_go_through(bench: Bench) -> None:
    bench.work(
        bench.deliver(b"{"),
        bench.request("request-1"),
        bench.deliver(None),
        bench.request("request-2", sql="drop table x"),
    )
    assert [(reason.stage, reason.code) for _, reason in bench.letters] == [
        ("decode", "json_invalid"),
        ("validate", "value_null"),
        ("validate", "unknown_field"),
    ]
    assert list(bench.api.results) == ["request-1"]
    assert bench.position == 4


def test_a_table_that_is_not_configured_is_a_dead_letter_with_its_request_id(
    bench: Bench,
) -> None:
    bench.work(bench.request("request-1", table="no.where"), bench.request("request-2"))
    [(_, reason)] = bench.letters
    assert (reason.stage, reason.code) == ("claim", "table_not_configured")
    assert (reason.request_id, reason.table) == ("request-1", "no.where")
    assert bench.position == 2


def test_a_dead_letter_that_is_not_taken_holds_its_offset_back_until_it_is(bench: Bench) -> None:
    bench.dead_letter_fault = "no acknowledgement"
    bench.work(bench.request("request-1"), bench.deliver(b"{"), bench.request("request-2"))
    assert bench.position == 1
    assert sorted(bench.api.results) == ["request-1", "request-2"]
    bench.dead_letter_fault = None
    bench.drain()
    assert bench.position == 3
    assert len(bench.letters) == 1


@pytest.mark.parametrize(
    "fault",
    [
        problem(500, "internal"),
        problem(503, "store_unavailable", Retry_After="0"),
        problem(429, "too_many", Retry_After="0"),
        problem(401, "unauthenticated"),
        problem(404, "not_found"),
    ],
    ids=["500", "503", "429", "401", "404"],
)
def test_an_api_that_is_away_is_waited_for_and_nothing_is_a_dead_letter(
    bench: Bench, fault: Answer
) -> None:
    if fault[0] == 500:
        fault = problem(500, "internal", Retry_After="0")
    bench.api.faults = [fault] * 3
    bench.work(bench.request("request-1"))
    assert bench.letters == []
    assert bench.position == 1
    assert len(bench.api.results["request-1"]) == 1
    retries = bench.metrics.registry.get_sample_value("stringx_consumer_api_retries_total")
    assert retries == 3


def test_an_answer_lost_after_storing_does_not_store_twice(bench: Bench) -> None:
    lost: list[str] = []

    def lose(path: str, body: object) -> Answer | None:
        if path == "/outcomes" and not lost:
            lost.append(path)
            bench.api.refuse = lambda path, body: None
            bench.api._lock.release()
            bench.api.answer(path, body)  # stored …
            bench.api._lock.acquire()
            return problem(502, "bad_gateway", Retry_After="0")  # … but the worker never hears
        return None

    bench.api.refuse = lose
    bench.work(bench.request("request-1"))
    assert len(bench.api.results["request-1"]) == 1
    assert bench.counted("replayed") == 1
    assert bench.position == 1


def test_a_request_that_another_worker_has_is_asked_for_again(bench: Bench) -> None:
    bench.api.answer(
        "/claims",
        {
            "requests": [
                {
                    "id": "request-1",
                    "request": {"connection": "demo", "table": "shop.orders", "id": "request-1"},
                }
            ]
        },
    )
    bench.work(bench.request("request-1"), bench.request("request-2"))
    assert bench.position == 0
    assert bench.counted("busy") == 1
    assert list(bench.api.results) == ["request-2"]
    bench.api.requests["request-1"]["state"] = "received"  # its lease has run out
    bench.drain()
    assert bench.position == 2
    assert sorted(bench.api.results) == ["request-1", "request-2"]


def test_an_outcome_of_a_lost_lease_is_claimed_anew(bench: Bench) -> None:
    def steal() -> None:
        bench.api.requests["request-1"]["fence"] += 1
        bench.engine.on_run = lambda: None

    bench.engine.on_run = steal
    bench.work(bench.request("request-1"))
    assert bench.position == 0
    bench.api.requests["request-1"]["state"] = "received"
    bench.drain()
    assert len(bench.api.results["request-1"]) == 1
    assert bench.position == 1


def test_a_store_that_forgot_the_request_gets_it_again(bench: Bench) -> None:
    def forget() -> None:
        bench.api.requests.clear()
        bench.engine.on_run = lambda: None

    bench.engine.on_run = forget
    bench.work(bench.request("request-1"))
    assert bench.position == 0
    bench.drain()
    assert len(bench.api.results["request-1"]) == 1
    assert bench.position == 1


def test_leases_are_renewed_while_checks_run_and_wait(bench: Bench) -> None:
    bench.api.lease_s = 0.03

    def renew() -> None:
        time.sleep(0.02)
        bench.worker.desk.renew(bench.client)

    bench.engine.on_run = renew
    bench.work(*(bench.request(f"request-{n}", scope=scope_of(n)) for n in range(2)))
    renewed = [[one["id"] for one in body["claims"]] for body in bench.api.bodies("/claims/renew")]
    assert renewed[0] == ["request-0", "request-1"]
    assert bench.position == 2


def test_a_young_lease_is_not_renewed(bench: Bench) -> None:
    bench.engine.on_run = lambda: bench.worker.desk.renew(bench.client)
    bench.work(bench.request("request-1"))
    assert bench.api.bodies("/claims/renew") == []


def test_a_claim_whose_lease_was_lost_is_not_run_but_claimed_anew(bench: Bench) -> None:
    bench.api.lease_s = 0.0

    def lose_the_second() -> None:
        bench.engine.on_run = lambda: None
        bench.api.requests["request-1"]["fence"] += 1
        bench.worker.desk.renew(bench.client)

    bench.engine.on_run = lose_the_second
    bench.work(*(bench.request(f"request-{n}", scope=scope_of(n)) for n in range(2)))
    assert len(bench.engine.runs) == 1
    assert bench.position == 1
    bench.api.requests["request-1"]["state"] = "received"
    bench.drain()
    assert bench.position == 2
    assert len(bench.api.results["request-1"]) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(EngineError("dbt is ill", code="dbt_ill"), "dbt_ill"), (RuntimeError("bug"), "engine")],
)
def test_an_engine_that_fails_makes_an_error_never_a_pass(
    bench: Bench, error: Exception, code: str
) -> None:
    bench.engine.fails = error
    bench.work(bench.request("request-1"))
    [outcome] = bench.api.results["request-1"]
    assert outcome["error_code"] == code
    assert "bug" not in outcome["error"]
    assert bench.position == 1


def test_a_rule_set_that_is_not_understood_makes_an_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = {"connection": "demo", "table": "shop.orders", "rules": [{"type": "from_the_future"}]}
    monkeypatch.setattr("tests.consumer.contract_api.RULE_SET", newer)
    bench.work(bench.request("request-1"))
    assert bench.api.results["request-1"][0]["error_code"] == "rule_set_invalid"
    assert bench.engine.runs == []


def test_one_request_that_the_api_refuses_does_not_take_its_batch_along(bench: Bench) -> None:
    def refuse(path: str, body: object) -> Answer | None:
        return problem(422, "invalid") if '"request-3"' in json.dumps(body) else None

    bench.api.refuse = refuse
    bench.work(*(bench.request(f"request-{number}") for number in range(8)))
    assert [reason.request_id for _, reason in bench.letters] == ["request-3"]
    assert len(bench.api.results) == 7
    assert bench.position == 8


def test_an_outcome_too_large_for_the_api_is_stored_without_samples_then_sql_then_as_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = RuleResult(
        rule="id_known",
        type="not_null",
        dimension="completeness",
        kind="engineering",
        severity="error",
        status="pass",
        sql="select 1",
        sample=Sample(columns=("id",), rows=(("large",),), sql="select 2"),
    )
    run = bench.engine.run
    monkeypatch.setattr(
        bench.engine,
        "run",
        lambda *given, **more: run(*given, **more).model_copy(update={"results": (result,)}),
    )

    too_large = "large"

    def refuse(path: str, body: object) -> Answer | None:
        return problem(413, "body_too_large") if too_large in json.dumps(body) else None

    bench.api.refuse = refuse
    kept = []
    for number, too_large in enumerate(("large", "select 1")):  # noqa: B007 read by `refuse`
        bench.work(bench.request(f"request-{number}"))
        [outcome] = bench.api.results[f"request-{number}"]
        [one] = outcome["results"]
        kept.append((one["status"], one.get("sql"), "sample" in one))
    assert kept == [("pass", "select 1", False), ("pass", None, False)]

    bench.api.refuse = lambda path, body: (
        problem(422, "invalid") if "id_known" in json.dumps(body.get("outcomes")) else None
    )
    bench.work(bench.request("request-2"))
    assert bench.api.results["request-2"][0]["error_code"] == "outcome_refused"
    assert bench.position == 3


def test_large_batches_are_claimed_in_bodies_that_the_api_takes(bench: Bench) -> None:
    labels = {f"label{n}": "x" * 255 for n in range(32)}
    bench.work(*(bench.request(f"request-{n:04}", labels=labels) for n in range(250)))
    bodies = [json.dumps(body) for path, body in bench.api.calls]
    assert max(map(len, bodies)) < 1024 * 1024
    assert all(len(body["requests"]) <= 100 for body in bench.api.bodies("/claims"))
    assert len(bench.api.results) == 250
    assert bench.position == 250


def test_the_end_of_the_process_stores_what_is_run_and_gives_back_the_rest(bench: Bench) -> None:
    bench.engine.on_run = bench.stop.set
    bench.work_to_the_end(*(bench.request(f"request-{n}", scope=scope_of(n)) for n in range(3)))
    assert list(bench.api.results) == ["request-0"]
    assert bench.position == 1
    assert [found["state"] for found in bench.api.requests.values()] == [
        "finished",
        "received",
        "received",
    ]


def test_a_run_that_is_cancelled_at_the_end_is_given_back_not_stored(bench: Bench) -> None:
    def cancel() -> None:
        bench.stop.set()
        bench.abort.set()

    bench.engine.on_run = cancel
    bench.engine.fails = EngineError("dbt was closed")
    bench.work_to_the_end(bench.request("request-1"))
    assert bench.api.results == {}
    assert bench.api.requests["request-1"]["state"] == "received"
    assert bench.position == 0


def test_the_end_of_the_process_while_the_api_is_away_loses_nothing(bench: Bench) -> None:
    def go_away(path: str, body: object) -> Answer:
        bench.stop.set()
        return problem(503, "down", Retry_After="60")

    bench.api.refuse = go_away
    bench.work_to_the_end(bench.request("request-1"), bench.deliver(b"{"))
    assert bench.position == 0
    assert bench.api.results == {}


def test_the_producers_trace_goes_along(bench: Bench) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    value = b'{"table": "shop.orders"}'
    bench.work(
        bench.deliver(value, headers=(("traceparent", trace.encode()),)),
        bench.deliver(value, headers=(("traceparent", b"\xff"),)),
    )
    [body] = bench.api.bodies("/claims")
    assert [item["traceparent"] for item in body["requests"]] == [trace, None]
