"""Checks over HTTP: perform now, what is stored, and the history (S4, S8, S12)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from quality.identity import new_id
from tests.api.test_configuration import problem
from tests.conftest import LiveApi

Call = Callable[..., requests.Response]
RULES: tuple[dict[str, Any], ...] = (
    {"type": "unique", "column": "id"},
    {"type": "not_null", "column": "amount", "severity": "warn", "kind": "business"},
    {"type": "not_null", "column": "customer_id"},
    {
        "type": "relationships",
        "column": "customer_id",
        "arguments": {"to": "shop.customers", "field": "id"},
    },
)


def check(call: Call, **body: Any) -> dict[str, Any]:
    answer = call("POST", "/checks", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_perform_now_answers_the_verdict_with_a_result_per_rule(
    call: Call, table: Callable[..., int]
) -> None:
    table("shop.orders", *RULES)
    found = check(call, table="shop.orders")
    assert (found["state"], found["status"]) == ("finished", "fail")
    by_rule = {result["rule"]: result for result in found["results"]}
    assert {
        name: (result["status"], result["failures"], result["rows_tested"])
        for name, result in by_rule.items()
    } == {
        "unique_id": ("fail", 1, 4),
        "not_null_amount": ("warn", 1, 4),
        "not_null_customer_id": ("pass", 0, 4),
        "relationships_customer_id": ("fail", 1, 4),
    }
    one = by_rule["not_null_amount"]
    assert (one["dimension"], one["kind"], one["severity"]) == ("completeness", "business", "warn")
    assert one["duration_ms"] > 0
    assert "amount" in one["sql"]
    assert found["counts"] == {"pass": 1, "warn": 1, "fail": 2}
    assert found["failing_rows"] == 4  # two rows share an id
    assert call("GET", f"/checks/{found['id']}").json() == found


def test_clean_table_passes(call: Call, table: Callable[..., int]) -> None:
    table("shop.clean", {"type": "unique", "column": "id"})
    assert check(call, table="shop.clean")["status"] == "pass"


def test_only_active_rules_run_and_none_is_no_pass(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.clean")
    assert check(call, table="shop.clean")["status"] == "no_rules"
    rule = {"type": "unique", "column": "id", "is_active": False}
    call("PUT", f"/tables/{table_id}/rules", json={"rules": [rule]})
    assert check(call, table="shop.clean")["status"] == "no_rules"
    call("PATCH", f"/tables/{table_id}/rules/unique_id", json={"is_active": True})
    assert check(call, table="shop.clean")["status"] == "pass"


def test_narrowed_check_leaves_the_tables_verdict(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", *RULES)
    whole = check(call, table="shop.orders")
    check(call, table="shop.orders", select={"rules": ["not_null_customer_id"]})
    check(call, table="shop.orders", scope=[{"column": "x", "op": "=", "value": 1}])
    state = call("GET", f"/tables/{table_id}").json()
    assert (state["last_check_id"], state["last_status"]) == (whole["id"], "fail")


def test_selection_of_an_unknown_rule_is_refused(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", *RULES)
    body = {"table": "shop.orders", "select": {"rules": ["unique_id", "nope"]}}
    found = problem(call("POST", "/checks", json=body), 422, "rule_unknown")
    assert found["errors"][0]["path"] == "select.rules[1]"


def test_request_of_a_table_that_was_deleted_ends_instead_of_going_round(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", *RULES)
    item = {"id": new_id(), "request": {"table": "shop.orders"}}
    claimed = call("POST", "/claims", json={"worker": "test", "requests": [item]}).json()
    fence = claimed["claims"][0]["fence"]
    call("POST", "/claims/release", json={"claims": [{"id": item["id"], "fence": fence}]})
    assert call("GET", f"/checks/{item['id']}").json()["state"] == "received"
    call("DELETE", f"/tables/{table_id}")
    again = call("POST", "/claims", json={"worker": "test", "requests": [item]}).json()["claims"]
    assert (again[0]["outcome"], again[0]["code"]) == ("rejected", "table_not_configured")
    ended = call("GET", f"/checks/{item['id']}").json()
    assert (ended["state"], ended["status"]) == ("finished", "error")
    assert ended["error_code"] == "table_not_configured"


def test_request_that_takes_every_worker_down_is_given_up(
    call: Call, table: Callable[..., int], live_api: LiveApi, postgres: EmbeddedPostgres
) -> None:
    table_id = table("shop.orders", *RULES)
    item = {"id": new_id(), "request": {"table": "shop.orders"}}
    outcomes = []
    for _ in range(4):
        body = {"worker": "test", "requests": [item]}
        answer = call("POST", "/claims", json=body)
        assert answer.status_code == 200, answer.text
        outcomes.append(answer.json()["claims"][0]["outcome"])
        with psycopg.connect(postgres.url()) as connection:
            connection.execute(
                "update check_run set lease_until = now() - interval '1 s' where id = %s",
                (item["id"],),
            )
    assert outcomes == ["claimed", "claimed", "claimed", "done"]
    ended = call("GET", f"/checks/{item['id']}").json()
    assert (ended["status"], ended["error_code"], ended["attempts"]) == ("error", "poison", 3)
    assert call("GET", f"/tables/{table_id}").json()["last_status"] == "error"
    assert 'stringx_checks_total{source="kafka",status="error"}' in requests.get(
        f"{live_api.url}/metrics", timeout=10
    ).text.replace('status="error",source="kafka"', 'source="kafka",status="error"')


def test_how_a_rule_was_judged_is_stored_with_its_result(
    call: Call, table: Callable[..., int]
) -> None:
    table("shop.orders", *RULES)
    item = {"id": new_id(), "request": {"table": "shop.orders"}}
    claims = call("POST", "/claims", json={"worker": "test", "requests": [item]}).json()["claims"]
    measured = {"failures": 3, "least": -0.5, "newest": "2026-01-04", "mean": None}
    of_all = {"dimension": "completeness", "kind": "business", "severity": "error"}
    counted = {"failing_rows": 5, "rows_tested": 9, "measured": measured, "path": "second_scan"}
    proved = {"rows_tested": 7, "rows_estimated": True, "path": "constraint", "proof": "orders_pk"}
    rules = [
        {"rule": "one", "type": "unique", "status": "fail", "failures": 3, **of_all, **counted},
        {"rule": "two", "type": "not_null", "status": "pass", "failures": 0, **of_all, **proved},
    ]
    outcome = {
        "rule_set_hash": "0" * 64,
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01Z",
        "duration_ms": 1000.0,
        "results": rules,
    }
    posted = [{"id": item["id"], "fence": claims[0]["fence"], "outcome": outcome}]
    answer = call("POST", "/outcomes", json={"outcomes": posted}).json()
    assert answer == {"outcomes": [{"id": item["id"], "result": "stored"}]}
    found = call("GET", f"/checks/{item['id']}").json()
    assert found["failing_rows"] == 5
    assert [{name: one[name] for name in counted} for one in found["results"]] == [
        counted,
        {"failing_rows": None, "rows_tested": 7, "measured": {}, "path": "constraint"},
    ]
    assert [(one["rows_estimated"], one["proof"]) for one in found["results"]] == [
        (False, None),
        (True, "orders_pk"),
    ]
    history = call("GET", "/results", params={"check_id": item["id"]}).json()["items"]
    assert {one["rule"]: one["measured"] for one in history} == {"one": measured, "two": {}}


def test_selection_and_scope_narrow_a_check(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", *RULES)
    found = check(
        call,
        table="shop.orders",
        select={"dimensions": ["completeness"]},
        scope=[{"column": "placed", "op": "<", "value": "2026-01-03"}],
    )
    assert [(r["rule"], r["status"], r["rows_tested"]) for r in found["results"]] == [
        ("not_null_amount", "pass", 2),
        ("not_null_customer_id", "pass", 2),
    ]


def test_scope_on_a_column_that_is_not_there_is_an_error_not_a_pass(
    call: Call, table: Callable[..., int]
) -> None:
    table("shop.orders", *RULES)
    found = check(call, table="shop.orders", scope=[{"column": "x", "op": "=", "value": 1}])
    assert found["status"] == "error"
    assert found["error_code"] == "scope_column_not_found"


def test_same_id_is_answered_from_the_store(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", *RULES)
    identity = new_id()
    first = check(call, id=identity, table="shop.orders")
    assert check(call, id=identity, table="shop.orders") == first
    again = call(
        "POST", "/checks", json={"table": "shop.orders"}, headers={"Idempotency-Key": identity}
    )
    assert again.json() == first
    misuse = call("POST", "/checks", json={"id": identity, "table": "shop.clean"})
    assert misuse.status_code in (404, 409)
    table("shop.clean")
    misuse = call("POST", "/checks", json={"id": identity, "table": "shop.clean"})
    problem(misuse, 409, "idempotency_key_reused")


def test_same_id_at_once_runs_once(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", *RULES)
    identity = new_id()
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(
                call("POST", "/checks", json={"id": identity, "table": "shop.orders"}).status_code
            )
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 202}
    found = call("GET", f"/checks/{identity}").json()
    assert found["attempts"] == 1
    assert len(found["results"]) == len(RULES)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"table": "shop.unknown"}, 404, "table_not_configured"),
        ({"table": "shop.orders", "connection": "nope"}, 404, "connection_unknown"),
        ({"table": "shop.orders", "id": "short"}, 422, "invalid"),
        ({"table": "shop.orders", "id": "with blanks "}, 422, "invalid"),
        ({"table": "shop.orders", "mode": "later"}, 422, "invalid"),
        ({"table": "shop.orders", "sql": "drop table x"}, 422, "invalid"),
    ],
)
def test_wrong_request_is_refused(call: Call, body: dict[str, Any], status: int, code: str) -> None:
    problem(call("POST", "/checks", json=body), status, code)


def test_trigger_without_kafka_says_what_to_set(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", *RULES)
    answer = call("POST", "/checks", json={"table": "shop.orders", "mode": "async"})
    found = problem(answer, 503, "kafka_not_configured")
    assert "STRINGX_KAFKA_BOOTSTRAP_SERVERS" in found["detail"]
    assert "Retry-After" in answer.headers


def test_history_is_read_by_table_rule_and_time(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders", *RULES)
    ids = [check(call, table="shop.orders")["id"] for _ in range(3)]
    query = {"table": "shop.orders", "rule": "unique_id", "limit": 2}
    page = call("GET", "/results", params=query).json()
    assert [item["check_id"] for item in page["items"]] == [ids[2], ids[1]]
    rest = call("GET", "/results", params={**query, "cursor": page["next_cursor"]}).json()
    assert rest["items"][0]["check_id"] == ids[0]
    moment = call("GET", f"/checks/{ids[1]}").json()["received_at"]
    since = call("GET", "/checks", params={"table": "shop.orders", "since": moment}).json()
    assert [item["id"] for item in since["items"]] == [ids[2], ids[1]]
    until = call("GET", "/checks", params={"table": "shop.orders", "until": moment}).json()
    assert ids[0] in [item["id"] for item in until["items"]]
    assert ids[1] not in [item["id"] for item in until["items"]]


def test_table_shows_its_newest_verdict(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", *RULES)
    found = check(call, table="shop.orders")
    state = call("GET", f"/tables/{table_id}").json()
    assert (state["last_check_id"], state["last_status"]) == (found["id"], "fail")
    assert (state["rules"], state["active_rules"]) == (4, 4)


@pytest.mark.parametrize("text", ["{{ env_var('HOME') }}", "env_var('HOME')", "O'Brien\\"])
def test_template_text_in_a_rule_is_compared_as_text(
    call: Call, table: Callable[..., int], text: str
) -> None:
    values = {"type": "accepted_values", "column": "name", "arguments": {"values": [text]}}
    table("shop.clean", values)
    found = check(call, table="shop.clean")["results"][0]
    assert (found["status"], found["failures"]) == ("fail", 2)
    assert text.replace("'", "''") in found["sql"] or "\\" in text


def test_unknown_check_is_not_found(call: Call) -> None:
    problem(call("GET", f"/checks/{new_id()}"), 404, "check_unknown")
    problem(call("GET", "/checks/%00%00%00%00%00%00%00%00"), 404, "check_unknown")
