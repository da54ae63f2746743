"""Configuration over HTTP: connections, tables, rules (S2, S3)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from tests.conftest import LiveApi

Call = Callable[..., requests.Response]
UNIQUE = {"type": "unique", "column": "id"}
NOT_NULL = {"type": "not_null", "column": "amount", "kind": "business", "tags": ["money"]}


def problem(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == code, document
    assert document["status"] == status
    return document


def test_rule_lives_from_creation_to_deletion(call: Call, table: Callable[..., int]) -> None:
    rules = f"/tables/{table('shop.orders')}/rules"
    created = call("POST", rules, json=NOT_NULL)
    assert created.status_code == 201
    assert created.json()["name"] == "not_null_amount"
    assert created.json()["dimension"] == "completeness"
    rule = created.headers["Location"].removeprefix("/api/v1")
    assert call("GET", rule).json() == created.json()
    changed = call("PATCH", rule, json={"severity": "warn", "is_active": False}).json()
    assert (changed["severity"], changed["is_active"]) == ("warn", False)
    assert changed["tags"] == ["money"]
    assert call("DELETE", rule).status_code == 204
    problem(call("GET", rule), 404, "rule_unknown")


def test_whole_set_is_replaced_by_json_and_by_yaml(call: Call, table: Callable[..., int]) -> None:
    rules = f"/tables/{table('shop.orders', UNIQUE, NOT_NULL)}/rules"
    before = {rule["name"]: rule["id"] for rule in call("GET", rules).json()["items"]}
    text = """
rules:
  - {type: unique, column: id}
  - type: accepted_range
    column: amount
    arguments: {min_value: 0}
    where: [{column: placed, op: ">=", value: 2026-01-01}]
