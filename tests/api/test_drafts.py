"""Rules tried before they are stored, and rules that gate nothing: dry runs, shadows, SQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import requests

from api.drafts import Drafts
from embedded.postgres import EmbeddedPostgres
from quality.errors import Unavailable
from quality.settings import ApiSettings
from tests.api.stores import NoEngine, Store
from tests.api.test_configuration import NOT_NULL, UNIQUE, problem
from tests.api.test_operation import samples
from tests.conftest import LiveApi, start_api

Call = Callable[..., requests.Response]
CUSTOM = {"type": "failed_rows_sql", "arguments": {"query": "select * from checked where id = 2"}}


def dry_run(call: Call, table_id: int, **body: Any) -> dict[str, Any]:
    answer = call("POST", f"/tables/{table_id}/dry-run", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def statuses(found: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {one["rule"]: (one["status"], one["failures"]) for one in found["results"]}


def test_rules_are_tried_without_a_trace(
    call: Call, table: Callable[..., int], live_api: LiveApi
) -> None:
    table_id = table("shop.orders", UNIQUE)
    before = samples(live_api)
    checks = call("GET", "/checks", params={"table": "shop.orders"}).json()
    found = dry_run(call, table_id, rules=[NOT_NULL, {**UNIQUE, "severity": "warn"}])
    assert (found["status"], found["counts"]) == ("fail", {"fail": 1, "warn": 1})
    assert statuses(found) == {"not_null_amount": ("fail", 1), "unique_id": ("warn", 1)}
    assert call("GET", "/checks", params={"table": "shop.orders"}).json() == checks
    assert [rule["name"] for rule in call("GET", f"/tables/{table_id}/rules").json()["items"]] == [
        "unique_id"
    ]
    after = samples(live_api)
    counted = ("stringx_checks", "stringx_rule_results", "stringx_table")
    assert {key: value for key, value in after.items() if key.startswith(counted)} == {
        key: value for key, value in before.items() if key.startswith(counted)
    }


def test_the_tables_own_rules_are_tried_on_some_rows(call: Call, table: Callable[..., int]) -> None:
    later = {**NOT_NULL, "name": "later", "valid_from": "2999-01-01T00:00:00Z"}
    table_id = table("shop.orders", UNIQUE, {**NOT_NULL, "is_active": False}, later)
    assert statuses(dry_run(call, table_id)) == {"unique_id": ("fail", 1)}
    scope = [{"column": "placed", "op": "<", "value": "2026-01-03"}]
    found = dry_run(call, table_id, scope=scope)
    assert statuses(found) == {"unique_id": ("pass", 0)}
    assert found["scope"] == scope
    [resolved] = dry_run(
        call, table_id, scope=[{"column": "placed", "op": ">=", "value": "today-7d"}]
    )["scope"]
    assert "date" in resolved["value"]


def test_nothing_to_try_is_no_pass(call: Call, table: Callable[..., int]) -> None:
    assert dry_run(call, table("shop.orders"))["status"] == "no_rules"


def test_only_the_estimate_reads_no_table(call: Call, table: Callable[..., int]) -> None:
    table_id = table("shop.orders", UNIQUE)
    found = dry_run(call, table_id, estimate_only=True)
    assert (found["status"], found["results"]) == (None, [])
    assert found["estimate"]["cost"] > 0
    assert dry_run(call, table_id)["estimate"] == found["estimate"]
    scope = [{"column": "no", "op": "=", "value": 1}]
    body = {"estimate_only": True, "scope": scope}
    problem(call("POST", f"/tables/{table_id}/dry-run", json=body), 422, "scope_column_not_found")


def test_suggested_rules_hold_on_the_table_that_they_were_made_for(
    call: Call, table: Callable[..., int], postgres: EmbeddedPostgres
) -> None:
    with psycopg.connect(postgres.url("demo", "postgres"), autocommit=True) as owner:
        owner.execute(
            "create table shop.suggested as select n as id, (array['a', 'b'])[n % 2 + 1] as kind"
            " from generate_series(1, 200) n"
        )
        owner.execute("alter table shop.suggested add primary key (id)")
        owner.execute("grant select on shop.suggested to stringx_reader")
        owner.execute("analyze shop.suggested")
        table_id = table("shop.suggested")
        answer = call("POST", f"/tables/{table_id}/suggest", json={})
        assert answer.status_code == 200, answer.text
        suggested = answer.json()["rules"]
        assert all(one["because"] for one in suggested)
        assert {("unique", "id"), ("accepted_values", "kind")} <= {
            (one["type"], one["column"]) for one in suggested
        }
        rules = [{k: v for k, v in one.items() if k != "because"} for one in suggested]
        assert call("GET", f"/tables/{table_id}").json()["rules"] == 0
        tried = dry_run(call, table_id, rules=rules)
        owner.execute("drop table shop.suggested")
    assert (tried["status"], len(tried["results"])) == ("pass", len(rules))


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"rules": [UNIQUE, {**UNIQUE, "name": "b", "column": "no"}]}, "rules[1].column", None),
        ({"rules": [UNIQUE, UNIQUE]}, "rules", "invalid"),
        ({"rules": [{"type": "unknown"}]}, "rules[0].type", "invalid"),
        (
            {"rules": [UNIQUE], "scope": [{"column": "no", "op": "=", "value": 1}]},
            "scope",
            "scope_column_not_found",
        ),
        (
            {"rules": [UNIQUE], "scope": [{"column": "placed", "op": ">", "value": "now-1y"}]},
            "scope[0].value",
            "invalid",
        ),
    ],
)
def test_a_draft_that_cannot_be_tried_is_refused(
    call: Call, table: Callable[..., int], body: dict[str, Any], path: str, code: str | None
) -> None:
    answer = call("POST", f"/tables/{table('shop.orders')}/dry-run", json=body)
    found = problem(answer, 422, code or "column_not_found")
    assert found["errors"][0]["path"].startswith(path)


def test_dry_runs_take_the_slots_of_synchronous_checks(store: Store) -> None:
    settings = ApiSettings(database_url="postgresql://h/d", sync_wait_s=0.05)
    drafts = Drafts(store.database, NoEngine(), settings, threading.BoundedSemaphore(1))
    with drafts.slots, pytest.raises(Unavailable) as refused:
        drafts.try_out(store.ids["shop.a"], None, (), estimate_only=False)
    assert refused.value.code == "engine_busy"


def test_a_shadow_rule_is_judged_and_gates_nothing(
    call: Call, table: Callable[..., int], live_api: LiveApi
) -> None:
    shadow = {**UNIQUE, "is_shadow": True}
    table_id = table("shop.orders", {"type": "not_null", "column": "id"}, shadow)
    before = samples(live_api)
    found = call("POST", "/checks", json={"table": "shop.orders"}).json()
    assert (found["status"], found["counts"], found["score"]) == ("pass", {"pass": 1}, 1.0)
    assert found["failing_rows"] == 0
    assert statuses(found) == {"not_null_id": ("pass", 0), "unique_id": ("fail", 1)}
    assert call("GET", f"/tables/{table_id}").json()["last_status"] == "pass"
    query = {"table": "shop.orders", "check_id": found["id"]}
    for wanted, rules in (("true", ["unique_id"]), ("false", ["not_null_id"])):
        listed = call("GET", "/results", params={**query, "shadow": wanted}).json()["items"]
        assert [one["rule"] for one in listed] == rules
    assert [
        rule["name"]
        for rule in call("GET", f"/tables/{table_id}/rules", params={"is_shadow": "true"}).json()[
            "items"
        ]
    ] == ["unique_id"]
    labels = '{dimension="uniqueness",severity="error",status="fail"}'
    after = samples(live_api)
    for series, more in (("shadow", 1), ("rule", 0)):
        name = f"stringx_{series}_results_total{labels}"
        assert after.get(name, 0) - before.get(name, 0) == more
    score = 'connection="demo",dimension="uniqueness",table="shop.orders"'
    assert f"stringx_table_score_ratio{{{score}}}" not in after


def test_sql_of_the_author_needs_the_operators_permission(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders", UNIQUE)
    rules = f"/tables/{table_id}/rules"
    for answer in (
        call("POST", rules, json=CUSTOM),
        call("PUT", rules, json={"rules": [CUSTOM]}),
        call("PUT", rules, json={"rules": [CUSTOM]}, params={"plan": "true"}),
        call("PATCH", f"{rules}/unique_id", json={**CUSTOM, "column": None}),
        call("POST", f"/tables/{table_id}/dry-run", json={"rules": [CUSTOM]}),
    ):
        found = problem(answer, 403, "custom_sql_forbidden")
        assert "STRINGX_CUSTOM_SQL" in found["detail"]


def test_permitted_sql_runs_until_the_permission_is_withdrawn(
    live_api: LiveApi,
    call: Call,
    table: Callable[..., int],
    tmp_path: Any,
    postgres: EmbeddedPostgres,
) -> None:
    table_id = table("shop.orders")
    environment = {**live_api.environment, "STRINGX_CUSTOM_SQL": "true"}
    del environment["STRINGX_API_PORT"]
    permitting = start_api(environment, tmp_path)
    stored = requests.put(
        permitting.api(f"/tables/{table_id}/rules"), json={"rules": [CUSTOM]}, timeout=60
    )
    assert stored.status_code == 200, stored.text
    found = requests.post(
        permitting.api("/checks"), json={"table": "shop.orders"}, timeout=60
    ).json()
    assert permitting.stop() == 0
    assert [(one["status"], one["failures"]) for one in found["results"]] == [("fail", 2)]
    withdrawn = call("POST", "/checks", json={"table": "shop.orders"}).json()
    assert (withdrawn["status"], withdrawn["error_code"]) == ("error", "custom_sql_forbidden")
    restore = call("POST", f"/tables/{table_id}/versions/1/restore")
    problem(restore, 403, "custom_sql_forbidden")


def test_samples_and_groups_come_with_a_check(
    call: Call, table: Callable[..., int], postgres: EmbeddedPostgres
) -> None:
    sampled = {**NOT_NULL, "sample_limit": 5, "sample_columns": ["id"], "mask": ["customer_id"]}
    grouped = {**UNIQUE, "name": "by_customer", "group_by": ["customer_id"]}
    table("shop.orders", sampled, grouped)
    found = call("POST", "/checks", json={"table": "shop.orders"}).json()
    by_rule = {one["rule"]: one for one in found["results"]}
    assert "sample" not in by_rule["not_null_amount"]
    [sample] = call("GET", f"/checks/{found['id']}/samples").json()["items"]
    assert (sample["rule"], sample["rows"], sample["is_capped"]) == (
        "not_null_amount",
        [["3"]],
        False,
    )
    with psycopg.connect(postgres.url("demo", "postgres")) as reader:
        again = reader.execute(sample["sql"]).fetchall()
    assert [[str(value) for value in row] for row in again] == sample["rows"]
    assert {one["group"]["customer_id"] for one in by_rule["by_customer"]["groups"]} == {
        "1",
        "2",
        "9",
    }
    problem(call("GET", "/checks/no-such-check/samples"), 404, "check_unknown")
    problem(call("GET", "/checks/x/samples"), 404, "check_unknown")
