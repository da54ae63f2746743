"""Tokens for certain tables: theirs are the pipelines that fill these, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import LiveApi
from tests.pipelines.conftest import Call

MINE = [{"table": "reach.orders"}]
BOTH = [*MINE, {"table": "other.orders"}]


@pytest.fixture
def narrow(call: Call, live_api: LiveApi) -> Callable[..., requests.Response]:
    """Calls with a token for the tables `reach.*` that may do all else."""
    body = {
        "name": "narrow",
        "scopes": ["read", "trigger", "write_rules", "pipelines"],
        "tables": ["demo/reach.*"],
    }
    made = call("POST", "/api/v1/tokens", json=body)
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"Bearer {made.json()['token']}"}

    def send(method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(
            method, f"{live_api.url}{path}", headers=headers, timeout=60, **options
        )

    return send


@pytest.fixture
def ids(call: Call, name: str) -> dict[str, int]:
    """Pipelines that fill the token's table, another one too, and none; each with an execution."""
    made = {}
    for which, tables in (("mine", MINE), ("both", BOTH), ("none", [])):
        document = {"name": f"{name} {which}", "pipeline_type_name": "reach", "tables": tables}
        made[which] = int(call("POST", "/pipeline", json=document).json()["id"])
        rule = {"pipeline_id": made[which], "metric_field": "inserts"}
        made[f"{which} rule"] = call("POST", "/anomaly_detection_rule", json=rule).json()["id"]
        started = {"pipeline_id": made[which], "start_date": "2026-01-01T00:00:00Z"}
        answer = call("POST", "/start_pipeline_execution", json=started)
        made[f"{which} execution"] = answer.json()["id"]
    return made


def test_lists_have_only_theirs(
    call: Call, narrow: Callable[..., requests.Response], ids: dict[str, int]
) -> None:
    def found(path: str) -> list[dict[str, Any]]:
        answer = narrow("GET", path, params={"limit": 500})
        assert answer.status_code == 200, answer.text
        listed = answer.json()
        return list(listed["items"] if isinstance(listed, dict) else listed)

    others = {ids["both"], ids["none"]}
    for path in ("/pipeline", "/api/v1/pipelines"):
        seen = {one["id"] for one in found(path)}
        assert ids["mine"] in seen
        assert not seen & others
    for path in ("/api/v1/executions", "/anomaly_detection_rule"):
        seen = {one["pipeline_id"] for one in found(path)}
        assert ids["mine"] in seen
        assert not seen & others
    stale = {"freshness_number": 1, "freshness_datepart": "minute"}
    for which in ("mine", "both"):
        call("PATCH", "/pipeline", json={"id": ids[which], **stale})
        ended = {"end_date": "2026-01-01T00:01:00Z", "completed_successfully": True, "inserts": 1}
        call("POST", "/end_pipeline_execution", json={"id": ids[f"{which} execution"], **ended})
    call("POST", "/freshness")
    seen = {one["pipeline_id"] for one in found("/api/v1/pipeline-alerts")}
    assert ids["mine"] in seen
    assert not seen & others


