"""Versions of a table's rules: one for each change, never changed, compared and restored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from tests.api.test_configuration import NOT_NULL, UNIQUE, problem

Call = Callable[..., requests.Response]
BY = {"author": "ana", "reason": "orders may be free"}


def versions(call: Call, table_id: int) -> list[dict[str, Any]]:
    answer = call("GET", f"/tables/{table_id}/versions")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def names(rules: list[dict[str, Any]]) -> list[str]:
    return [rule["name"] for rule in rules]


def difference(call: Call, table_id: int, before: int, after: int) -> dict[str, Any]:
    answer = call("GET", f"/tables/{table_id}/versions/{before}/diff/{after}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_each_change_makes_one_version_that_says_who_and_why(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders")
    assert versions(call, table_id) == []
    rules = f"/tables/{table_id}/rules"
    put = call("PUT", rules, json={"rules": [UNIQUE, NOT_NULL]}, params=BY).json()
    assert put["rules_version"] == 1
    call("POST", rules, json={"type": "unique", "column": "customer_id"}, params={"author": "ben"})
    call("PATCH", f"{rules}/unique_id", json={"severity": "warn"}, params={"reason": "too many"})
    call("DELETE", f"{rules}/not_null_amount")
    assert [
        (made["number"], made["author"], made["reason"], made["rules"])
        for made in versions(call, table_id)
    ] == [
        (4, None, None, 2),
        (3, None, "too many", 3),
        (2, "ben", None, 3),
        (1, "ana", "orders may be free", 2),
    ]
    assert len({made["hash"] for made in versions(call, table_id)}) == 4
    assert call("GET", f"/tables/{table_id}").json()["rules_version"] == 4
    first = call("GET", f"/tables/{table_id}/versions/1").json()
    assert names(first["rules"]) == ["unique_id", "not_null_amount"]
    assert first["rules"][0]["severity"] == "error"


def test_what_changes_nothing_makes_no_version(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", UNIQUE, NOT_NULL)
    rules = f"/tables/{table_id}/rules"
    again = call("PUT", rules, json={"rules": [NOT_NULL, UNIQUE]})
    assert again.json()["rules_version"] == 1
    assert call("PATCH", f"{rules}/unique_id", json={"severity": "error"}).status_code == 200
    assert call("PUT", rules, json={"rules": [{**UNIQUE, "column": "no"}]}).status_code == 422
    assert call("DELETE", f"{rules}/nothing").status_code == 404
    assert len(versions(call, table_id)) == 1


def test_versions_are_compared_field_by_field(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", UNIQUE, NOT_NULL)
    warned = {**NOT_NULL, "severity": "warn", "where": [{"column": "id", "op": ">", "value": 1}]}
    more = {"type": "unique", "column": "customer_id"}
    call("PUT", f"/tables/{table_id}/rules", json={"rules": [warned, more]})
    found = difference(call, table_id, 1, 2)
    assert names(found["added"]) == ["unique_customer_id"]
    assert names(found["removed"]) == ["unique_id"]
    [changed] = found["changed"]
    assert changed["name"] == "not_null_amount"
    assert changed["fields"] == {
        "severity": {"before": "error", "after": "warn"},
        "where": {"before": [], "after": warned["where"]},
    }
    back = difference(call, table_id, 2, 1)
    assert names(back["added"]) == ["unique_id"]
    assert difference(call, table_id, 1, 1) == {"added": [], "removed": [], "changed": []}


def test_a_plan_says_what_would_change_and_changes_nothing(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", UNIQUE)
    rules = f"/tables/{table_id}/rules"
    plan = call("PUT", rules, json={"rules": [NOT_NULL]}, params={"plan": "true"})
    assert plan.status_code == 200, plan.text
    assert (names(plan.json()["added"]), names(plan.json()["removed"])) == (
        ["not_null_amount"],
        ["unique_id"],
    )
    same = call("PUT", rules, json={"rules": [UNIQUE]}, params={"plan": "true"})
    assert same.json() == {"added": [], "removed": [], "changed": []}
    wrong = {"rules": [{**UNIQUE, "column": "no"}]}
    problem(call("PUT", rules, json=wrong, params={"plan": "true"}), 422, "column_not_found")
    assert names(call("GET", rules).json()["items"]) == ["unique_id"]
    assert len(versions(call, table_id)) == 1


def test_a_version_is_restored_as_a_new_one(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", UNIQUE, NOT_NULL)
    call("PUT", f"/tables/{table_id}/rules", json={"rules": []})
    restore = f"/tables/{table_id}/versions/1/restore"
    answer = call("POST", restore, params={"author": "ana"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["rules_version"] == 3
    assert names(answer.json()["items"]) == ["unique_id", "not_null_amount"]
    newest, emptied, first = versions(call, table_id)
    assert (newest["author"], newest["reason"]) == ("ana", "version 1 restored")
    assert newest["hash"] == first["hash"] != emptied["hash"]
    assert call("POST", restore).json()["rules_version"] == 3  # nothing to restore
    problem(call("POST", f"/tables/{table_id}/versions/9/restore"), 404, "version_unknown")
    problem(call("GET", f"/tables/{table_id}/versions/9"), 404, "version_unknown")
    problem(call("GET", f"/tables/{table_id}/versions/99999999999"), 404, "version_unknown")


def test_a_version_that_no_longer_fits_its_table_is_not_restored(
    call: Call, table: Callable[..., int], postgres: EmbeddedPostgres
) -> None:
    with psycopg.connect(postgres.url("demo", "postgres"), autocommit=True) as owner:
        owner.execute("create table shop.changing (id integer, gone integer)")
        owner.execute("grant select on shop.changing to stringx_reader")
        table_id = table("shop.changing", {"type": "unique", "column": "gone"})
        call("PUT", f"/tables/{table_id}/rules", json={"rules": [UNIQUE]})
        owner.execute("alter table shop.changing drop column gone")
        answer = call("POST", f"/tables/{table_id}/versions/1/restore")
        owner.execute("drop table shop.changing")
    assert problem(answer, 422, "column_not_found")["errors"][0]["path"] == "rules[0].column"
    assert len(versions(call, table_id)) == 2


def test_changes_at_once_make_a_version_each(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders")
    path = f"/tables/{table_id}/rules"
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(
            lambda number: call("POST", path, json={**UNIQUE, "name": f"rule_{number}"}), range(6)
        )
    assert {answer.status_code for answer in answers} == {201}
    made = versions(call, table_id)
    assert [(one["number"], one["rules"]) for one in made] == [(n, n) for n in range(6, 0, -1)]


def test_versions_go_with_their_table(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", UNIQUE)
    assert call("DELETE", f"/tables/{table_id}").status_code == 204
    for path in ("versions", "versions/1", "versions/1/diff/1", "verdict-changes"):
        problem(call("GET", f"/tables/{table_id}/{path}"), 404, "table_not_configured")


def test_versions_are_paged(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders")
    for number in range(5):
        call("POST", f"/tables/{table_id}/rules", json={**UNIQUE, "name": f"rule_{number}"})
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = call("GET", f"/tables/{table_id}/versions", params=query).json()
        seen += [made["number"] for made in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]


def test_a_check_and_its_results_name_the_version_that_ran(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", UNIQUE)
    first = call("POST", "/checks", json={"table": "shop.orders"}).json()
    call("PATCH", f"/tables/{table_id}/rules/unique_id", json={"severity": "warn"})
    second = call("POST", "/checks", json={"table": "shop.orders"}).json()
    for found, number in ((first, 1), (second, 2)):
        assert (found["rules_version"], found["results"][0]["rules_version"]) == (number, number)
        assert found["results"][0]["rule_set_hash"] == found["rule_set_hash"]
    history = call("GET", "/results", params={"table": "shop.orders", "limit": 2}).json()["items"]
    assert [one["rules_version"] for one in history] == [2, 1]
    listed = call("GET", "/checks", params={"table": "shop.orders", "limit": 2}).json()["items"]
    assert [one["rules_version"] for one in listed] == [2, 1]


@pytest.mark.parametrize(
    "query", [{"author": "x" * 201}, {"reason": "x" * 401}, {"reason": "\x00"}, {"plan": "maybe"}]
)
def test_a_signature_that_cannot_be_kept_is_refused(
    call: Call, table: Callable[..., int], query: dict[str, str]
) -> None:
    table_id = table("shop.orders")
    answer = call("PUT", f"/tables/{table_id}/rules", json={"rules": [UNIQUE]}, params=query)
    assert problem(answer, 422, "invalid")["errors"][0]["path"] == next(iter(query))
    assert versions(call, table_id) == []
