"""Stored checks judged again, and what was measured, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import requests

from embedded.postgres import EmbeddedPostgres
from tests.api.test_configuration import NOT_NULL, UNIQUE, problem

Call = Callable[..., requests.Response]


def check(call: Call, **body: Any) -> dict[str, Any]:
    return call("POST", "/checks", json={"table": "shop.orders", **body}).json()


def test_other_thresholds_are_tried_on_stored_checks(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", UNIQUE, NOT_NULL)
    checks = [check(call), check(call)]
    tolerant = {"error_if": "> 1", "warn_if": "> 0"}
    rules = [{**UNIQUE, **tolerant}, {**NOT_NULL, **tolerant}]
    answer = call("POST", f"/tables/{table_id}/replay", json={"rules": rules})
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [one["check_id"] for one in items] == [one["id"] for one in reversed(checks)]
    assert {(one["before"], one["after"]) for one in items} == {("fail", "warn")}
    assert {(rule["rule"], rule["before"], rule["after"]) for rule in items[0]["rules"]} == {
        ("unique_id", "fail", "warn"),
        ("not_null_amount", "fail", "warn"),
    }
    assert call("GET", f"/checks/{checks[0]['id']}").json() == checks[0]


def test_the_tables_own_rules_are_the_default_and_time_narrows(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", UNIQUE)
    first = check(call)
    call("PATCH", f"/tables/{table_id}/rules/unique_id", json={"severity": "warn"})
    replay = f"/tables/{table_id}/replay"
    [one] = call("POST", replay, json={}).json()["items"]
    assert (one["before"], one["after"]) == ("fail", "warn")
    assert call("POST", replay, json={"until": first["received_at"]}).json()["items"] == []
    check(call)
    page = call("POST", replay, json={"limit": 1}).json()
    rest = call("POST", replay, json={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [item["check_id"] for item in rest["items"]] == [first["id"]]


def test_a_rule_that_asks_something_else_is_not_judged_from_memory(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", UNIQUE)
    check(call)
    other = {**UNIQUE, "name": "unique_id", "column": "customer_id"}
    [item] = call("POST", f"/tables/{table_id}/replay", json={"rules": [other]}).json()["items"]
    [rule] = item["rules"]
    assert rule["after"] == rule["before"] == "fail"
    assert "column" in rule["reason"]
    problem(call("POST", f"/tables/{2**62}/replay", json={}), 404, "table_not_configured")


def test_what_was_measured_is_listed_by_rule(call: Call, table: Callable[..., int]) -> None:
    at_least = {"type": "row_count_between", "arguments": {"min_value": 1}}
    table_id = table("shop.orders", UNIQUE, at_least)
    checks = [check(call)["id"] for _ in range(2)]
    path = f"/tables/{table_id}/measurements"
    listed = call("GET", path, params={"rule": "row_count_between"}).json()["items"]
    assert [one["check_id"] for one in listed] == checks[::-1]
    assert {one["rows_tested"] for one in listed} == {4}
    assert len(call("GET", path).json()["items"]) == 4
    assert call("GET", path, params={"until": "2026-01-01T00:00:00Z"}).json()["items"] == []
    assert call("GET", path, params={"rule": "No Name"}).status_code == 422


def test_a_rule_on_history_says_what_is_missing_then_judges(
    call: Call, table: Callable[..., int], postgres: EmbeddedPostgres
) -> None:
    rule = {"type": "row_count_delta", "arguments": {"error_pct": 80}}
    with psycopg.connect(postgres.url("demo", "postgres"), autocommit=True) as owner:
        owner.execute("create table shop.growing (id integer)")
        owner.execute("grant select on shop.growing to stringx_reader")
        table_id = table("shop.growing", rule)
        found = []
        for rows in (3, 2, 50):
            owner.execute(f"insert into shop.growing select generate_series(1, {rows})")
            tried = call("POST", f"/tables/{table_id}/dry-run", json={}).json()
            [result] = call("POST", "/checks", json={"table": "shop.growing"}).json()["results"]
            found.append(result["status"])
            assert tried["results"][0]["status"] == result["status"]
        owner.execute("drop table shop.growing")
    assert found == ["skipped", "pass", "fail"]