@pytest.mark.parametrize("which", ["mine", "both", "none"])
def test_one_that_is_not_theirs_is_not_there(
    narrow: Callable[..., requests.Response], ids: dict[str, int], which: str
) -> None:
    pipeline, execution, rule = ids[which], ids[f"{which} execution"], ids[f"{which} rule"]
    start = {"pipeline_id": pipeline, "start_date": "2026-01-01T00:00:00Z"}
    end = {"id": execution, "end_date": "2026-01-01T00:01:00Z", "completed_successfully": True}
    flags = {"metric_field": ["inserts"], "is_flagged": True}
    unflag = {"pipeline_id": pipeline, "pipeline_execution_id": execution}
    other_rule = {"pipeline_id": pipeline, "metric_field": "updates"}
    for method, path, document in (
        ("GET", f"/pipeline/{pipeline}", None),
        ("GET", f"/api/v1/pipelines/{pipeline}", None),
        ("PATCH", "/pipeline", {"id": pipeline, "active": True}),
        ("POST", "/start_pipeline_execution", start),
        ("POST", "/api/v1/executions", start),
        ("GET", f"/pipeline_execution/{execution}", None),
        ("GET", f"/api/v1/executions/{execution}", None),
        ("GET", f"/api/v1/executions/{execution}/tree", None),
        ("GET", f"/api/v1/executions/{execution}/anomalies", None),
        ("PUT", f"/api/v1/executions/{execution}/anomalies", flags),
        ("POST", "/unflag_anomaly", {**unflag, "metric_field": ["inserts"]}),
        ("POST", "/end_pipeline_execution", end),
        ("POST", "/api/v1/executions/end", end),
        ("GET", f"/anomaly_detection_rule/{rule}", None),
        ("PATCH", "/anomaly_detection_rule", {"id": rule, "z_threshold": 4}),
        ("POST", "/anomaly_detection_rule", other_rule),
    ):
        answer = narrow(method, path, json=document)
        if which == "mine":
            assert answer.ok, (method, path, answer.text)
        else:
            assert answer.status_code == 404, (method, path, answer.text)
            assert answer.json()["code"].endswith("_unknown")


def test_a_parent_and_another_rule_s_pipeline_have_to_be_theirs_too(
    narrow: Callable[..., requests.Response], ids: dict[str, int]
) -> None:
    started = {"pipeline_id": ids["mine"], "parent_id": ids["none execution"]}
    assert narrow("POST", "/start_pipeline_execution", json=started).status_code == 404
    moved = {"id": ids["mine rule"], "pipeline_id": ids["none"]}
    assert narrow("PATCH", "/anomaly_detection_rule", json=moved).status_code == 404


def test_what_programs_declare_has_to_be_theirs_before_and_after(
    call: Call, narrow: Callable[..., requests.Response], ids: dict[str, int], name: str
) -> None:
    def report(which: str, **fields: Any) -> int:
        document = {"name": f"{name} {which}", "pipeline_type_name": "reach", **fields}
        answers = {
            narrow(method, path, json=document).status_code
            for method, path in (("POST", "/pipeline"), ("PUT", "/api/v1/pipelines"))
        }
        [status] = answers if len(answers) == 1 else [sorted(answers)[0]]
        return int(status)

    assert report("mine") == 200
    assert report("mine", tables=MINE) == 200
    for tables in (BOTH, [], None):
        assert report("mine", tables=tables) == 403
        assert report("new", tables=tables) == 403
        change = {"id": ids["mine"], "tables": tables}
        assert narrow("PATCH", "/pipeline", json=change).status_code == 403
    assert report("new") == 403
    for which in ("both", "none"):
        assert report(which) == report(which, tables=MINE) == 403
        renamed = {"name": f"{name} {which}", "active": False}
        assert narrow("PATCH", "/pipeline", json=renamed).status_code == 404
    assert report("new", tables=[{"table": "reach.new"}]) == 200
    shown = call("GET", f"/pipeline/{ids['mine']}").json()
    assert [one["table"] for one in shown["tables"]] == ["reach.orders"]


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("POST", "/freshness", None),
        ("POST", "/timeliness", {"lookback_minutes": 60}),
        ("POST", "/api/v1/pipelines/missing", None),
        ("GET", "/api/v1/pipelines/report", None),
        ("GET", "/pipeline_type", None),
        ("GET", "/address", None),
        ("POST", "/log_cleanup", {"retention_days": 365}),
        (
            "POST",
            "/address_lineage",
            {"pipeline_id": 1, "source_addresses": [], "target_addresses": []},
        ),
    ],
)
def test_what_is_about_all_pipelines_is_refused(
    narrow: Callable[..., requests.Response], method: str, path: str, document: Any
) -> None:
    answer = narrow(method, path, json=document)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
