"""What was run before its claim: stored with it where it is what the claim asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests

from api.routes.work import FRESH_S
from embedded.postgres import EmbeddedPostgres
from quality.checks import OUT_OF_TIME
from quality.identity import new_id

Call = Callable[..., requests.Response]
Register = Callable[..., int]

WAITING = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"

RULE = {"name": "id_known", "type": "not_null", "column": "id"}


def request(**more: Any) -> dict[str, Any]:
    return {"id": new_id(), "request": {"table": "shop.orders", **more}}


def claim(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request, claimed by a worker that knows no rules."""
    answer = call("POST", "/claims", json={"worker": "test", "requests": [item]})
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["claims"]
    return dict(found)


def shown(call: Call, check_id: str) -> dict[str, Any]:
    return dict(call("GET", f"/checks/{check_id}").json())


@pytest.fixture
def rules(call: Call, table: Register) -> str:
    """The hash of the rules that a claim of the table names."""
    table("shop.orders", RULE)
    item = request()
    found = claim(call, item)
    reference = {"id": item["id"], "fence": found["fence"]}
    call("POST", "/claims/release", json={"claims": [reference]})
    return str(found["rule_set_hash"])


def ahead(rules: str, *, rule: str = "id_known", **more: Any) -> dict[str, Any]:
    """A check that failed by these rules, as a worker posts it."""
    of_all = {"type": "not_null", "dimension": "completeness", "kind": "business"}
    counted = {"status": "fail", "failures": 3, "failing_rows": 3, "rows_tested": 9}
    return {
        "outcome": {
            "rule_set_hash": rules,
            "started_at": "2026-01-01T00:00:00Z",
            "finished_at": "2026-01-01T00:00:01Z",
            "duration_ms": 1000.0,
            "results": [{"rule": rule, "severity": "error", **of_all, **counted}],
        },
        **more,
    }


def test_it_is_stored_with_the_claim(call: Call, rules: str) -> None:
    item = request()
    assert claim(call, {**item, "ahead": ahead(rules)}) == {"id": item["id"], "outcome": "stored"}
    check = shown(call, item["id"])
    assert (check["state"], check["status"], check["source"]) == ("finished", "fail", "kafka")
    assert (check["attempts"], check["duration_ms"], check["failing_rows"]) == (1, 1000.0, 3)
    assert [(one["rule"], one["failures"]) for one in check["results"]] == [("id_known", 3)]
    gate = call("GET", "/gate/shop.orders").json()
    assert (gate["check_id"], gate["verdict"]) == (item["id"], "fail")


def test_once(call: Call, rules: str) -> None:
    item = request()
    given = {**item, "ahead": ahead(rules)}
    answers = [claim(call, given) for _ in range(2)]
    assert [answer["outcome"] for answer in answers] == ["stored", "done"]
    assert len(shown(call, item["id"])["results"]) == 1


def test_in_a_batch_each_for_itself(call: Call, rules: str) -> None:
    items = [
        {**request(), "ahead": ahead(rules)},
        request(),
        {**request(), "ahead": ahead("0" * 64)},
    ]
    items.append(items[0])
    answer = call("POST", "/claims", json={"worker": "test", "requests": items}).json()["claims"]
    assert [one["outcome"] for one in answer] == ["stored", "claimed", "claimed", "busy"]
    assert [one["id"] for one in answer] == [item["id"] for item in items]


@pytest.mark.parametrize(
    "asked, budget",
    [
        pytest.param({}, {"rows": 5}, id="budget"),
        pytest.param({"budget": {"rows": 5}}, {}, id="no budget"),
        pytest.param(
            {"scope": [{"column": "placed", "op": ">=", "value": "now-1d"}]}, {}, id="relative time"
        ),
    ],
)
def test_what_was_limited_otherwise_is_claimed(
    call: Call, rules: str, asked: dict[str, Any], budget: dict[str, Any]
) -> None:
    item = request(**asked)
    found = claim(call, {**item, "ahead": ahead(rules, budget=budget)})
    assert (found["outcome"], found["fence"]) == ("claimed", 1)
    assert shown(call, item["id"])["state"] == "running"


