"""What follows a successful end: W20 (anomalies), W21 and W22."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from embedded.broker import EmbeddedBroker
from quality.pipelines.anomalies import compare
from quality.pipelines.scopes import written
from tests.conftest import LiveApi, start_api
from tests.pipelines.conftest import Call

Start = Callable[..., int]
End = Callable[..., requests.Response]
Report = Callable[..., requests.Response]


def until(found: Callable[[], Any], seconds: float = 30) -> Any:
    """What `found` finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)
    return value


def test_w20_the_tested_one_is_not_among_the_others() -> None:
    others = [10.0, 11.0, 9.0, 10.0, 10.0]
    found = compare(100.0, others, 3.0, 5)
    assert found is not None
    assert (found.is_anomaly, found.mean, found.count) == (True, 10.0, 5)
    assert found.z == pytest.approx(90 / 0.5**0.5)
    assert compare(100.0, others, 3.0, 6) is None
    normal = compare(10.5, others, 3.0, 5)
    assert normal is not None
    assert not normal.is_anomaly
    same, other = compare(5.0, [5.0] * 5, 3.0, 5), compare(6.0, [5.0] * 5, 3.0, 5)
    assert same is not None
    assert other is not None
    assert (same.is_anomaly, other.is_anomaly, other.z) == (False, True, None)


def test_w22_what_an_execution_wrote_is_its_scope() -> None:
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    execution = {
        "id": 7,
        "start_date": start,
        "end_date": end,
        "watermark": "10",
        "next_watermark": "20",
    }
    assert written(None, "time", execution) == []
    assert written("run", "execution", execution) == [{"column": "run", "op": "=", "value": 7}]
    [between] = written("at", "time", execution)
    assert between["value"] == [{"timestamp": at.isoformat()} for at in (start, end)]
    after, up_to = written("id", "watermark", execution)
    assert (after["op"], after["value"]) == (">", {"literal": "10"})
    assert (up_to["op"], up_to["value"]) == ("<=", {"literal": "20"})
    first = {**execution, "watermark": None}
    assert [one["op"] for one in written("id", "watermark", first)] == ["<="]
    assert written("id", "watermark", {**first, "next_watermark": None}) == []


def test_w20_an_anomaly_shows_its_numbers_and_can_be_unflagged(
    call: Call, pipeline_id: int, start: Start, end: End
) -> None:
    rule = {"pipeline_id": pipeline_id, "metric_field": "total_rows", "minimum_executions": 5}
    made = call("POST", "/anomaly_detection_rule", json=rule)
    again = call("POST", "/anomaly_detection_rule", json=rule)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=1)

    def run(rows: int, hour: int = 12) -> int:
        begun = noon.replace(hour=hour)
        execution_id = start(start_date=begun.isoformat())
        end(execution_id, (begun + timedelta(minutes=1)).isoformat(), total_rows=rows)
        return execution_id

    for rows in (100, 101, 99, 100, 102):
        run(rows)
    for _ in range(5):
        run(5000, hour=3)  # another hour is another baseline
    odd = run(5000)

    def numbers() -> Any:
        return call("GET", f"/api/v1/executions/{odd}/anomalies").json()["items"]

    [found] = until(numbers)
    assert found["is_anomaly"] is True
    assert (found["numbers"]["mean"], found["numbers"]["executions"]) == (100.4, 5)
    assert call("GET", f"/pipeline_execution/{odd}").json()["anomaly_flags"] == {"total_rows": True}
    [listed] = call(
        "GET", "/api/v1/executions", params={"pipeline_id": pipeline_id, "anomalous": "true"}
    ).json()["items"]
    assert listed["id"] == odd
    alerts = call("GET", "/api/v1/pipeline-alerts", params={"execution_id": odd}).json()["items"]
    assert [one["kind"] for one in alerts] == ["anomaly"]
    unflag = {"pipeline_id": pipeline_id, "pipeline_execution_id": odd}
    for metrics, status in ((["inserts"], 404), (["total_rows"], 204), (["total_rows"], 404)):
        answer = call("POST", "/unflag_anomaly", json={**unflag, "metric_field": metrics})
        assert answer.status_code == status
    shown = call("GET", f"/api/v1/executions/{odd}/anomalies").json()
    assert shown["flags"] == {"total_rows": False}
    assert shown["items"][0]["unflagged_at"] is not None
    body = {"metric_field": ["total_rows"], "is_flagged": True}
    shown = call("PUT", f"/api/v1/executions/{odd}/anomalies", json=body).json()
    assert (shown["flags"], shown["items"][0]["unflagged_at"]) == ({"total_rows": True}, None)


