"""Every operation that changes or triggers something leaves a record: all of them are called.

An operation that is new fails here until it is called below, or stands among the exceptions with
its reason.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from api.operations import Operation
from api.routes import GROUPS
from tests.api.conftest import TOKEN
from tests.api.test_access import ask, create
from tests.api.test_dead_letters import bury, found, kafka, reason, record, written
from tests.conftest import LiveApi

__all__ = ["kafka"]

CHANGING = {
    operation.name: operation
    for group in GROUPS
    for operation in group.found
    if operation.method != "GET"
}

_ITSELF = "the execution is the record: started_by and ended_by say who"
_CHECK = "the check is the record: it says who asked for it, and which worker had it"
EXEMPT = {
    "start_execution": _ITSELF,
    "end_execution": _ITSELF,
    "start_pipeline_execution": _ITSELF,
    "end_pipeline_execution": _ITSELF,
    "claim_requests": _CHECK,
    "renew_claims": _CHECK,
    "release_claims": _CHECK,
    "post_outcomes": _CHECK,
    "replay_checks": "it reads what is stored, and changes and triggers nothing",
}

Step = tuple[str, Callable[["World"], dict[str, Any]], str]


class World:
    """An admin's view of the API, and what the steps before have made."""

    def __init__(self, live: LiveApi, servers: str) -> None:
        self.live = live
        self.servers = servers
        self.number = time.time_ns()
        self.token = create(live, "admin", holder="auditor")["token"]
        self.ids: dict[str, Any] = {}
        self._requests = itertools.count()

    def named(self, what: str) -> str:
        return f"{what}-{self.number}"

    def call(self, operation: Operation, **how: Any) -> tuple[requests.Response, str]:
        """The answer, and the request id under which it is recorded."""
        path = operation.path
        for name, value in how.pop("at", {}).items():
            for spelt in (f"<int:{name}>", f"<{name}>"):
                path = path.replace(spelt, str(value))
        request_id = f"recorded-{self.number}-{next(self._requests)}"
        headers = {"X-Request-Id": request_id}
        answer = ask(self.live, self.token, operation.method, path, headers=headers, **how)
        assert answer.ok, (operation.name, answer.text)
        return answer, request_id

    def recorded(self, request_id: str) -> list[dict[str, Any]]:
        query = {"request_id": request_id}
        return list(ask(self.live, TOKEN, "GET", "/api/v1/audit", params=query).json()["items"])

    def letter(self) -> str:
        """The id of a dead letter that nobody has looked at."""
        why = reason("target_unreachable")
        bury(self.servers, written(record(b'{"table": "shop.clean"}'), why))
        send = lambda method, path, **more: ask(  # noqa: E731
            self.live, TOKEN, method, f"/api/v1{path}", **more
        )
        return str(found(send, why.request_id or "")[0]["id"])

    def flag(self) -> dict[str, Any]:
        """Flags a metric of the execution; answers how to take that away as the framework does."""
        body = {"metric_field": ["total_rows"], "is_flagged": True}
        path = f"/api/v1/executions/{self.ids['execution']}/anomalies"
        assert ask(self.live, TOKEN, "PUT", path, json=body).ok
        return {
            "pipeline_id": self.ids["pipeline"],
            "pipeline_execution_id": self.ids["execution"],
            "metric_field": ["total_rows"],
        }

    def orphan(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Gives a thing to nobody that there is, so that it can be claimed."""
        if kind == "pipeline":
            changed = {"id": self.ids["pipeline"], "owner": self.named("gone")}
            assert ask(self.live, TOKEN, "PATCH", "/pipeline", json=changed).ok
        else:
            path = f"/api/v1/tables/{self.ids['table']}"
            assert ask(self.live, TOKEN, "PATCH", path, json={"owner": self.named("gone")}).ok
        return {**body, "owner": self.named("team")}


def table(world: World) -> dict[str, Any]:
    return {"at": {"table_id": world.ids["table"]}}


def body(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda world: {"json": fields}


def lineage(world: World) -> dict[str, Any]:
    def address(which: str) -> dict[str, Any]:
        kind = {"address_type_name": "postgres", "address_type_group_name": "database"}
        return {"name": world.named(which), **kind}

    sides = {"source_addresses": [address("raw")], "target_addresses": [address("made")]}
    return {"json": {"pipeline_id": world.ids["pipeline"], **sides}}


def task_run(world: World) -> dict[str, Any]:
    moment = "2026-01-01T00:00:00Z"
    times = {"started_at": moment, "finished_at": moment, "duration_ms": 1.0}
    named = {"id": world.named("task-run"), "file": "a.conf", "host": "here", "status": "succeeded"}
    return {"json": {**named, **times, "tasks": []}}


def pipeline(world: World, **more: Any) -> dict[str, Any]:
    named = {"name": world.named("pipeline"), "pipeline_type_name": world.named("kind")}
    return {"json": {**named, **more}}


NOT_NULL = {"name": "id_known", "type": "not_null", "column": "id"}
SCENARIO: list[Step] = [
    (
        "put_connection",
        lambda w: {"at": {"name": w.named("c")}, "json": {"target": "demo"}},
        "connection.changed",
    ),
    (
        "put_table",
        lambda w: {"json": {"connection": w.named("c"), "table": "shop.clean"}},
        "table.changed",
    ),
    ("change_table", lambda w: table(w) | {"json": {"description": "new"}}, "table.changed"),
    ("add_rule", lambda w: table(w) | {"json": NOT_NULL}, "rule_set.changed"),
    (
        "change_rule",
        lambda w: {
            "at": {"table_id": w.ids["table"], "name": "id_known"},
            "json": {"severity": "warn"},
        },
        "rule_set.changed",
    ),
    (
        "replace_rules",
        lambda w: table(w) | {"json": {"rules": [NOT_NULL | {"name": "other"}]}},
        "rule_set.changed",
    ),
    (
        "restore_version",
        lambda w: {"at": {"table_id": w.ids["table"], "number": 1}},
        "rule_set.changed",
    ),
    ("dry_run", lambda w: table(w) | {"json": {}}, "rules.tried"),
    ("suggest_rules", table, "rules.suggested"),
    ("put_actions", lambda w: table(w) | {"json": {}}, ""),
    (
        "put_gate_policy",
        lambda w: table(w) | {"json": {"on_warn": "block"}},
        "gate_policy.changed",
    ),
    ("put_expectation", lambda w: table(w) | {"json": {"every": "1h"}}, "expectation.created"),
    ("put_expectation", lambda w: table(w) | {"json": {"every": "2h"}}, "expectation.changed"),
    ("put_expectation", lambda w: table(w) | {"json": {"every": "2h"}}, ""),
    ("delete_expectation", table, "expectation.removed"),
    (
        "create_check",
        lambda w: {"json": {"connection": w.named("c"), "table": "shop.clean"}},
        "check.triggered",
    ),
    ("create_task_run", task_run, "task_run.recorded"),
    ("create_task_run", task_run, ""),
    (
        "delete_rule",
        lambda w: {"at": {"table_id": w.ids["table"], "name": "id_known"}},
        "rule_set.changed",
    ),
    ("add_rule", lambda w: table(w) | {"json": NOT_NULL}, "rule_set.changed"),
    (
        "redrive_dead_letter",
        lambda w: {"at": {"letter_id": w.letter()}},
        "dead_letter.redriven",
    ),
    (
        "redrive_dead_letters",
        lambda w: {"json": {"code": "target_unreachable"}} if w.letter() else {},
        "dead_letter.redriven",
    ),
    (
        "purge_dead_letters",
        body(older_than_days=3650),
        "dead_letters.purged",
    ),
    ("purge_dead_letters", body(older_than_days=3650, dry_run=True), ""),
    ("put_user", lambda w: {"at": {"name": w.named("user")}, "json": {}}, "user.changed"),
    (
        "put_team",
        lambda w: {"at": {"name": w.named("team")}, "json": {"members": [w.named("user")]}},
        "team.changed",
    ),
    ("create_token", body(name="audited", scopes=["read"]), "token.created"),
    ("revoke_token", lambda w: {"at": {"token_id": w.ids["token"]}}, "token.revoked"),
    ("put_pipeline", pipeline, "pipeline.created"),
    ("report_pipeline", pipeline, ""),
    ("report_pipeline", lambda w: pipeline(w, next_watermark=7), ""),
    ("report_pipeline", lambda w: pipeline(w, owner="ops"), "pipeline.changed"),
    (
        "patch_pipeline",
        lambda w: {"json": {"id": w.ids["pipeline"], "active": False}},
        "pipeline.changed",
    ),
    ("patch_pipeline", lambda w: {"json": {"id": w.ids["pipeline"], "active": False}}, ""),
    (
        "report_pipeline_type",
        lambda w: {"json": {"name": w.named("type")}},
        "pipeline_type.created",
    ),
    ("report_pipeline_type", lambda w: {"json": {"name": w.named("type")}}, ""),
    (
        "patch_pipeline_type",
        lambda w: {"json": {"name": w.named("type"), "mute_freshness_check": True}},
        "pipeline_type.changed",
    ),
    ("start_execution", lambda w: {"json": {"pipeline_id": w.ids["pipeline"]}}, ""),
    (
        "set_anomalies",
        lambda w: {
            "at": {"execution_id": w.ids["execution"]},
            "json": {"metric_field": ["inserts"], "is_flagged": True},
        },
        "anomaly.flagged",
    ),
    ("unflag_anomaly", lambda w: {"json": w.flag()}, "anomaly.unflagged"),
    (
        "report_anomaly_rule",
        lambda w: {"json": {"pipeline_id": w.ids["pipeline"], "metric_field": "inserts"}},
        "anomaly_rule.created",
    ),
    (
        "patch_anomaly_rule",
        lambda w: {"json": {"id": w.ids["anomaly_rule"], "z_threshold": 4}},
        "anomaly_rule.changed",
    ),
    ("report_lineage", lineage, "lineage.changed"),
    ("report_lineage", lineage, ""),
    (
        "report_address_type",
        lambda w: {"json": {"name": w.named("place"), "group_name": "files"}},
        "address_type.created",
    ),
    (
        "patch_address_type",
        lambda w: {"json": {"name": w.named("place"), "group_name": "other files"}},
        "address_type.changed",
    ),
    (
        "report_address",
        lambda w: {
            "json": {
                "name": w.named("file"),
                "address_type_name": w.named("place"),
                "address_type_group_name": "files",
            }
        },
        "address.created",
    ),
    (
        "patch_address",
        lambda w: {"json": {"name": w.named("file"), "table_name": "t"}},
        "address.changed",
    ),
    ("check_freshness", lambda w: {}, "freshness.checked"),
    ("check_timeliness", body(lookback_minutes=5), "timeliness.checked"),
    ("check_missing", lambda w: {}, "missing_executions.checked"),
    ("clean_up_logs", body(retention_days=36500), "retention.run"),
    ("run_retention", body(kinds=["samples"]), "retention.run"),
    (
        "claim_pipeline",
        lambda w: {"at": {"pipeline_id": w.ids["pipeline"]}, "json": w.orphan("pipeline", {})},
        "pipeline.claimed",
    ),
    ("claim_table", lambda w: table(w) | {"json": w.orphan("table", {})}, "table.claimed"),
    (
        "claim_rule_set",
        lambda w: table(w) | {"json": w.orphan("table", {})},
        "rule_set.claimed",
    ),
    (
        "claim_all",
        lambda w: {"json": w.orphan("pipeline", {"former": w.named("gone")})},
        "pipeline.claimed",
    ),
    (
        "block_user",
        lambda w: {"at": {"name": w.named("user")}, "json": {"reason": "gone"}},
        "user.blocked",
    ),
    ("unblock_user", lambda w: {"at": {"name": w.named("user")}}, "user.unblocked"),
    ("delete_table", table, "table.deleted"),
    ("delete_connection", lambda w: {"at": {"name": w.named("c")}}, "connection.deleted"),
]
"""What is called, how, and the action that is to be recorded: "" where nothing changes by it."""

MADE = {
    "put_table": "table",
    "create_token": "token",
    "put_pipeline": "pipeline",
    "start_execution": "execution",
    "report_anomaly_rule": "anomaly_rule",
}


def test_every_changing_operation_is_called_or_exempt_for_a_reason() -> None:
    recorded = {name for name, _, action in SCENARIO if action}
    # Its files have to be in a folder of the operator's: tests/tasks shows its record.
    recorded |= {"put_actions", "retry_action"}
    assert recorded | EXEMPT.keys() == CHANGING.keys()
    assert not recorded & EXEMPT.keys()


@pytest.fixture
def world(guarded: LiveApi, kafka: str, http: requests.Session) -> Iterator[World]:
    yield World(guarded, kafka)


def test_each_of_them_leaves_who_did_what_to_what(world: World) -> None:
    for name, how, action in SCENARIO:
        answer, request_id = world.call(CHANGING[name], **how(world))
        if name in MADE:
            world.ids[MADE[name]] = answer.json()["id"]
        events = world.recorded(request_id)
        if not action:
            assert events == [], name
            continue
        assert action in {event["action"] for event in events}, (name, events)
        for event in events:
            assert event["actor"] == "auditor"
            assert event["token_id"]
            assert event["subject"]
            if event["action"].endswith(".changed") and "rule_set" not in event["action"]:
                assert event["detail"]["before"] != event["detail"]["after"], name


def test_an_execution_says_who_started_and_ended_it(guarded: LiveApi) -> None:
    world = World(guarded, "")
    world.call(CHANGING["report_pipeline"], **pipeline(world))
    answer, _ = world.call(CHANGING["put_pipeline"], **pipeline(world))
    starter = create(guarded, "pipelines", holder="starter")["token"]
    started = {"pipeline_id": answer.json()["id"], "start_date": "2026-01-01T00:00:00Z"}
    execution = ask(guarded, starter, "POST", "/start_pipeline_execution", json=started).json()
    ended = {"end_date": "2026-01-01T00:01:00Z", "completed_successfully": True}
    world.call(CHANGING["end_pipeline_execution"], json={**execution, **ended})
    path = f"/api/v1/executions/{execution['id']}"
    shown = ask(guarded, TOKEN, "GET", path).json()
    assert (shown["started_by"], shown["ended_by"]) == ("starter", "auditor")