def test_what_was_limited_in_the_same_way_is_stored(call: Call, rules: str) -> None:
    scope = [{"column": "placed", "op": ">=", "value": "2026-01-01"}]
    item = request(budget={"rows": 5}, scope=scope, deadline_ms=60_000)
    found = claim(call, {**item, "ahead": ahead(rules, budget={"rows": 5})})
    assert found["outcome"] == "stored"


def test_rules_that_changed_since_are_claimed(call: Call, rules: str, table: Register) -> None:
    table("shop.orders", RULE, {"type": "unique", "column": "id"})
    item = request()
    found = claim(call, {**item, "ahead": ahead(rules)})
    assert found["outcome"] == "claimed"
    assert found["rule_set_hash"] != rules
    assert shown(call, item["id"])["state"] == "running"


def test_what_another_worker_has_is_its(call: Call, rules: str) -> None:
    item = request()
    assert claim(call, item)["outcome"] == "claimed"
    assert claim(call, {**item, "ahead": ahead(rules)})["outcome"] == "busy"
    assert shown(call, item["id"])["state"] == "running"


def test_an_id_of_another_request_is_refused(call: Call, rules: str) -> None:
    item = request()
    claim(call, item)
    scope = [{"column": "id", "op": "=", "value": 1}]
    other = {"id": item["id"], "request": {"table": "shop.orders", "scope": scope}}
    found = claim(call, {**other, "ahead": ahead(rules)})
    assert (found["outcome"], found["code"]) == ("rejected", "idempotency_key_reused")


def test_a_fault_in_it_is_named_and_nothing_is_claimed(call: Call, rules: str) -> None:
    item = request()
    given = {**item, "ahead": {**ahead(rules), "outcome": {"rule_set_hash": "x"}}}
    answer = call("POST", "/claims", json={"worker": "test", "requests": [given]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"].startswith("requests[0].ahead.outcome")
    assert call("GET", f"/checks/{item['id']}").status_code == 404


@pytest.fixture
def refusing(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A rule whose results the store does not take."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            """
            create function refuse() returns trigger language plpgsql
                as $$ begin raise 'made to fail'; end $$;
            create trigger refusing before insert on rule_result for each row
                when (new.rule = 'refused') execute function refuse()
            """
        )
        yield "refused"
        connection.execute("drop trigger refusing on rule_result; drop function refuse()")


def test_what_cannot_be_stored_is_claimed(call: Call, rules: str, refusing: str) -> None:
    item = request()
    found = claim(call, {**item, "ahead": ahead(rules, rule=refusing)})
    assert (found["outcome"], found["fence"]) == ("claimed", 1)
    posted = {"id": item["id"], "fence": 1, "outcome": ahead(rules)["outcome"]}
    answer = call("POST", "/outcomes", json={"outcomes": [posted]}).json()
    assert answer["outcomes"] == [{"id": item["id"], "result": "stored"}]


def test_what_waited_for_long_is_claimed(
    call: Call, rules: str, postgres: EmbeddedPostgres
) -> None:
    item = request()
    answers: list[dict[str, Any]] = []
    given = {**item, "ahead": ahead(rules)}
    asking = threading.Thread(target=lambda: answers.append(claim(call, given)))
    with (
        psycopg.connect(postgres.url()) as holder,
        psycopg.connect(postgres.url(), autocommit=True) as other,
    ):
        holder.execute("select from monitored_table for update")
        asking.start()
        until = time.monotonic() + 30
        while not other.execute(WAITING).fetchone():
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(FRESH_S + 0.1)
        holder.rollback()
    asking.join(30)
    assert [answer["outcome"] for answer in answers] == ["claimed"]


@pytest.mark.parametrize("left", ["error", "an error", "late"])
def test_a_check_that_was_kept_from_its_verdict_is_claimed(
    call: Call, rules: str, left: str
) -> None:
    run = ahead(rules)
    if left == "error":
        run["outcome"] |= {"error_code": "target_unreachable", "error": "away", "results": []}
    elif left == "an error":
        run["outcome"]["results"][0] |= {"status": "error", "message": "timeout"}
    else:
        late = {"status": "skipped", "message": f"{OUT_OF_TIME}: the time was over"}
        run["outcome"]["results"][0] |= late
    item = request()
    assert claim(call, {**item, "ahead": run})["outcome"] == "claimed"
