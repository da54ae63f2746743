"""Pipelines and their types: W1 to W10."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import LiveApi, start_api
from tests.pipelines.conftest import Call

Report = Callable[..., requests.Response]


def test_w1_a_new_pipeline_makes_its_type(call: Call, name: str) -> None:
    document = {
        "name": f"  {name.upper()} ",
        "pipeline_type_name": f"Type Of {name}",
        "pipeline_metadata": {"Team": "Ops"},
        "unknown": 1,
    }
    answer = call("POST", "/pipeline", json=document)
    assert answer.status_code == 201
    found = answer.json()
    assert found == {"id": found["id"], "active": True, "load_lineage": True, "watermark": None}
    shown = call("GET", f"/pipeline/{found['id']}").json()
    assert (shown["name"], shown["pipeline_metadata"]) == (name, {"Team": "Ops"})
    [made] = call("GET", "/pipeline_type", params={"name": f"type of {name}"}).json()
    assert made["id"] == shown["pipeline_type_id"]


def test_w1_reports_at_the_same_time_make_one_type(call: Call, name: str) -> None:
    def report(number: int) -> int:
        document = {"name": f"{name} {number % 4}", "pipeline_type_name": f"kind of {name}"}
        return call("POST", "/pipeline", json=document).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(report, range(16)))
    assert sorted(statuses) == [200] * 12 + [201] * 4
    assert len(call("GET", "/pipeline", params={"type": f"kind of {name}"}).json()) == 4
    assert len(call("GET", "/pipeline_type", params={"name": f"kind of {name}"}).json()) == 1


def test_w2_the_same_report_changes_nothing_whoever_takes_it(
    call: Call, report: Report, live_api: LiveApi, name: str, tmp_path: Path
) -> None:
    fields = {"pipeline_metadata": {"b": [1, 2], "a": {"y": 1, "x": None}}, "freshness_number": 1}
    first = report(**fields, freshness_datepart="day").json()["id"]
    before = call("GET", f"/pipeline/{first}").json()
    again = report(**fields, freshness_datepart="Day ")
    assert (again.status_code, again.json()["id"]) == (200, first)
    environment = {**live_api.environment, "PYTHONHASHSEED": "7"}
    del environment["STRINGX_API_PORT"]
    other = start_api(environment, tmp_path)  # another process, and after a restart
    try:
        document = {"name": name, "pipeline_type_name": "extraction", **fields}
        document["freshness_datepart"] = "day"
        answer = requests.post(f"{other.url}/pipeline", json=document, timeout=30)
        assert (answer.status_code, answer.json()["id"]) == (200, first)
    finally:
        other.stop()
    assert call("GET", f"/pipeline/{first}").json() == before


def test_w3_the_record_follows_the_code(call: Call, report: Report) -> None:
    made = report(freshness_number=24, freshness_datepart="hour").json()["id"]
    assert report(freshness_number=48, freshness_datepart="hour").status_code == 200
    assert call("GET", f"/pipeline/{made}").json()["freshness_number"] == 48
    assert report().status_code == 200
    shown = call("GET", f"/pipeline/{made}").json()
    assert (shown["freshness_number"], shown["freshness_datepart"]) == (None, None)


def test_w4_order_of_keys_and_watermarks_are_no_change(call: Call, report: Report) -> None:
    made = report(pipeline_metadata={"a": 1, "b": {"c": 2, "d": 3}}).json()["id"]
    before = call("GET", f"/pipeline/{made}").json()
    report(pipeline_metadata={"b": {"d": 3, "c": 2}, "a": 1}, next_watermark="X-7")
    after = call("GET", f"/pipeline/{made}").json()
    assert after == {**before, "next_watermark": "X-7"}
    report(pipeline_metadata={"a": 2})
    assert call("GET", f"/pipeline/{made}").json()["updated_at"] > before["updated_at"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(150, "150"), ("Ab", "Ab"), ("2026-01-31", "2026-01-31"), ("x" * 50, "x" * 50)],
)
def test_w5_watermarks_are_texts(
    call: Call,
    report: Report,
    start: Callable[..., int],
    end: Report,
    sent: Any,
    kept: str,
) -> None:
    assert report(next_watermark=sent).json()["watermark"] is None
    end(start(start_date="2026-01-01T00:00:00Z"), "2026-01-01T00:01:00Z")
    assert report().json()["watermark"] == kept


@pytest.mark.parametrize("wrong", ["x" * 51, 10**60, 1.5, True, {"a": 1}, "nul\x00"])
def test_w5_other_watermarks_are_refused(report: Report, wrong: Any) -> None:
    answer = report(next_watermark=wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "next_watermark"


@pytest.mark.parametrize("kind", ["freshness", "timeliness"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 1},
        {"datepart": "day"},
        {"number": 0, "datepart": "day"},
        {"number": -1, "datepart": "day"},
        {"number": 1, "datepart": "quarter"},
    ],
)
def test_w6_half_and_wrong_thresholds_are_refused(
    call: Call, report: Report, pipeline_id: int, kind: str, wrong: dict[str, Any]
) -> None:
    fields = {f"{kind}_{part}": value for part, value in wrong.items()}
    assert report(**fields).status_code == 422
    assert call("PATCH", "/pipeline", json={"id": pipeline_id, **fields}).status_code == 422
    assert call("POST", "/pipeline_type", json={"name": "wrong", **fields}).status_code == 422


def test_w7_inactive_is_informational(
    call: Call, report: Report, name: str, pipeline_id: int, start: Callable[..., int]
) -> None:
    before = call("GET", f"/pipeline/{pipeline_id}").json()
    answer = call("PATCH", "/pipeline", json={"name": name, "active": False})
    assert answer.status_code == 200
    changed = {"active": False, "updated_at": answer.json()["updated_at"]}
    assert answer.json() == {**before, **changed}
    assert call("GET", f"/pipeline/{pipeline_id}").json() == answer.json()
    assert report().json()["active"] is False
    assert start() > 0


def test_w8_a_change_names_one_pipeline(call: Call, name: str, pipeline_id: int) -> None:
    other = {"name": f"{name} b", "pipeline_type_name": "extraction"}
    other_id = call("POST", "/pipeline", json=other).json()["id"]
    for document, status in (
        ({"active": False}, 422),
        ({"id": 10**12, "active": False}, 404),
        ({"name": "nobody", "active": False}, 404),
        ({"id": other_id, "name": name}, 409),
        ({"id": other_id, "name": f"{name} c"}, 200),
        ({"pipeline_id": other_id, "next_watermark": 3}, 200),
    ):
        assert call("PATCH", "/pipeline", json=document).status_code == status, document
    shown = call("GET", f"/pipeline/{other_id}").json()
    assert (shown["name"], shown["next_watermark"]) == (f"{name} c", "3")


def test_w10_lists_are_paged_and_narrowed(call: Call, name: str, pipeline_id: int) -> None:
    [found] = call("GET", "/pipeline", params={"name": name.upper()}).json()
    assert found["id"] == pipeline_id
    call("PATCH", "/pipeline", json={"id": pipeline_id, "owner": name, "active": False})
    other = {"name": f"{name} b", "pipeline_type_name": f"kind of {name}", "owner": name}
    other_id = call("POST", "/pipeline", json=other).json()["id"]
    for narrowed, expected in (
        ({"owner": name}, [pipeline_id, other_id]),
        ({"owner": name, "active": "true"}, [other_id]),
        ({"owner": name, "type": f"KIND of {name}"}, [other_id]),
    ):
        found = call("GET", "/pipeline", params=narrowed).json()
        assert [one["id"] for one in found] == expected, narrowed
        page = call("GET", "/api/v1/pipelines", params=narrowed).json()
        assert [one["id"] for one in page["items"]] == expected
    first = call("GET", "/pipeline", params={"owner": name, "limit": 1})
    assert len(first.json()) == 1
    rest = call("GET", first.links["next"]["url"])
    assert [one["id"] for one in rest.json()] == [other_id]
    assert "next" not in rest.links


@pytest.mark.parametrize(
    "path", ["/pipeline/{}", "/pipeline_type/{}", "/pipeline_execution/{}", "/api/v1/pipelines/{}"]
)
@pytest.mark.parametrize("number", [10**12, 2**70, 0])
def test_w10_unknown_is_404(call: Call, path: str, number: int) -> None:
    answer = call("GET", path.format(number))
    assert answer.status_code == 404
    assert answer.json()["code"].endswith("_unknown")


def test_types_are_made_once_and_changed(call: Call, name: str) -> None:
    document = {"name": f"T {name}", "freshness_number": 2, "freshness_datepart": "week"}
    made = call("POST", "/pipeline_type", json=document)
    again = call("POST", "/pipeline_type", json={"name": f"t {name}"})
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    change = {"id": made.json()["id"], "mute_freshness_check": True, "freshness_number": 3}
    assert call("PATCH", "/pipeline_type", json=change).status_code == 200
    shown = call("GET", f"/pipeline_type/{made.json()['id']}").json()
    assert (shown["freshness_number"], shown["freshness_datepart"]) == (3, "week")
    assert (shown["mute_freshness_check"], shown["name"]) == (True, f"t {name}")
    call("POST", "/pipeline_type", json={"name": f"u {name}"})
    taken = call("PATCH", "/pipeline_type", json={"id": made.json()["id"], "name": f"u {name}"})
    assert taken.status_code == 409
    assert call("PATCH", "/pipeline_type", json={"name": "nothing"}).status_code == 404
    assert call("PATCH", "/pipeline_type", json={}).status_code == 422