def test_anomaly_rules_are_changed(call: Call, pipeline_id: int) -> None:
    rule = {"pipeline_id": pipeline_id, "metric_field": "Throughput"}
    rule_id = call("POST", "/anomaly_detection_rule", json=rule).json()["id"]
    changed = call("PATCH", "/anomaly_detection_rule", json={"id": rule_id, "z_threshold": 2.5})
    assert (changed.status_code, changed.json()["z_threshold"]) == (200, 2.5)
    assert changed.json() == call("GET", f"/anomaly_detection_rule/{rule_id}").json()
    found = call("GET", "/anomaly_detection_rule", params={"pipeline_id": pipeline_id}).json()
    assert [one["id"] for one in found] == [rule_id]
    other = {**rule, "metric_field": "inserts"}
    other_id = call("POST", "/anomaly_detection_rule", json=other).json()["id"]
    taken = {"id": other_id, "metric_field": "throughput"}
    assert call("PATCH", "/anomaly_detection_rule", json=taken).status_code == 409
    for wrong, status in (
        ({**rule, "pipeline_id": 10**12}, 404),
        ({**rule, "metric_field": "colour"}, 422),
        ({**rule, "z_threshold": 0.5}, 422),
        ({**rule, "minimum_executions": 4}, 422),
    ):
        assert call("POST", "/anomaly_detection_rule", json=wrong).status_code == status


@pytest.fixture
def orders(call: Call) -> Iterator[int]:
    table_id = call("PUT", "/api/v1/tables", json={"table": "shop.orders"}).json()["id"]
    rules = [
        {"name": "amount_known", "type": "not_null", "column": "amount"},
        {"name": "id_known", "type": "not_null", "column": "id"},
    ]
    answer = call("PUT", f"/api/v1/tables/{table_id}/rules", json={"rules": rules})
    assert answer.status_code == 200, answer.text
    yield table_id
    call("DELETE", f"/api/v1/tables/{table_id}")


def test_w22_a_successful_end_checks_what_it_wrote(
    call: Call, report: Report, orders: int, start: Start, end: End
) -> None:
    filled = [{"table": "shop.orders", "column": "id", "by": "watermark"}, {"table": "shop.gone"}]
    pipeline_id = report(tables=filled, next_watermark=2).json()["id"]
    assert len(call("GET", f"/pipeline/{pipeline_id}").json()["tables"]) == 2
    failed = start(start_date="2026-03-01T12:00:00Z")
    end(failed, "2026-03-01T12:01:00Z", completed_successfully=False)
    verdicts = []
    for watermark in (2, 3):  # order 3 has no amount
        report(tables=filled, next_watermark=watermark)
        execution_id = start(start_date="2026-03-01T12:00:00Z")
        end(execution_id, "2026-03-01T12:01:00Z", inserts=1)

        def finished(which: int = execution_id) -> Any:
            checks = call("GET", f"/pipeline_execution/{which}").json()["checks"]
            return [one for one in checks if one["state"] == "finished"]

        [check] = until(finished)
        verdicts.append(check["status"])
        shown = call("GET", f"/api/v1/checks/{check['id']}").json()
        assert shown["request"]["pipeline_execution_id"] == execution_id
        assert (shown["table"], shown["scope"][-1]["value"]) == ("shop.orders", str(watermark))
    assert verdicts == ["pass", "fail"]
    assert call("GET", f"/pipeline_execution/{failed}").json()["checks"] == []


def test_w21_kafka_being_down_changes_no_answer(
    call: Call,
    live_api: LiveApi,
    orders: int,
    report: Report,
    tmp_path_factory: pytest.TempPathFactory,
    new_database: Callable[[], str],
) -> None:
    """The end is answered while no broker is there; the message is sent when one comes."""
    with EmbeddedBroker(0) as broker:
        address = broker.bootstrap_servers
    environment = {
        **live_api.environment,
        "STRINGX_DATABASE_URL": new_database(),
        "STRINGX_KAFKA_BOOTSTRAP_SERVERS": address,
        "STRINGX_KAFKA_DELIVERY_TIMEOUT_S": "2",
    }
    del environment["STRINGX_API_PORT"]
    live = start_api(environment, tmp_path_factory.mktemp("without-kafka"))
    try:
        for path, body in (("connections/demo", {}), ("tables", {"table": "shop.orders"})):
            requests.put(live.api(f"/{path}"), json=body, timeout=30).raise_for_status()

        def post(path: str, **document: Any) -> requests.Response:
            return requests.post(f"{live.url}{path}", json=document, timeout=30)

        filled = {"tables": [{"table": "shop.orders"}]}
        made = post("/pipeline", name="w21", pipeline_type_name="load", **filled).json()["id"]
        started = post("/start_pipeline_execution", pipeline_id=made)
        assert started.status_code == 201
        execution_id = started.json()["id"]
        ended = {"end_date": "2099-01-01T00:00:00Z", "completed_successfully": True}
        assert post("/end_pipeline_execution", id=execution_id, **ended).status_code == 204

        def checks() -> Any:
            path = f"{live.url}/pipeline_execution/{execution_id}"
            return requests.get(path, timeout=30).json()["checks"]

        [check] = until(checks)
        assert check["state"] == "received"
        with EmbeddedBroker(int(address.rpartition(":")[2])):

            def sent() -> bool:
                metrics = requests.get(f"{live.url}/metrics", timeout=30).text
                return "stringx_outbox_pending 0.0" in metrics

            until(sent, 60)
    finally:
        live.stop()
