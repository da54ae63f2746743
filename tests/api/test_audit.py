"""The audit trail: what every change and every trigger leaves behind, for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from tests.api.conftest import TOKEN
from tests.api.test_access import ask, create
from tests.conftest import LiveApi


@pytest.fixture
def trail(guarded: LiveApi, http: requests.Session) -> Callable[..., list[dict[str, Any]]]:
    """The newest events that fit the filters."""

    def read(**filters: str) -> list[dict[str, Any]]:
        answer = ask(guarded, TOKEN, "GET", "/api/v1/audit", params=filters)
        assert answer.ok, answer.text
        return list(answer.json()["items"])

    return read


def test_a_table_and_its_rules_leave_who_what_and_when(
    guarded: LiveApi, trail: Callable[..., list[dict[str, Any]]]
) -> None:
    ann = create(guarded, "write_rules", "trigger", holder="ann")

    def send(method: str, path: str, **options: Any) -> requests.Response:
        headers = {"X-Request-Id": "audited-by-ann"}
        answer = ask(guarded, ann["token"], method, f"/api/v1{path}", headers=headers, **options)
        assert answer.ok, answer.text
        assert answer.headers["X-Request-Id"] == "audited-by-ann"
        return answer

    table = send("PUT", "/tables", json={"table": "shop.orders", "owner": "ops"}).json()["id"]
    send("PATCH", f"/tables/{table}", json={"description": "all of them"})
    rules = f"/tables/{table}/rules"
    send("POST", f"{rules}?reason=audit", json={"type": "not_null", "column": "id"})
    send("PATCH", f"{rules}/not_null_id", json={"severity": "warn"})
    send("PUT", rules, json={"rules": [{"type": "unique", "column": "id"}]})
    send("PUT", rules, json={"rules": [{"type": "unique", "column": "id"}]})  # changes nothing
    send("POST", f"/tables/{table}/versions/1/restore")
    send("DELETE", f"{rules}/not_null_id")
    check = send("POST", "/checks", json={"table": "shop.orders"}).json()["id"]
    send("DELETE", f"/tables/{table}")

    events = trail(subject=f"table {table}", actor="ann")
    assert [event["action"] for event in events] == [
        "table.deleted",
        *["rule_set.changed"] * 5,
        "table.changed",
        "table.changed",
    ]
    for event in events:
        assert event["token_id"] == ann["id"]
        assert event["request_id"] == "audited-by-ann"
        assert event["remote_address"] == "127.0.0.1"
    deleted, removed, restored, replaced, changed, added, described, made = (
        event["detail"] for event in events
    )
    assert made["before"] is None
    assert made["after"]["owner"] == "ops"
    assert (described["before"]["description"], described["after"]["description"]) == (
        "",
        "all of them",
    )
    assert [rule["name"] for rule in added["added"]] == ["not_null_id"]
    assert added["reason"] == "audit"
    assert changed["changed"] == [
        {"name": "not_null_id", "fields": {"severity": {"before": "error", "after": "warn"}}}
    ]
    assert [rule["name"] for rule in replaced["removed"]] == ["not_null_id"]
    assert [rule["name"] for rule in restored["added"]] == ["not_null_id"]
    assert [rule["name"] for rule in removed["removed"]] == ["not_null_id"]
    assert deleted["before"]["owner"] == "ops"
    [triggered] = trail(subject=f"check {check}")
    assert (triggered["actor"], triggered["action"]) == ("ann", "check.triggered")
    assert triggered["detail"] == {"table": "demo/shop.orders", "mode": "sync"}


def test_the_author_of_a_version_is_the_holder_of_the_token(
    guarded: LiveApi, http: requests.Session
) -> None:
    token = create(guarded, "write_rules", holder="bea")["token"]
    table = ask(guarded, token, "PUT", "/api/v1/tables", json={"table": "shop.orders"}).json()["id"]
    path = f"/api/v1/tables/{table}"
    ask(guarded, token, "POST", f"{path}/rules", json={"type": "not_null", "column": "id"})
    [newest, *_] = ask(guarded, token, "GET", f"{path}/versions").json()["items"]
    assert newest["author"] == "bea"
    ask(guarded, token, "DELETE", path)


def test_a_trigger_by_kafka_is_recorded_once_and_says_who_asked(
    guarded: LiveApi, trail: Callable[..., list[dict[str, Any]]]
) -> None:
    token = create(guarded, "trigger", "write_rules", holder="cleo")["token"]
    table = ask(guarded, token, "PUT", "/api/v1/tables", json={"table": "shop.clean"}).json()["id"]
    body = {"id": "audited-async-1", "table": "shop.clean", "mode": "async"}
    for _ in range(2):  # the second finds the first
        answer = ask(guarded, token, "POST", "/api/v1/checks", json=body)
        assert answer.status_code == 202, answer.text
    assert answer.json()["request"]["requested_by"] == "cleo"
    [event] = trail(subject="check audited-async-1")
    assert event["detail"] == {"table": "demo/shop.clean", "mode": "async"}
    ask(guarded, token, "DELETE", f"/api/v1/tables/{table}")


def test_what_is_refused_leaves_nothing(
    guarded: LiveApi, trail: Callable[..., list[dict[str, Any]]]
) -> None:
    token = create(guarded, "admin", holder="dora")["token"]
    for path, body in (
        ("/connections/other", {"target": "nowhere"}),
        ("/tables", {"table": "shop.nothing"}),
    ):
        assert ask(guarded, token, "PUT", f"/api/v1{path}", json=body).status_code == 422
    assert ask(guarded, token, "DELETE", "/api/v1/connections/nothing").status_code == 404
    assert trail(actor="dora") == []


def test_connections_and_tokens_are_in_it(
    guarded: LiveApi, trail: Callable[..., list[dict[str, Any]]]
) -> None:
    path = "/api/v1/connections/audited"
    for target in ("first", "second"):
        body = {"target": "demo", "description": target}
        assert ask(guarded, TOKEN, "PUT", path, json=body).ok
    ask(guarded, TOKEN, "DELETE", path)
    deleted, changed, made = trail(subject="connection audited")[:3]
    assert made["detail"]["before"] is None
    assert changed["detail"]["before"]["description"] == "first"
    assert changed["detail"]["after"]["description"] == "second"
    assert (deleted["action"], deleted["actor"]) == ("connection.deleted", "operator")
    token = create(guarded, "read")
    ask(guarded, TOKEN, "DELETE", f"/api/v1/tokens/{token['id']}")
    actions = [event["action"] for event in trail(subject=f"token {token['id']}")]
    assert actions == ["token.revoked", "token.created"]


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_event set actor = 'nobody'",
        "delete from audit_event",
        "truncate audit_event",
        "delete from audit_event where id = 1",
    ],
)
def test_one_can_only_add_to_it(
    guarded: LiveApi, postgres: EmbeddedPostgres, statement: str
) -> None:
    with (
        psycopg.connect(postgres.url()) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"),
    ):
        connection.execute(statement)


def test_it_is_paged_and_filtered(
    guarded: LiveApi, trail: Callable[..., list[dict[str, Any]]]
) -> None:
    made = [create(guarded, "read", holder="eve")["id"] for _ in range(3)]
    seen, cursor = [], None
    while True:
        params = {"action": "token.created", "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = ask(guarded, TOKEN, "GET", "/api/v1/audit", params=params).json()
        seen += [event["subject"] for event in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen[:3] == [f"token {token_id}" for token_id in reversed(made)]
    assert len(seen) == len(set(seen))
    newest = trail(action="token.created", limit="1")[0]
    assert trail(since=newest["at"], action="token.created") == [newest]
    assert newest not in trail(until=newest["at"])
    assert trail(actor="nobody-at-all") == []
