"""Freshness and timeliness: W9, W18 and W19."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from quality.pipelines.freshness import judge_freshness, judge_timeliness
from quality.pipelines.intervals import Interval
from tests.pipelines.conftest import Call

Start = Callable[..., int]
End = Callable[..., requests.Response]
Report = Callable[..., requests.Response]

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def alerts(call: Call, pipeline_id: int, **narrowed: Any) -> list[dict[str, Any]]:
    asked = {"pipeline_id": pipeline_id, **narrowed}
    answer = call("GET", "/api/v1/pipeline-alerts", params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@pytest.mark.parametrize(
    ("interval", "due"),
    [
        (Interval(90, "minute"), datetime(2026, 3, 31, 13, 30, tzinfo=UTC)),
        (Interval(2, "week"), datetime(2026, 4, 14, 12, tzinfo=UTC)),
        (Interval(1, "month"), datetime(2026, 4, 30, 12, tzinfo=UTC)),
        (Interval(11, "month"), datetime(2027, 2, 28, 12, tzinfo=UTC)),
        (Interval(4, "year"), datetime(2030, 3, 31, 12, tzinfo=UTC)),
        (Interval(1_000_000, "year"), datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_intervals_follow_the_calendar(interval: Interval, due: datetime) -> None:
    assert interval.after(NOON) == due


def test_w18_the_newest_write_counts() -> None:
    hour = Interval(1, "hour")
    assert judge_freshness([None, None, None], hour, NOON) is None
    assert judge_freshness([NOON], None, NOON) is None
    for writes, is_stale in (
        ([NOON - HOUR, None, None], False),
        ([NOON - HOUR - timedelta(seconds=1), None, None], True),
        ([NOON - 9 * HOUR, None, NOON], False),
    ):
        found = judge_freshness(writes, hour, NOON)
        assert found is not None
        assert found.is_stale is is_stale


def test_w19_late_executions() -> None:
    quarter = Interval(15, "minute")
    twenty = NOON + timedelta(minutes=20)
    running = judge_timeliness(NOON, None, None, quarter, twenty)
    completed = judge_timeliness(NOON, twenty, True, quarter, NOON + 9 * HOUR)
    assert running is not None
    assert completed is not None
    assert (running.state, completed.state, completed.seconds) == ("running", "completed", 1200)
    assert judge_timeliness(NOON, twenty, False, quarter, twenty) is None
    assert judge_timeliness(NOON, NOON + timedelta(minutes=15), True, quarter, twenty) is None
    assert judge_timeliness(NOON, None, None, None, twenty) is None


def test_w18_a_stale_state_is_alerted_of_once(
    call: Call, report: Report, name: str, start: Start, end: End
) -> None:
    fields = {"freshness_number": 1, "freshness_datepart": "hour"}
    pipeline_id = report(**fields).json()["id"]
    call("POST", "/freshness")
    assert alerts(call, pipeline_id) == []  # it never wrote
    end(start(start_date=ago(190)), ago(180), inserts=1)
    answer = call("POST", "/freshness")
    assert answer.status_code == 200
    assert pipeline_id in [one["pipeline_id"] for one in answer.json()["new_alerts"]]
    for _ in range(2):
        assert call("POST", "/freshness").json()["new_alerts"] == []
    [first] = alerts(call, pipeline_id, kind="freshness", open="true")
    check = call("GET", f"/api/v1/checks/{first['check_id']}").json()
    assert (check["source"], check["status"]) == ("schedule", "fail")
    assert check["results"][0]["dimension"] == "timeliness"
    end(start(start_date=ago(2)), ago(1), updates=1)  # new data
    call("POST", "/freshness")
    assert alerts(call, pipeline_id, open="true") == []
    history = call("GET", "/api/v1/checks", params={"table": f'pipeline."{name}"'}).json()
    assert [one["status"] for one in history["items"]] == ["pass", "fail"]
    minutes = {"freshness_number": 1, "freshness_datepart": "minute"}
    call("PATCH", "/pipeline", json={"id": pipeline_id, **minutes})
    call("POST", "/freshness")  # stale again
    call("POST", "/freshness")
    assert len(alerts(call, pipeline_id)) == 2
    assert len(alerts(call, pipeline_id, open="true")) == 1


def test_w18_a_stale_pipeline_closes_the_gate_of_the_tables_it_fills_until_they_are_checked(
    call: Call, report: Report, name: str, start: Start, end: End
) -> None:
    table = "shop.orders"
    table_id = call("PUT", "/api/v1/tables", json={"table": table}).json()["id"]
    call("PUT", f"/api/v1/tables/{table_id}/rules", json={"rules": []})
    pipeline_id = report(
        freshness_number=1, freshness_datepart="hour", tables=[{"table": table}]
    ).json()["id"]
    end(start(start_date=ago(190)), ago(180), inserts=1)

    def gate() -> dict[str, Any]:
        return dict(call("GET", f"/api/v1/gate/{table}").json())

    assert call("POST", "/freshness").status_code == 200
    [alert] = alerts(call, pipeline_id, kind="freshness")
    found = gate()
    assert (found["decision"], found["check_id"]) == ("block", alert["check_id"])
    assert found["reasons"] == [f"pipeline {name}: {alert['message']}"]
    decided = found["decided_at"]
    call("POST", "/freshness")
    assert gate()["decided_at"] == decided  # once for the state
    call("POST", "/api/v1/checks", json={"table": table})
    assert gate()["decision"] == "unknown"  # it has no rules


def test_w18_the_type_has_the_threshold_and_w9_mutes(call: Call, name: str) -> None:
    kind = {"name": f"kind {name}", "freshness_number": 1, "freshness_datepart": "minute"}
    call("POST", "/pipeline_type", json=kind)
    document = {"name": name, "pipeline_type_name": kind["name"]}
    pipeline_id = call("POST", "/pipeline", json=document).json()["id"]
    started = {"pipeline_id": pipeline_id, "start_date": ago(20)}
    execution_id = call("POST", "/start_pipeline_execution", json=started).json()["id"]
    ended = {"id": execution_id, "end_date": ago(10), "completed_successfully": True}
    call("POST", "/end_pipeline_execution", json={**ended, "soft_deletes": 1})
    mute = {"mute_freshness_check": True}
    spoken = {"mute_freshness_check": False}
    for path, which in (("/pipeline", name), ("/pipeline_type", kind["name"])):
        assert call("PATCH", path, json={"name": which, **mute}).status_code == 200
        call("POST", "/freshness")
        assert alerts(call, pipeline_id) == []
        call("PATCH", path, json={"name": which, **spoken})
    call("POST", "/freshness")
    assert len(alerts(call, pipeline_id, kind="freshness")) == 1


def test_w19_each_execution_is_alerted_of_once(
    call: Call, report: Report, start: Start, end: End
) -> None:
    fields = {"timeliness_number": 15, "timeliness_datepart": "minute"}
    pipeline_id = report(**fields).json()["id"]
    running, completed, failed, in_time = (start(start_date=ago(20)) for _ in range(4))
    old = start(start_date=ago(600))
    end(completed, ago(0), total_rows=1)
    end(failed, ago(0), completed_successfully=False)
    end(in_time, ago(10))
    end(old, ago(300))
    mute = {"id": pipeline_id, "mute_timeliness_check": True}
    call("PATCH", "/pipeline", json=mute)
    call("POST", "/timeliness", json={"lookback_minutes": 60})
    assert alerts(call, pipeline_id) == []  # W9
    call("PATCH", "/pipeline", json={**mute, "mute_timeliness_check": False})
    for _ in range(2):
        assert call("POST", "/timeliness", json={"lookback_minutes": 60}).status_code == 200
    found = {one["execution_id"]: one["measured"]["state"] for one in alerts(call, pipeline_id)}
    assert found == {running: "running", completed: "completed"}
    end(running, ago(0))
    call("POST", "/timeliness", json={})
    assert len(alerts(call, pipeline_id)) == 2
    [shown] = alerts(call, pipeline_id, execution_id=completed)
    check = call("GET", f"/api/v1/checks/{shown['check_id']}").json()
    assert (check["status"], check["results"][0]["dimension"]) == ("warn", "timeliness")


def test_w9_a_type_mutes_the_timeliness_of_its_pipelines(call: Call, name: str) -> None:
    kind = {"name": f"kind {name}", "timeliness_number": 1, "timeliness_datepart": "minute"}
    call("POST", "/pipeline_type", json={**kind, "mute_timeliness_check": True})
    document = {"name": name, "pipeline_type_name": kind["name"]}
    pipeline_id = call("POST", "/pipeline", json=document).json()["id"]
    call(
        "POST", "/start_pipeline_execution", json={"pipeline_id": pipeline_id, "start_date": ago(9)}
    )
    for muted, found in ((True, 0), (False, 1)):
        change = {"name": kind["name"], "mute_timeliness_check": muted}
        assert call("PATCH", "/pipeline_type", json=change).status_code == 200
        call("POST", "/timeliness", json={"lookback_minutes": 60})
        assert len(alerts(call, pipeline_id, kind="timeliness")) == found


def test_w20_what_is_found_is_counted_as_any_other_result(
    call: Call, report: Report, start: Start, end: End
) -> None:
    def counted() -> float:
        text = call("GET", "/metrics").text
        found = re.findall(
            r'^stringx_checks_total{source="schedule",status="fail"} (\S+)$', text, re.MULTILINE
        )
        return sum(map(float, found))

    report(freshness_number=1, freshness_datepart="hour")
    end(start(start_date=ago(190)), ago(180), inserts=1)
    call("POST", "/freshness")
    before = counted()
    report(freshness_number=2, freshness_datepart="hour")
    end(start(start_date=ago(170)), ago(160), inserts=1)  # newer, and too old as well
    assert len(call("POST", "/freshness").json()["new_alerts"]) == 1
    assert counted() == before + 1


@pytest.mark.parametrize("minutes", [4, 0, -1, "x", 1.5])
def test_w19_a_short_look_back_is_refused(call: Call, minutes: Any) -> None:
    assert call("POST", "/timeliness", json={"lookback_minutes": minutes}).status_code == 422


@pytest.mark.parametrize("cadence", ["sometimes", "1 * *", "0m", "99 * * * *", ""])
def test_w20_a_cadence_is_a_duration_or_cron(report: Report, cadence: str) -> None:
    assert report(cadence=cadence).status_code == 422


@pytest.mark.parametrize("cadence", ["1h", "0 * * * *"])
def test_w20_an_execution_that_does_not_start_is_missing(
    call: Call,
    report: Report,
    start: Start,
    sql: Callable[..., list[Any]],
    cadence: str,
) -> None:
    pipeline_id = report(cadence=cadence, cadence_grace_s=60).json()["id"]

    def missing() -> list[dict[str, Any]]:
        assert call("POST", "/api/v1/pipelines/missing").status_code == 200
        return alerts(call, pipeline_id, kind="missing")

    assert missing() == []  # nothing was due yet
    declared = "update pipeline set cadence_since = now() - interval '5 hours' where id = %(id)s"
    sql(declared, id=pipeline_id)
    [first] = missing()
    assert len(missing()) == 1
    start(start_date=first["measured"]["due"])
    [first] = missing()
    assert first["resolved_at"] is not None