"""
    answer = call("PUT", rules, data=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 200, answer.text
    after = {rule["name"]: rule["id"] for rule in answer.json()["items"]}
    assert list(after) == ["unique_id", "accepted_range_amount"]
    assert after["unique_id"] == before["unique_id"]


def test_wrong_set_changes_nothing(call: Call, table: Callable[..., int]) -> None:
    rules = f"/tables/{table('shop.orders', UNIQUE)}/rules"
    answer = call("PUT", rules, json={"rules": [NOT_NULL, {"type": "unique", "column": "nope"}]})
    found = problem(answer, 422, "column_not_found")
    assert found["errors"][0]["path"] == "rules[1].column"
    assert [rule["name"] for rule in call("GET", rules).json()["items"]] == ["unique_id"]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"type": "no_such", "column": "id"}, "type"),
        ({"type": "accepted_values", "column": "id"}, "arguments.values"),
        ({"type": "unique"}, ""),
        ({"type": "unique", "column": "id; drop table shop.orders"}, "column"),
        ({"type": "unique", "column": "id", "enabled": False}, "enabled"),
        ({"type": "match_regex", "column": "placed", "arguments": {"regex": "("}}, ""),
        (
            {
                "type": "relationships",
                "column": "customer_id",
                "arguments": {"to": "shop.nowhere", "field": "id"},
            },
            "arguments.to",
        ),
    ],
)
def test_wrong_rule_is_refused_with_its_field(
    call: Call, table: Callable[..., int], rule: dict[str, Any], path: str
) -> None:
    answer = call("POST", f"/tables/{table('shop.orders')}/rules", json=rule)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"].startswith(path)


def test_rule_that_the_database_rejects_is_refused_in_its_words(
    call: Call, table: Callable[..., int]
) -> None:
    rule = {"type": "accepted_range", "column": "id", "arguments": {"min_value": "x"}}
    answer = call("POST", f"/tables/{table('shop.orders')}/rules", json=rule)
    assert answer.status_code == 422, answer.text
    assert "invalid input syntax for type integer" in answer.json()["detail"]


def test_name_taken_is_a_conflict(call: Call, table: Callable[..., int]) -> None:
    rules = f"/tables/{table('shop.orders', UNIQUE)}/rules"
    problem(call("POST", rules, json=UNIQUE), 409, "name_taken")


def test_table_must_exist_on_a_known_connection(call: Call) -> None:
    problem(call("PUT", "/tables", json={"table": "shop.nowhere"}), 422, "table_not_found")
    body = {"connection": "elsewhere", "table": "shop.orders"}
    problem(call("PUT", "/tables", json=body), 404, "connection_unknown")
    problem(call("PUT", "/connections/other", json={"target": "none"}), 422, "target_unknown")


def test_connection_in_use_stays(call: Call, table: Callable[..., int]) -> None:
    table("shop.orders")
    problem(call("DELETE", "/connections/demo"), 409, "connection_in_use")


def test_lists_are_paged_without_loss(call: Call, table: Callable[..., int]) -> None:
    rules = [{**UNIQUE, "name": f"rule_{number}"} for number in range(7)]
    path = f"/tables/{table('shop.orders', *rules)}/rules"
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = call("GET", path, params={"limit": 3, "cursor": cursor}).json()
        seen += [rule["name"] for rule in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"rule_{number}" for number in range(7)]


def test_lists_are_filtered(call: Call, table: Callable[..., int]) -> None:
    path = f"/tables/{table('shop.orders', UNIQUE, NOT_NULL)}/rules"
    found = call("GET", path, params={"kind": "business"}).json()["items"]
    assert [rule["name"] for rule in found] == ["not_null_amount"]
    assert call("GET", path, params={"is_active": "false"}).json()["items"] == []


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "501"}, {"limit": "abc"}, {"page": "2"}, {"cursor": "x"}]
)
def test_wrong_query_is_refused(call: Call, query: dict[str, str]) -> None:
    assert call("GET", "/tables", params=query).status_code == 422


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "body_empty"),
        (b'{"table": ', "application/json", 400, "json_invalid"),
        (b"[]", "application/json", 400, "json_not_object"),
        (b"null", "application/json", 400, "json_not_object"),
        (b"\xff", "application/json", 400, "encoding"),
        (b"[" * 100_000, "application/json", 400, "json_too_deep"),
        (b'{"table": NaN}', "application/json", 400, "json_number"),
        (b'{"table": "a", "table": "b"}', "application/json", 400, "json_duplicate_key"),
        (b'{"table": "a.b"}', "text/plain", 415, "content_type"),
        (b'{"table": "' + b"x" * 2_000_000 + b'"}', "application/json", 413, "body_too_large"),
        (b'{"tabel": "a.b"}', "application/json", 422, "invalid"),
        (b'{"table": 7}', "application/json", 422, "invalid"),
        (b'{"table": "a\\u0000b"}', "application/json", 422, "invalid"),
        (b'{"table": "\\ud800"}', "application/json", 422, "invalid"),
    ],
)
def test_bad_body_is_refused_with_its_code(
    call: Call, body: bytes, kind: str, status: int, code: str
) -> None:
    for method, path in (("PUT", "/tables"), ("POST", "/checks")):
        problem(call(method, path, data=body, headers={"Content-Type": kind}), status, code)


@pytest.mark.parametrize(
    "bomb", ["a: &a [1]\nb: *a", "rules: !!python/object:os.system {}", "a: 1\na: 2"]
)
def test_yaml_is_plain_data(call: Call, table: Callable[..., int], bomb: str) -> None:
    answer = call(
        "PUT",
        f"/tables/{table('shop.orders')}/rules",
        data=bomb,
        headers={"Content-Type": "application/yaml"},
    )
    problem(answer, 400, "yaml_invalid")


@pytest.mark.parametrize(
    "value", [".inf", ".nan", "!!binary aGVsbG8=", "!!set {a, b}", "0x" + "f" * 9000]
)
def test_yaml_that_json_cannot_say_is_refused(
    call: Call, table: Callable[..., int], value: str
) -> None:
    text = f"rules: [{{type: accepted_range, column: id, arguments: {{min_value: {value}}}}}]"
    path = f"/tables/{table('shop.orders')}/rules"
    answer = call("PUT", path, data=text, headers={"Content-Type": "application/yaml"})
    problem(answer, 400, "yaml_invalid")


def test_operator_in_yaml_needs_no_quotes(call: Call, table: Callable[..., int]) -> None:
    text = "rules: [{type: unique, column: id, where: [{column: id, op: =, value: 1}]}]"
    path = f"/tables/{table('shop.orders')}/rules"
    answer = call("PUT", path, data=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 200, answer.text


def test_changes_of_one_rule_at_once_are_all_kept(call: Call, table: Callable[..., int]) -> None:
    path = f"/tables/{table('shop.orders', UNIQUE)}/rules/unique_id"
    changes = [{"owner": "me"}, {"description": "why"}, {"tags": ["x"]}, {"severity": "warn"}]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda change: call("PATCH", path, json=change), changes))
    assert [answer.status_code for answer in answers] == [200] * 4
    found = call("GET", path).json()
    assert {field: found[field] for change in changes for field in change} == {
        field: value for change in changes for field, value in change.items()
    }


def test_unannounced_body_is_refused_not_cut(call: Call) -> None:
    answer = call(
        "PUT",
        "/tables",
        data=iter([b'{"table":', b'"a.b"}']),
        headers={"Content-Type": "application/json"},
    )
    problem(answer, 411, "length_required")


def test_rule_types_say_what_they_take(call: Call) -> None:
    types = {entry["name"]: entry for entry in call("GET", "/rule-types").json()["items"]}
    assert {"not_null", "unique", "accepted_values", "relationships"} <= types.keys()
    assert len(types) >= 14
    assert "values" in types["accepted_values"]["arguments"]["properties"]


def test_wrong_method_and_unknown_path_are_problems(call: Call) -> None:
    answer = call("DELETE", "/tables")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    problem(call("GET", "/nothing"), 404, "not_found")
    problem(call("GET", "/tables/9223372036854775808"), 404, "table_not_configured")


def test_rule_that_this_version_does_not_understand_is_named_and_can_be_changed(
    call: Call, table: Callable[..., int], live_api: LiveApi
) -> None:
    table_id = table("shop.orders", UNIQUE, NOT_NULL)
    with psycopg.connect(live_api.environment["STRINGX_DATABASE_URL"]) as connection:
        connection.execute(  # as an older version may have taken it
            'update rule set definition = definition || \'{"warn_if": "more than 5"}\''
            " where table_id = %s and name = 'unique_id'",
            [table_id],
        )
    asked = {"connection": "demo", "table": "shop.orders", "mode": "sync"}
    found = problem(call("POST", "/checks", json=asked), 422, "rule_not_understood")
    assert 'rule "unique_id", as it is stored, is not valid: warn_if: ' in found["detail"]
    shown = call("GET", f"/tables/{table_id}/rules").json()["items"]
    assert shown[0]["warn_if"] == "more than 5"
    others = {**asked, "select": {"rules": ["not_null_amount"]}}
    assert call("POST", "/checks", json=others).status_code == 200
    path = f"/tables/{table_id}/rules/unique_id"
    problem(call("PATCH", path, json={"severity": "warn"}), 422, "invalid")
    off = call("PATCH", path, json={"is_active": False})
    assert (off.status_code, off.json()["is_active"]) == (200, False)
    assert call("POST", "/checks", json=asked).status_code == 200
    assert call("PATCH", path, json={"warn_if": "> 5", "is_active": True}).status_code == 200
    assert call("POST", "/checks", json=asked).status_code == 200
