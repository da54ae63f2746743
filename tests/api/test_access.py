"""Who may do what: tokens, scopes, tables, expiry, revocation, the first token."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from api.operations import Operation
from api.routes import GROUPS
from embedded.postgres import EmbeddedPostgres
from quality.access import SCOPES, Token, grants, is_for_table
from tests.api.conftest import TOKEN
from tests.conftest import PROJECT, LiveApi, clean_environment, start_api

Ask = Callable[..., requests.Response]
OPERATIONS = [operation for group in GROUPS for operation in group.found]
FOR_ADMINS = ("/api/v1/tokens", "/api/v1/audit", "/api/v1/connections")


def ask(live: LiveApi, token: str | None, method: str, path: str, **options: Any) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    headers |= options.pop("headers", {})
    return requests.request(method, live.url + path, headers=headers, timeout=60, **options)


def create(live: LiveApi, *scopes: str, **more: Any) -> dict[str, Any]:
    body = {"name": "test", "scopes": scopes, **more}
    answer = ask(live, TOKEN, "POST", "/api/v1/tokens", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture(scope="module")
def by_scope(guarded: LiveApi) -> dict[str, str]:
    return {scope: create(guarded, scope)["token"] for scope in SCOPES}


def is_refused_for_its_scope(answer: requests.Response) -> bool:
    return answer.status_code == 403 and "does not have the scope" in answer.json()["detail"]


def path_of(operation: Operation) -> str:
    """A path at which nothing is."""
    return re.sub(r"<(int:)?\w+>", lambda part: "9999999" if part[1] else "nothing", operation.path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_operation_wants_its_scope_and_no_other_will_do(
    operation: Operation, guarded: LiveApi, by_scope: dict[str, str]
) -> None:
    """The matrix of all operations and all scopes; a new one is in it at once."""
    path = path_of(operation)
    assert ask(guarded, None, operation.method, path).status_code == 401
    for scope, token in by_scope.items():
        answer = ask(guarded, token, operation.method, path)
        assert answer.status_code not in (401, 429), answer.text
        is_allowed = grants([scope], operation.scope)
        assert is_refused_for_its_scope(answer) != is_allowed, (scope, answer.text)
        if not is_allowed:
            assert f'"{operation.scope}"' in answer.json()["detail"]


def test_operations_without_a_scope_of_their_own_take_that_of_their_method() -> None:
    scopes = {(one.method, one.path): one.scope for one in OPERATIONS}
    assert scopes["GET", "/api/v1/tables"] == "read"
    assert scopes["PUT", "/api/v1/tables/<int:table_id>/rules"] == "write_rules"
    assert scopes["POST", "/api/v1/checks"] == "trigger"
    assert scopes["POST", "/api/v1/outcomes"] == "results"
    for (method, path), scope in scopes.items():
        assert scope in (*SCOPES, "any")
        if method != "GET" and path != "/api/v1/tables/<int:table_id>/replay":
            assert scope not in ("read", "any"), (method, path)
        if path.startswith(FOR_ADMINS) and not path.endswith("/self"):
            assert scope == "admin" or (method == "GET" and "connections" in path)


def test_one_text_for_every_token_that_is_not_good(
    guarded: LiveApi, postgres: EmbeddedPostgres
) -> None:
    revoked, expired = create(guarded, "read"), create(guarded, "read")
    assert ask(guarded, TOKEN, "DELETE", f"/api/v1/tokens/{revoked['id']}").status_code == 204
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            "update access_token set expires_at = now() where id = %s", [expired["id"]]
        )
    good = create(guarded, "read")["token"]
    wrong_secret = Token(good.split("_")[1], Token.new().secret).text
    refused = [None, "", "x", good[:-1], good + "0", wrong_secret, Token.new().text]
    refused += [revoked["token"], expired["token"], good.swapcase()]
    assert ask(guarded, good, "GET", "/api/v1/tables").ok
    told = set()
    for token in refused:
        answer = ask(guarded, token, "GET", "/api/v1/tables")
        assert answer.status_code == 401, token
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "unauthenticated"
        told.add(answer.text)
    assert len(told) == 1


def test_a_token_is_shown_once_and_stored_as_a_hash(
    guarded: LiveApi, postgres: EmbeddedPostgres
) -> None:
    made = create(guarded, "read", "trigger", holder="airflow", expires_in_days=7)
    secret = Token.parse(made["token"]).secret  # type: ignore[union-attr]
    assert made["scopes"] == ["read", "trigger"]
    with psycopg.connect(postgres.url()) as connection:
        for table in ("access_token", "audit_event"):
            rows = connection.execute(f"select t::text from {table} t").fetchall()
            assert rows
            assert not [row for row in rows if secret in row[0]]
    listed = ask(guarded, TOKEN, "GET", "/api/v1/tokens?holder=airflow")
    assert secret not in listed.text + guarded.log_file.read_text()
    [shown] = [one for one in listed.json()["items"] if one["id"] == made["id"]]
    assert shown == {name: value for name, value in made.items() if name != "token"}


def test_a_revoked_token_works_no_more_also_at_another_process(
    guarded: LiveApi, live_api: LiveApi
) -> None:
    """The other one has read it before, and believes for a few seconds what it read."""
    made = create(guarded, "read")
    assert ask(live_api, made["token"], "GET", "/api/v1/tables").ok
    ask(guarded, TOKEN, "DELETE", f"/api/v1/tokens/{made['id']}")
    assert ask(guarded, made["token"], "GET", "/api/v1/tables").status_code == 401
    deadline = time.monotonic() + 30
    while ask(live_api, made["token"], "GET", "/api/v1/tables").ok:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    again = ask(guarded, TOKEN, "DELETE", f"/api/v1/tokens/{made['id']}")
    assert again.status_code == 204
    unknown = ask(guarded, TOKEN, "DELETE", "/api/v1/tokens/nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "token_unknown")


def test_callers_learn_what_they_may(guarded: LiveApi, live_api: LiveApi) -> None:
    made = create(guarded, "write_rules", holder="ann", tables=["shop.*"])
    found = ask(guarded, made["token"], "GET", "/api/v1/tokens/self").json()
    assert (found["name"], found["scopes"]) == ("ann", ["write_rules"])
    assert found["tables"] == ["shop.*"]
    assert found["token"]["id"] == made["id"]
    operator = ask(guarded, TOKEN, "GET", "/api/v1/tokens/self").json()
    assert (operator["name"], operator["token"]) == ("operator", None)
    nobody = ask(live_api, None, "GET", "/api/v1/tokens/self").json()
    assert (nobody["name"], nobody["scopes"]) == ("anonymous", ["admin"])


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"tables": ["sales"]}, "tables"),
        ({"tables": []}, "tables"),
        ({"scopes": ["admin"], "tables": ["sales.*"]}, ""),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_wrong_tokens_are_not_made(guarded: LiveApi, wrong: dict[str, Any], path: str) -> None:
    body = {"name": "x", "scopes": ["read"], **wrong}
    answer = ask(guarded, TOKEN, "POST", "/api/v1/tokens", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"].startswith(path)


@pytest.fixture
def shop(guarded: LiveApi, http: requests.Session) -> Iterator[dict[str, int]]:
    """Two tables with a rule each, by name."""
    ids = {}
    for name in ("shop.orders", "shop.clean"):
        row = ask(guarded, TOKEN, "PUT", "/api/v1/tables", json={"table": name}).json()
        ids[name] = row["id"]
        rules = {"rules": [{"type": "not_null", "column": "id"}]}
        ask(guarded, TOKEN, "PUT", f"/api/v1/tables/{row['id']}/rules", json=rules)
    yield ids
    for table_id in ids.values():
        ask(guarded, TOKEN, "DELETE", f"/api/v1/tables/{table_id}")


def test_a_token_for_certain_tables_sees_no_other(guarded: LiveApi, shop: dict[str, int]) -> None:
    scopes = ("read", "write_rules", "trigger", "custom_sql", "pipelines")
    narrow = create(guarded, *scopes, tables=["demo/shop.ord*", "*.else"])["token"]
    mine, other = shop["shop.orders"], shop["shop.clean"]
    assert ask(guarded, narrow, "GET", f"/api/v1/tables/{mine}").ok
    hidden = ask(guarded, narrow, "GET", f"/api/v1/tables/{other}")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "table_not_configured")
    hidden = ask(guarded, narrow, "GET", f"/api/v1/tables/{2**64}")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "table_not_configured")
    rules = {"rules": []}
    path = f"/api/v1/tables/{other}/rules"
    assert ask(guarded, narrow, "PUT", path, json=rules).status_code == 404
    checked = ask(guarded, narrow, "POST", "/api/v1/checks", json={"table": "shop.orders"})
    assert checked.status_code == 200, checked.text
    refused = ask(guarded, narrow, "POST", "/api/v1/checks", json={"table": "shop.clean"})
    assert (refused.status_code, refused.json()["code"]) == (404, "table_not_configured")
    seen = ask(guarded, narrow, "GET", f"/api/v1/checks/{checked.json()['id']}")
    assert seen.ok
    theirs = ask(guarded, TOKEN, "POST", "/api/v1/checks", json={"table": "shop.clean"}).json()
    hidden = ask(guarded, narrow, "GET", f"/api/v1/checks/{theirs['id']}")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "check_unknown")


def test_a_token_for_certain_tables_lists_one_of_them(
    guarded: LiveApi, shop: dict[str, int]
) -> None:
    narrow = create(guarded, "read", tables=["demo/shop.orders"])["token"]
    for path in ("/api/v1/tables", "/api/v1/checks", "/api/v1/results"):
        listed = ask(guarded, narrow, "GET", f"{path}?table=shop.orders&connection=demo")
        assert listed.ok, listed.text
        assert ask(guarded, narrow, "GET", f"{path}?table=shop.orders").status_code == 404
        other = ask(guarded, narrow, "GET", f"{path}?table=shop.clean&connection=demo")
        assert other.status_code == 404
        every = ask(guarded, narrow, "GET", path)
        assert (every.status_code, every.json()["code"]) == (403, "forbidden")
    assert ask(guarded, narrow, "GET", "/api/v1/rule-types").ok


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_operations_are_closed_to_tokens_for_tables_that_are_not_there(
    operation: Operation, guarded: LiveApi, restricted: str
) -> None:
    """Whatever the operation: it answers nothing of a table that is not theirs."""
    answer = ask(guarded, restricted, operation.method, path_of(operation))
    if answer.ok and operation.is_about_tables:
        assert answer.json() in ([], {"items": [], "next_cursor": None}), answer.text


@pytest.fixture(scope="module")
def restricted(guarded: LiveApi) -> str:
    scopes = [scope for scope in SCOPES if scope not in ("admin", "results")]
    token: str = create(guarded, *scopes, tables=["nowhere.*"])["token"]
    return token


def test_rules_with_sql_want_a_scope_of_their_own(guarded: LiveApi, shop: dict[str, int]) -> None:
    rule = {"type": "failed_rows_sql", "name": "q", "arguments": {"query": "select 1"}}
    path = f"/api/v1/tables/{shop['shop.orders']}/rules"
    writer = create(guarded, "write_rules")["token"]
    answer = ask(guarded, writer, "POST", path, json=rule)
    assert is_refused_for_its_scope(answer), answer.text
    both = create(guarded, "write_rules", "custom_sql")["token"]
    answer = ask(guarded, both, "POST", path, json=rule)
    assert "STRINGX_CUSTOM_SQL" in answer.json()["detail"]  # and the operator's leave


def test_last_use_is_written_down(guarded: LiveApi, live_api: LiveApi, tmp_path: Path) -> None:
    made = create(guarded, "read")
    environment = {**live_api.environment, "STRINGX_TOKEN_USE_INTERVAL_S": "3600"}
    del environment["STRINGX_API_PORT"]
    other = start_api(environment, tmp_path)
    before = time.time()
    assert ask(other, made["token"], "GET", "/api/v1/tables").ok
    assert other.stop() == 0  # which writes what is not written yet
    listed = ask(guarded, TOKEN, "GET", "/api/v1/tokens?usable=true&limit=500").json()["items"]
    [shown] = [one for one in listed if one["id"] == made["id"]]
    assert shown["last_used_at"] is not None
    assert time.strftime("%Y-%m-%d", time.gmtime(before)) <= shown["last_used_at"][:10]


def test_the_first_token_is_printed_once_where_others_can_reach_the_api(
    live_api: LiveApi, new_database: Callable[[], str], tmp_path: Path
) -> None:
    environment = {
        **live_api.environment,
        "STRINGX_DATABASE_URL": new_database(),
        "STRINGX_API_HOST": "0.0.0.0",
    }
    del environment["STRINGX_API_PORT"]
    printed = []
    for start in range(2):
        folder = tmp_path / str(start)
        live = start_api(environment, folder)
        printed.append(re.findall(r"sxt_\w+", live.log_file.read_text()))
        assert ask(live, None, "GET", "/api/v1/tables").status_code == 401
        assert ask(live, printed[0][0], "GET", "/api/v1/tokens").ok
        assert live.stop() == 0
    assert [len(found) for found in printed] == [1, 0]


def test_a_token_survives_a_round_trip_and_no_slip_of_the_pen() -> None:
    for _ in range(200):
        token = Token.new()
        assert Token.parse(token.text) == token
        assert re.fullmatch(r"sxt_\w{12}_\w{43}_\w{6}", token.text)
        text = list(token.text)
        text[10] = "a" if text[10] != "a" else "b"
        assert Token.parse("".join(text)) is None


@pytest.mark.parametrize(
    ("patterns", "connection", "table", "is_for"),
    [
        (None, None, "a.b", True),
        ((), "demo", "a.b", False),
        (("sales.*",), None, "sales.orders", True),
        (("sales.*",), "demo", "sales2.orders", False),
        (("demo/sales.*",), "demo", "sales.orders", True),
        (("demo/sales.*",), "other", "sales.orders", False),
        (("demo/sales.*",), None, "sales.orders", False),
        (("*",), "demo", '"a b".c', True),
        (("sales.ord?rs",), "demo", "SALES.orders", False),
    ],
)
def test_patterns_of_tables(
    patterns: tuple[str, ...] | None, connection: str | None, table: str, is_for: bool
) -> None:
    assert is_for_table(patterns, connection, table) is is_for


def test_documentation_and_health_are_open(guarded: LiveApi) -> None:
    for path in ("/health/live", "/health/ready", "/openapi.json", "/docs/"):
        assert ask(guarded, None, "GET", path).ok
    assert ask(guarded, None, "GET", "/metrics").status_code == 401


def test_the_command_line_makes_lists_and_revokes(guarded: LiveApi, tmp_path: Path) -> None:
    def run(*words: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        environment = {"STRINGX_API_URL": guarded.url, "STRINGX_API_TOKEN": token}
        return subprocess.run(
            [sys.executable, "-m", "cli", "token", *words],
            env={**clean_environment(), **environment},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    made = run("create", "worker", "--scope", "results", "--scope", "read", "--days", "3")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert Token.parse(token) is not None
    seen = run("self", token=token)
    assert seen.stdout.startswith("worker: read, results")
    refused = run("list", token=token)
    assert refused.returncode == 2
    assert '"admin"' in refused.stderr
    assert token.split("_")[1] in run("list").stdout
    assert run("revoke", token.split("_")[1], "--yes").returncode == 0
    assert run("self", token=token).returncode == 3
