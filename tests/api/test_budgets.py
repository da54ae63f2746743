"""Budgets of connections hold for every check on them; who asks can only ask for less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from api.store import connections
from quality.budgets import Budget
from quality.checks import CheckRequest
from tests.api.stores import Store, asks

Send = Callable[..., requests.Response]
NAME = "budgeted"
RULES = [{"type": "not_null", "column": "id"}, {"type": "not_null", "column": "placed"}]


@pytest.fixture
def table(call: Send) -> Iterator[int]:
    assert call("PUT", f"/connections/{NAME}", json={"target": "demo"}).ok
    body = {"connection": NAME, "table": "shop.orders"}
    table_id = int(call("PUT", "/tables", json=body).json()["id"])
    assert call("PUT", f"/tables/{table_id}/rules", json={"rules": RULES}).ok
    yield table_id
    call("DELETE", f"/tables/{table_id}")
    call("DELETE", f"/connections/{NAME}")


@pytest.fixture
def check(call: Send, table: int) -> Callable[..., dict[str, Any]]:
    def ask(**budget: Any) -> dict[str, Any]:
        body = {"connection": NAME, "table": "shop.orders", "budget": budget}
        answer = call("POST", "/checks", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return ask


def test_that_of_a_connection_holds_for_whoever_asks(
    call: Send, table: int, check: Callable[..., dict[str, Any]]
) -> None:
    assert check()["status"] == "pass"
    budget = {"rows": 1, "seconds": 20.0, "queries": 2}
    body = {"target": "demo", "budget": budget}
    answer = call("PUT", f"/connections/{NAME}", json=body)
    assert (answer.status_code, answer.json()["budget"]) == (200, budget)
    assert call("GET", f"/connections/{NAME}").json()["budget"] == budget
    for asked in ({}, {"rows": 1_000_000}):
        found = check(**asked)
        assert found["status"] == "error"
        for result in found["results"]:
            assert result["status"] == "skipped"
            assert result["message"].startswith("over budget: ")
    tried = call("POST", f"/tables/{table}/dry-run", json={}).json()
    assert {result["status"] for result in tried["results"]} == {"skipped"}
    assert call("PUT", f"/connections/{NAME}", json={"target": "demo"}).json()["budget"] is None
    assert check()["status"] == "pass"


def test_a_request_can_ask_for_less(check: Callable[..., dict[str, Any]]) -> None:
    found = check(rows=1)
    assert found["status"] == "error"
    assert found["request"]["budget"] == {"rows": 1}
    assert check(rows=1_000_000, queries=1)["status"] == "pass"


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"seconds": -1}, {"queries": 65}, {"rows": "many"}, {"row": 1}, 5]
)
def test_what_is_no_budget_is_refused(call: Send, table: int, wrong: Any) -> None:
    for method, path, body in (
        ("PUT", f"/connections/{NAME}", {"target": "demo"}),
        ("POST", "/checks", {"connection": NAME, "table": "shop.orders"}),
    ):
        answer = call(method, path, json={**body, "budget": wrong})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["path"].startswith("budget")


def test_workers_are_told_and_a_new_one_holds_at_once(store: Store) -> None:
    def budgets(*ids: str) -> list[Budget]:
        asked = CheckRequest(table="shop.a", budget=Budget(rows=10)).budget
        return [claim.budget for claim in store.claim(*(asks(one, budget=asked) for one in ids))]

    assert budgets("request-1", "request-2") == [Budget(rows=10)] * 2
    with store.database.begin() as db:
        connections.put(db, "demo", "demo", "", Budget(rows=5, queries=1))
    assert budgets("request-3") == [Budget(rows=5, queries=1)]
    assert budgets("request-4") == [Budget(rows=5, queries=1)]
    assert store.statements(lambda: budgets("request-5")) == 1  # as without one
    with store.database.begin() as db:
        connections.put(db, "demo", "demo", "")
    assert budgets("request-6") == [Budget(rows=10)]
