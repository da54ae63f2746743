"""The gate: what verdicts decide, who hears of it, and waiting for it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import psycopg
import pytest
import requests
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from sqlalchemy import text

from api.store import gate, outbox, tables
from api.store.gate import Gate
from api.store.outcomes import Finished
from api.store.synthetic import Observation, store_result
from embedded.postgres import EmbeddedPostgres
from quality.checks import OUT_OF_TIME
from quality.gate import (
    MAX_REASONS,
    Basis,
    GatePolicy,
    basis_of,
    reasons_of,
    scope_hash,
    standing,
)
from quality.identity import new_id
from quality.predicates import Predicate
from tests.api.conftest import TOKEN
from tests.api.stores import Store, asks, found
from tests.api.test_checks import check
from tests.api.test_configuration import problem
from tests.conftest import LiveApi

Call = Callable[..., requests.Response]
TOPIC = "stringx.gate.decisions.v1"
PASSES = {"type": "not_null", "column": "id"}
WARNS = {"type": "not_null", "column": "amount", "severity": "warn"}
FAILS = {"type": "unique", "column": "id"}
LATER = [{"column": "placed", "op": ">=", "value": "2026-01-03"}]


def left_out(*statuses: str) -> Any:
    """An outcome with a further rule that there was no time for."""
    outcome = found(*statuses, "skipped")
    late = outcome.results[-1].model_copy(update={"message": f"{OUT_OF_TIME}: 2 s were over"})
    return outcome.model_copy(update={"results": (*outcome.results[:-1], late)})


@pytest.mark.parametrize(
    ("outcome", "basis", "decision"),
    [
        (found("pass", "pass"), "pass", "allow"),
        (found("pass", "warn"), "warn", "warn"),
        (found("warn", "fail"), "fail", "block"),
        (found("pass", "error"), "error", "unknown"),
        (found("fail", "error"), "fail_and_error", "block"),
        (found(), "no_rules", "unknown"),
        (found("skipped"), "error", "unknown"),
        (found("pass", "skipped"), "pass", "allow"),  # a rule on history that has none yet
        (left_out("pass"), "error", "unknown"),
        (left_out("warn"), "error", "unknown"),
        (left_out("fail"), "fail_and_error", "block"),
    ],
)
def test_verdicts_decide(outcome: Any, basis: Basis, decision: str) -> None:
    assert basis_of(outcome) == basis
    assert GatePolicy().decide(basis) == decision


def test_a_check_that_left_rules_out_is_no_pass() -> None:
    assert left_out("pass").status == "error"
    assert left_out("warn").status == "error"
    assert left_out("pass", "fail").status == "fail"
    assert left_out("fail", "error").status == "error"


def test_no_policy_lets_what_is_bad_or_unknown_through() -> None:
    fields = [name for name in GatePolicy.model_fields if name.startswith("on_")]
    choices = [get_args(GatePolicy.model_fields[name].annotation) for name in fields]
    seen = 0
    for chosen in itertools.product(*choices):
        policy = GatePolicy(**dict(zip(fields, chosen, strict=True)))
        decisions = policy.decisions()
        assert set(decisions) == set(get_args(Basis))
        for basis in ("fail", "error", "fail_and_error", "no_rules"):
            assert decisions[basis] != "allow"
        if "block" in (policy.on_fail, policy.on_error):
            assert decisions["fail_and_error"] == "block"
        seen += 1
    assert seen == 72


def test_reasons_are_the_worst_first_and_few() -> None:
    assert reasons_of(found("pass")) == ()
    assert reasons_of(found()) == ("the check has no rules",)
    assert reasons_of(found("warn", "pass", "fail")) == ("rule_2: fail", "rule_0: warn")
    many = reasons_of(found(*["fail"] * (MAX_REASONS + 5)))
    assert (len(many), many[-1]) == (MAX_REASONS + 1, "and 5 more")
    assert reasons_of(left_out("pass")) == ("rule_1: deadline: 2 s were over",)


def test_decisions_expire() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert standing("allow", (), now + second, now).decision == "allow"
    assert standing("allow", (), now, now).decision == "unknown"
    assert standing("block", (), now - second, now).decision == "unknown"
    assert standing(None, (), None, now).decision == "unknown"


def test_scopes_are_told_apart_as_they_were_asked_for() -> None:
    today = Predicate(column="a", op=">=", value="today")
    assert scope_hash([]) == ""
    assert scope_hash([today]) == scope_hash([today.model_copy()])
    assert scope_hash([today]) != scope_hash([Predicate(column="a", op=">", value="today")])


def ask(call: Call, table: str = "shop.orders", **query: Any) -> dict[str, Any]:
    answer = call("GET", f"/gate/{table}", params=query)
    assert answer.status_code == 200, answer.text
    decision: dict[str, Any] = answer.json()
    return decision


def test_what_was_never_checked_is_unknown(call: Call, table: Callable[..., int]) -> None:
    assert ask(call, "shop.nowhere")["reasons"] == ["the table is not registered"]
    table("shop.orders", PASSES)
    unknown = ask(call)
    assert (unknown["decision"], unknown["verdict"], unknown["expires_at"]) == (
        *("unknown", None),
        None,
    )


def test_each_verdict_decides_and_is_kept_with_its_check(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", PASSES)
    passed = check(call, table="shop.orders")
    allowed = ask(call)
    assert (allowed["decision"], allowed["verdict"], allowed["reasons"]) == ("allow", "pass", [])
    assert (allowed["check_id"], allowed["rule_set_hash"]) == (
        passed["id"],
        passed["rule_set_hash"],
    )
    held = datetime.fromisoformat(allowed["expires_at"]) - datetime.fromisoformat(
        allowed["decided_at"]
    )
    assert held == timedelta(days=1)
    call("PUT", f"/tables/{table_id}/rules", json={"rules": [PASSES, WARNS, FAILS]})
    failed = check(call, table="shop.orders")
    blocked = ask(call)
    assert (blocked["decision"], blocked["check_id"]) == ("block", failed["id"])
    assert blocked["reasons"] == [
        "unique_id: fail (1 failures)",
        "not_null_amount: warn (1 failures)",
    ]
    before = ask(call, check_id=passed["id"])
    assert (before["decision"], before["check_id"]) == ("allow", passed["id"])
    assert ask(call, check_id=failed["id"])["reasons"] == blocked["reasons"]


def test_rows_have_decisions_of_their_own(call: Call, table: Callable[..., int]) -> None:
    """And so has a check of some rules, which nobody finds but by its id."""
    table("shop.orders", FAILS)
    check(call, table="shop.orders")
    part = check(call, table="shop.orders", scope=LATER)
    assert part["status"] == "pass"
    assert ask(call)["decision"] == "block"
    allowed = ask(call, scope=json.dumps(LATER))
    assert (allowed["decision"], allowed["scope"], allowed["check_id"]) == (
        *("allow", LATER),
        part["id"],
    )
    other = [{**LATER[0], "value": "2026-01-04"}]
    assert ask(call, scope=json.dumps(other))["decision"] == "unknown"
    table("shop.orders", PASSES, FAILS)
    some = check(call, table="shop.orders", select={"rules": ["not_null_id"]})
    assert ask(call)["decision"] == "block"
    assert ask(call, check_id=some["id"])["decision"] == "allow"


def test_a_policy_decides_otherwise_and_at_once(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", WARNS)
    assert call("GET", f"/tables/{table_id}/gate-policy").json() == {
        "on_pass": "allow",
        "on_warn": "warn",
        "on_fail": "block",
        "on_error": "unknown",
        "on_no_rules": "unknown",
        "valid_for_s": None,
    }
    check(call, table="shop.orders")
    assert ask(call)["decision"] == "warn"
    strict = {"on_warn": "block", "on_no_rules": "block", "valid_for_s": 3600}
    written = call("PUT", f"/tables/{table_id}/gate-policy", json=strict)
    assert written.status_code == 200
    assert call("GET", f"/tables/{table_id}/gate-policy").json() == written.json()
    blocked = ask(call)
    assert blocked["decision"] == "block"
    moments = [datetime.fromisoformat(blocked[name]) for name in ("decided_at", "expires_at")]
    assert moments[1] - moments[0] == timedelta(hours=1)
    call("PUT", f"/tables/{table_id}/rules", json={"rules": []})
    check(call, table="shop.orders")
    assert (ask(call)["decision"], ask(call)["verdict"]) == ("block", "no_rules")
    events = call("GET", "/audit", params={"action": "gate_policy.changed"}).json()["items"]
    assert events[0]["detail"]["after"]["on_warn"] == "block"


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("PUT", "/tables/{id}/gate-policy", {"json": {"on_fail": "allow"}}, 422),
        ("PUT", "/tables/{id}/gate-policy", {"json": {"on_error": "allow"}}, 422),
        ("PUT", "/tables/{id}/gate-policy", {"json": {"valid_for_s": 0}}, 422),
        ("PUT", "/tables/{id}/gate-policy", {"json": {"on_late": "block"}}, 422),
        ("PUT", "/tables/999999999/gate-policy", {"json": {}}, 404),
        ("GET", "/tables/999999999/gate-policy", {}, 404),
        ("GET", "/gate/a.b.c", {}, 422),
        ("GET", "/gate/shop.orders", {"params": {"wait": 61}}, 422),
        ("GET", "/gate/shop.orders", {"params": {"wait": "nan"}}, 422),
        ("GET", "/gate/shop.orders", {"params": {"check_id": "x"}}, 422),
        ("GET", "/gate/shop.orders", {"params": {"scope": "placed > 1"}}, 422),
        ("GET", "/gate/shop.orders", {"params": {"scope": '[{"column": "a", "op": "~"}]'}}, 422),
        (
            "GET",
            "/gate/shop.orders",
            {"params": {"scope": json.dumps(LATER), "check_id": "12345678"}},
            422,
        ),
    ],
)
def test_what_is_wrong_is_refused(
    call: Call,
    table: Callable[..., int],
    method: str,
    path: str,
    options: dict[str, Any],
    status: int,
) -> None:
    table_id = table("shop.orders")
    answer = call(method, path.format(id=table_id), **options)
    problem(answer, status, answer.json()["code"])


def test_a_check_of_another_table_is_refused(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", PASSES)
    table("shop.clean", PASSES)
    other = check(call, table="shop.clean")
    answer = call("GET", "/gate/shop.orders", params={"check_id": other["id"]})
    problem(answer, 422, "check_of_another_table")


def test_who_waits_gets_the_decision_when_it_is_made(
    call: Call, live_api: LiveApi, table: Callable[..., int]
) -> None:
    """By the id of a check that nobody has asked for yet."""
    table("shop.orders", FAILS)
    identity = new_id()
    answers: list[dict[str, Any]] = []

    def wait() -> None:
        url = live_api.api("/gate/shop.orders")
        query = {"check_id": identity, "wait": "50"}
        answers.append(requests.get(url, params=query, timeout=60).json())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    assert not answers
    check(call, table="shop.orders", id=identity)
    waiting.join(30)
    assert [(one["decision"], one["check_id"]) for one in answers] == [("block", identity)]


def test_who_waits_in_vain_is_told_why(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", FAILS)
    found = ask(call, check_id=new_id(), wait=0.1)
    assert (found["decision"], found["reasons"]) == (
        "unknown",
        ["there is no check of that id"],
    )
    assert ask(call, wait=0.1)["reasons"] == ["the table has no decision"]


def test_what_there_was_no_time_for_is_unknown_at_the_gate(
    call: Call, table: Callable[..., int], postgres: EmbeddedPostgres
) -> None:
    with psycopg.connect(postgres.url("demo", "postgres")) as connection:
        connection.execute(
            "create function shop.nap() returns integer language plpgsql stable as "
            "$$ begin perform pg_sleep(30); return 1; end $$; "
            "create view shop.naps as select 1 as quick, shop.nap() as slow; "
            "grant select on shop.naps to stringx_reader"
        )
    try:
        slow = {"type": "not_null", "column": "slow", "severity": "warn"}
        table("shop.naps", slow, {"type": "not_null", "column": "quick"})
        late = check(call, table="shop.naps", deadline_ms=2000)
        assert (late["status"], late["error_code"]) == ("error", None)
        assert late["counts"] == {"pass": 1, "skipped": 1}
        unknown = ask(call, "shop.naps")
        assert (unknown["decision"], unknown["check_id"]) == ("unknown", late["id"])
        assert unknown["reasons"][0].startswith("not_null_slow: deadline")
    finally:
        with psycopg.connect(postgres.url("demo", "postgres")) as connection:
            connection.execute("drop view shop.naps; drop function shop.nap()")


def test_a_repeated_request_says_that_it_was_replayed(
    call: Call, table: Callable[..., int]
) -> None:
    table("shop.orders", PASSES)
    key = {"Idempotency-Key": new_id()}
    first = call("POST", "/checks", json={"table": "shop.orders"}, headers=key)
    assert "Idempotency-Replayed" not in first.headers
    again = call("POST", "/checks", json={"table": "shop.orders"}, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = {"table": "shop.orders", "scope": LATER}
    problem(call("POST", "/checks", json=other, headers=key), 409, "idempotency_key_reused")


# Straight at the store: what comes of batches, and what goes to Kafka with them.


def told(store: Store) -> list[dict[str, Any]]:
    """What waits for Kafka, in order, with the key."""
    with store.database.connect() as db:
        rows = db.execute(text("select topic, key, value, headers from outbox order by id")).all()
    assert {row.topic for row in rows} <= {TOPIC}
    return [{"key": row.key, "headers": row.headers, **json.loads(row.value)} for row in rows]


@pytest.fixture
def telling(store: Store) -> Store:
    """A store whose decisions are told."""
    kafka = store.checking.kafka.model_copy(update={"bootstrap_servers": "nowhere:1"})
    store.checking = replace(store.checking, kafka=kafka)
    return store


def test_decisions_are_put_into_the_outbox_with_the_verdict(telling: Store) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    claims = telling.claim(replace(asks("request-1"), traceparent=trace))
    outcome = found("pass", "fail")
    assert telling.store(Finished("request-1", claims[0].fence, outcome)) == ["stored"]
    assert telling.store(Finished("request-1", claims[0].fence, outcome)) == ["replayed"]
    [message] = told(telling)
    assert message["key"] == "demo/shop.a"
    assert message["headers"] == {"content-type": "application/json", "traceparent": trace}
    expected = {
        "connection": "demo",
        "table": "shop.a",
        "decision": "block",
        "verdict": "fail",
        "reasons": ["rule_1: fail"],
        "scope": [],
        "scope_hash": None,
        "check_id": "request-1",
        "rule_set_hash": outcome.rule_set_hash,
        "rules_version": 1,
        "traceparent": trace,
    }
    assert {name: message[name] for name in expected} == expected
    assert message["expires_at"] > message["decided_at"]


def test_of_a_batch_the_newest_verdict_of_each_table_decides(telling: Store) -> None:
    requests_ = [asks("request-1"), asks("request-2"), asks("request-3", table="shop.b")]
    fences = {claim.id: claim.fence for claim in telling.claim(*requests_)}
    outcomes = {
        "request-1": found("fail"),
        "request-2": found("pass", seconds=5),
        "request-3": found("warn"),
    }
    telling.store(*(Finished(name, fences[name], one) for name, one in outcomes.items()))
    said = {message["key"]: message["decision"] for message in told(telling)}
    assert said == {"demo/shop.a": "allow", "demo/shop.b": "warn"}
    assert len(told(telling)) == 2


def test_decisions_on_rows_have_a_key_of_their_own(telling: Store) -> None:
    scope = (Predicate(column="x", op=">=", value="today"),)
    [claim] = telling.claim(asks("request-1", scope=scope))
    telling.store(Finished("request-1", claim.fence, found("pass")))
    [message] = told(telling)
    assert message["key"] == f"demo/shop.a#{scope_hash(scope)[:16]}"
    assert message["scope_hash"] == scope_hash(scope)
    assert message["scope"][0]["value"] != "today"


def test_a_stale_fence_decides_nothing(telling: Store) -> None:
    [claim] = telling.claim(asks("request-1"))
    assert telling.store(Finished("request-1", claim.fence + 1, found("pass"))) == ["stale_fence"]
    assert told(telling) == []


def test_a_request_that_takes_its_workers_down_decides_too(telling: Store) -> None:
    for _ in range(telling.checking.settings.max_attempts):
        telling.claim(asks("request-1"))
        telling.execute("update check_run set lease_until = now() - interval '1 s'")
    [given_up] = telling.claim(asks("request-1"))
    assert given_up.outcome == "done"
    [message] = told(telling)
    assert (message["decision"], message["verdict"]) == ("unknown", "error")
    assert message["reasons"] == ["the check could not be made: poison"]


def test_a_decision_without_a_check_follows_the_policy(telling: Store) -> None:
    how = Gate(valid_for_s=60, topic=TOPIC)
    table_id = telling.ids["shop.a"]
    with telling.database.begin() as db:
        assert gate.make(db, table_id, "fail", ["no event came"], how) == "block"
    with telling.database.begin() as db:
        gate.put_policy(db, table_id, GatePolicy(on_fail="warn", valid_for_s=30), how)
    with telling.database.begin() as db:
        assert gate.make(db, table_id, "fail", ["no event came"], how) == "warn"
        assert gate.make(db, 999_999, "fail", ["no event came"], how) is None
    decisions = [(one["decision"], one["reasons"], one["check_id"]) for one in told(telling)]
    assert decisions == [(word, ["no event came"], None) for word in ("block", "warn", "warn")]


def test_decisions_on_rows_are_forgotten_once_they_are_long_over(store: Store) -> None:
    scope = (Predicate(column="x", op="=", value=1),)
    for claim in store.claim(asks("request-1", scope=scope), asks("request-2")):
        store.store(Finished(claim.id, claim.fence, found("pass")))
    with store.database.begin() as db:
        assert gate.forget(db, older_than_days=7, limit=10) == 0
    store.execute("update gate_decision set expires_at = now() - interval '8 days'")
    with store.database.begin() as db:
        assert gate.forget(db, older_than_days=7, limit=10) == 1
    with store.database.connect() as db:
        assert db.scalar(text("select scope_hash from gate_decision")) == ""


def test_storing_is_one_statement_with_decisions_too(store: Store) -> None:
    [claim] = store.claim(asks("request-1"))
    assert (
        store.statements(lambda: store.store(Finished(claim.id, claim.fence, found("pass")))) == 1
    )


def test_decisions_reach_kafka(guarded: LiveApi, table: Callable[..., int]) -> None:
    """On a topic that the API makes itself."""
    table("shop.orders", FAILS)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = guarded.api("/checks")
    made = requests.post(url, json={"table": "shop.orders"}, headers=headers, timeout=60).json()
    servers = guarded.environment["STRINGX_KAFKA_BOOTSTRAP_SERVERS"]
    seen = read(servers, lambda message: message.get("check_id") == made["id"])
    assert (seen["decision"], seen["verdict"], seen["table"]) == ("block", "fail", "shop.orders")


def test_what_was_decided_on_a_deleted_table_is_taken_back_from_kafka(
    guarded: LiveApi, table: Callable[..., int]
) -> None:
    """By messages without a value, of the table and of the rows that were decided on."""
    table_id = table("shop.customers", PASSES)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for scope in ([], [{"column": "id", "op": ">=", "value": 2}]):
        body = {"table": "shop.customers", "scope": scope}
        url = guarded.api("/checks")
        requests.post(url, json=body, headers=headers, timeout=60).raise_for_status()
    url = guarded.api(f"/tables/{table_id}")
    assert requests.delete(url, headers=headers, timeout=30).status_code == 204
    servers = guarded.environment["STRINGX_KAFKA_BOOTSTRAP_SERVERS"]
    rows = scope_hash([Predicate(column="id", op=">=", value=2)])[:16]
    for key in ("demo/shop.customers", f"demo/shop.customers#{rows}"):
        assert read(servers, lambda message, key=key: message == {"taken_back": key})


def test_a_deleted_table_takes_its_decisions_back(telling: Store) -> None:
    scope = (Predicate(column="x", op="=", value=1),)
    for claim in telling.claim(asks("request-1"), asks("request-2", scope=scope)):
        telling.store(Finished(claim.id, claim.fence, found("pass")))
    [other] = telling.claim(asks("request-3", table="shop.b"))
    telling.store(Finished(other.id, other.fence, found("pass")))
    how = telling.checking.gate
    with telling.database.begin() as db:
        gate.take_back(db, telling.ids["shop.a"], Gate())  # nobody was told anything
        gate.take_back(db, telling.ids["shop.a"], how)
        tables.remove(db, telling.ids["shop.a"])
    with telling.database.connect() as db:
        rows = db.execute(text("select key, value from outbox order by id")).all()
        waiting = outbox.unsent(db, 10)
    assert [(row.key, row.value) for row in rows[3:]] == [
        ("demo/shop.a", ""),
        (f"demo/shop.a#{scope_hash(scope)[:16]}", ""),
    ]
    assert [bool(message.value) for message in waiting] == [True] * 3 + [False] * 2


def test_a_verdict_without_a_check_is_told_as_others_are(telling: Store) -> None:
    result = found("fail").results[0]
    table_id = telling.ids["shop.a"]
    seen = Observation("demo", "shop.a", result, datetime.now(UTC), table_id, sets_verdict=True)
    with telling.database.begin() as db:
        kept = store_result(db, seen, telling.checking.gate)
    [message] = told(telling)
    assert (message["key"], message["decision"]) == ("demo/shop.a", "block")
    assert message["check_id"] == kept.check_id


def read(servers: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first wanted decision on the topic."""
    settings = {"bootstrap.servers": servers, "group.id": new_id(), "enable.auto.commit": False}
    consumer = Consumer(settings)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            topics = consumer.list_topics(timeout=10).topics
            if TOPIC in topics and topics[TOPIC].partitions:
                break
            time.sleep(0.1)
        partitions = topics[TOPIC].partitions
        consumer.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in partitions])
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                document: dict[str, Any] = json.loads(message.value() or b"{}")
                document.setdefault("taken_back", (message.key() or b"").decode())
                if wanted(document):
                    return document
    finally:
        consumer.close()
    pytest.fail("no such decision was told")
