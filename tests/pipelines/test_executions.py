"""Executions: W11 to W17."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from tests.pipelines.conftest import Call

Start = Callable[..., int]
End = Callable[..., requests.Response]
Sql = Callable[..., list[Any]]

NOON = "2026-03-01T12:00:00Z"
LATER = "2026-03-01T12:05:00Z"

DIRECT = """
select e.id from pipeline_execution_closure c
join pipeline_execution e on e.id = c.child_execution_id
where c.parent_execution_id = %(id)s and c.depth = 1 order by e.id
"""
DOWNSTREAM = """
select e.id, c.depth from pipeline_execution_closure c
join pipeline_execution e on e.id = c.child_execution_id
where c.parent_execution_id = %(id)s and c.depth > 0 order by c.depth, e.id
"""
UPSTREAM = """
select e.id, c.depth from pipeline_execution_closure c
join pipeline_execution e on e.id = c.parent_execution_id
where c.child_execution_id = %(id)s and c.depth > 0 order by c.depth, e.id
"""
ROWS = """
select parent_execution_id, depth from pipeline_execution_closure
where child_execution_id = %(id)s order by depth
"""


def test_w11_an_execution_starts_now_or_when_it_says(
    call: Call, pipeline_id: int, start: Start
) -> None:
    shown = call("GET", f"/pipeline_execution/{start()}").json()
    began = datetime.fromisoformat(shown["start_date"])
    assert abs(datetime.now(UTC) - began) < timedelta(minutes=1)
    assert (shown["end_date"], shown["completed_successfully"]) == (None, None)
    shown = call("GET", f"/pipeline_execution/{start(start_date=NOON, next_watermark=9)}").json()
    assert datetime.fromisoformat(shown["start_date"]) == datetime.fromisoformat(NOON)
    assert (shown["pipeline_id"], shown["next_watermark"]) == (pipeline_id, "9")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"pipeline_id": 10**12}, 404),
        ({"parent_id": 10**12}, 404),
        ({"start_date": "yesterday"}, 422),
        ({"start_date": 5}, 422),
        ({"pipeline_id": "x"}, 422),
        ({"next_watermark": "x" * 51}, 422),
    ],
)
def test_w11_wrong_starts(call: Call, pipeline_id: int, wrong: dict[str, Any], status: int) -> None:
    document = {"pipeline_id": pipeline_id, **wrong}
    assert call("POST", "/start_pipeline_execution", json=document).status_code == status


def test_a_start_that_cannot_be_shown_is_none(
    call: Call, pipeline_id: int, sql: Sql, postgres: EmbeddedPostgres
) -> None:
    """Whoever is told 503 asks again: there must not be two of it then."""

    def started() -> int:
        count = "select count(*) from pipeline_execution where pipeline_id = %(id)s"
        return int(sql(count, id=pipeline_id)[0][0])

    def start() -> int:
        return call("POST", "/api/v1/executions", json={"pipeline_id": pipeline_id}).status_code

    with psycopg.connect(postgres.url()) as held:
        held.execute("lock table check_run in access exclusive mode")
        assert (start(), started()) == (503, 0)
    assert (start(), started()) == (201, 1)


def test_w12_the_end_shows_duration_and_throughput(
    call: Call, pipeline_id: int, start: Start, end: End
) -> None:
    execution_id = start(start_date=NOON)
    answer = end(
        execution_id,
        LATER,
        total_rows=10_000,
        pipeline_id=pipeline_id,
        execution_metadata={"Part": 1},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    shown = call("GET", f"/pipeline_execution/{execution_id}").json()
    assert (shown["duration_seconds"], shown["throughput"]) == (300, 33.3333)
    assert (shown["execution_metadata"], shown["total_rows"]) == ({"Part": 1}, 10_000)


def test_w12_whoever_asks_gets_the_execution(call: Call, start: Start, end: End) -> None:
    document = {"id": start(start_date=NOON), "end_date": LATER, "completed_successfully": False}
    answer = call("POST", "/end_pipeline_execution?return=representation", json=document)
    assert (answer.status_code, answer.json()["completed_successfully"]) == (200, False)
    document = {"id": start(start_date=NOON), "end_date": LATER, "completed_successfully": True}
    answer = call("POST", "/api/v1/executions/end", json={**document, "inserts": 3, "updates": 3})
    assert (answer.status_code, answer.json()["throughput"]) == (200, 0.02)


def test_w13_ends_that_cannot_be(start: Start, end: End) -> None:
    execution_id = start(start_date=NOON)
    assert end(execution_id, NOON).status_code == 400
    assert end(execution_id, "2026-03-01T11:59:59+00:00").status_code == 400
    assert end(10**12, LATER).status_code == 404
    for field in ("total_rows", "inserts", "updates", "soft_deletes"):
        assert end(execution_id, LATER, **{field: -1}).status_code == 422
    assert end(execution_id, LATER, inserts=1).status_code == 204
    assert end(execution_id, "2026-03-01T13:05:00+01:00", inserts=1).status_code == 204
    assert end(execution_id, LATER, inserts=2).status_code == 409
    assert end(execution_id, LATER, inserts=1, completed_successfully=False).status_code == 409


def test_w14_only_a_success_moves_the_watermark(
    report: Callable[..., requests.Response], start: Start, end: End
) -> None:
    assert report(next_watermark=10).json()["watermark"] is None
    failed = start(start_date=NOON)
    end(failed, LATER, completed_successfully=False)
    assert report().json()["watermark"] is None
    end(start(start_date=NOON), LATER)
    assert report().json()["watermark"] == "10"
    assert report(next_watermark=12).json()["watermark"] == "10"
    end(start(start_date=NOON), LATER, completed_successfully=False)
    assert report().json()["watermark"] == "10"
    end(start(start_date=NOON), LATER)
    assert report().json()["watermark"] == "12"


def test_w15_successful_writes_are_noted(
    call: Call, pipeline_id: int, start: Start, end: End
) -> None:
    fields = ("last_target_insert", "last_target_update", "last_target_soft_delete")

    def written() -> list[str | None]:
        shown = call("GET", f"/pipeline/{pipeline_id}").json()
        return [shown[field] for field in fields]

    end(
        start(start_date=NOON),
        LATER,
        inserts=5,
        updates=5,
        soft_deletes=5,
        completed_successfully=False,
    )
    assert written() == [None, None, None]
    end(start(start_date=NOON), LATER, inserts=1, updates=0)
    first = "2026-03-01T12:05:00+00:00"
    assert written() == [first, None, None]
    end(start(start_date=NOON), "2026-03-02T00:00:00Z", updates=1, soft_deletes=2, inserts=0)
    second = "2026-03-02T00:00:00+00:00"
    assert written() == [first, second, second]


def test_w16_the_closure_and_its_three_queries(start: Start, sql: Sql) -> None:
    root = start()
    child = start(parent_id=root)
    sibling = start(parent_execution_id=root)
    grandchild = start(parent_id=child)
    assert sql(DIRECT, id=root) == [(child,), (sibling,)]
    assert sql(DOWNSTREAM, id=root) == [(child, 1), (sibling, 1), (grandchild, 2)]
    assert sql(UPSTREAM, id=grandchild) == [(child, 1), (root, 2)]
    assert sql(ROWS, id=grandchild) == [(grandchild, 0), (child, 1), (root, 2)]
    assert sql(ROWS, id=root) == [(root, 0)]


def test_w16_starts_at_the_same_time_under_one_parent(start: Start, sql: Sql) -> None:
    root = start()
    middle = start(parent_id=root)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: start(parent_id=middle), range(40)))
    assert sql(DIRECT, id=middle) == [(one,) for one in sorted(made)]
    assert sql(DOWNSTREAM, id=root) == [(middle, 1), *((one, 2) for one in sorted(made))]


def test_w17_children_and_the_whole_tree(call: Call, start: Start, end: End) -> None:
    def at(minute: int) -> str:
        return f"2026-03-01T12:{minute:02}:00Z"

    root = start(start_date=at(0))
    extract = start(start_date=at(0), parent_id=root)
    load = start(start_date=at(4), parent_id=root)
    copy = start(start_date=at(5), parent_id=load)
    after = start(start_date=at(9), parent_id=root)
    end(extract, at(4))
    end(copy, at(8), completed_successfully=False)
    end(load, at(9), completed_successfully=False)
    end(after, at(10))
    end(root, at(10), completed_successfully=False)
    shown = call("GET", f"/pipeline_execution/{root}").json()
    assert [child["id"] for child in shown["child_executions"]] == [extract, load, after]
    found = call("GET", f"/api/v1/executions/{root}/tree").json()
    assert (found["executions"], found["is_complete"]) == (5, True)
    assert found["failed_execution_id"] == copy
    top = found["root"]
    assert [child["id"] for child in top["children"]] == [extract, load, after]
    assert [child["share"] for child in top["children"]] == [0.4, 0.5, 0.1]
    assert (top["share"], top["own_share"]) == (1.0, 0.0)
    [inner] = top["children"][1]["children"]
    assert (inner["id"], inner["share"], inner["is_failed"]) == (copy, 0.3, True)
    assert top["children"][1]["own_share"] == 0.2
    below = call("GET", f"/api/v1/executions/{load}/tree").json()
    assert (below["executions"], below["root"]["children"][0]["share"]) == (2, 0.6)


def test_executions_are_listed(
    call: Call, name: str, pipeline_id: int, start: Start, end: End
) -> None:
    running, failed, done = (start(start_date=NOON) for _ in range(3))
    end(failed, LATER, completed_successfully=False)
    end(done, LATER, total_rows=3)
    for narrowed, expected in (
        ({}, [done, failed, running]),
        ({"state": "running"}, [running]),
        ({"state": "failed"}, [failed]),
        ({"state": "succeeded", "since": NOON, "until": LATER}, [done]),
        ({"since": LATER}, []),
        ({"anomalous": "true"}, []),
        ({"parent_id": done}, []),
    ):
        for which in ({"pipeline_id": pipeline_id}, {"pipeline": name}):
            answer = call("GET", "/api/v1/executions", params={**which, **narrowed})
            assert answer.status_code == 200, answer.text
            assert [one["id"] for one in answer.json()["items"]] == expected, narrowed


def test_w20_the_daily_report(call: Call, name: str, start: Start, end: End) -> None:
    begun = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for minutes, succeeded in ((1, True), (3, True), (2, False)):
        ended = (begun + timedelta(minutes=minutes)).isoformat()
        execution_id = start(start_date=begun.isoformat())
        end(execution_id, ended, completed_successfully=succeeded, total_rows=10)
    start()
    report = call("GET", "/api/v1/pipelines/report").json()
    [found] = [one for one in report["items"] if one["pipeline"] == name]
    counts = [found[key] for key in ("executions", "succeeded", "failed", "running")]
    assert counts == [4, 2, 1, 1]
    assert (found["mean_seconds"], found["longest_seconds"], found["total_rows"]) == (120, 180, 30)
    assert found["day"] == begun.date().isoformat()
