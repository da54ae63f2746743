"""Jobs by the clock: one runner among replicas, and what no check made as results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from api.schedule import Scheduler
from api.store import connections, results, tables
from api.store.database import Database, migrate, open_database
from api.store.synthetic import Observation, store_result
from quality.checks import RuleResult
from quality.settings import ApiSettings
from tests.pipelines.test_follow_ups import until


@pytest.fixture
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    database = open_database(ApiSettings(database_url=new_database()))
    yield database
    database.dispose()


def test_one_replica_runs_a_job_until_it_is_gone(database: Database) -> None:
    ran = {"first": 0, "second": 0}
    more = threading.Event()

    def replica(name: str) -> Scheduler:
        scheduler = Scheduler(database)

        def work() -> None:
            ran[name] += 1
            if sum(ran.values()) >= 3:
                more.set()

        def breaks() -> None:
            raise RuntimeError("this one fails each time")

        scheduler.add("breaks", 0.05, breaks)
        scheduler.add("work", 0.05, work)
        scheduler.start()
        return scheduler

    first = replica("first")
    until(lambda: ran["first"])
    second = replica("second")
    assert more.wait(30)
    assert ran["second"] == 0
    first.stop()
    until(lambda: ran["second"])
    second.stop()


@pytest.mark.parametrize("sets_verdict", [False, True])
def test_a_result_without_a_check(database: Database, sets_verdict: bool) -> None:
    migrate(database)
    result = RuleResult(
        rule="came",
        type="missing",
        dimension="timeliness",
        kind="engineering",
        severity="error",
        status="fail",
        failures=1,
    )
    with database.begin() as db:
        connections.put(db, "demo", "demo", "")
        table_id = tables.put(db, "demo", "shop.a", None, "")[0]["id"]
        now = datetime.now(UTC)
        seen = Observation("demo", "shop.a", result, now, table_id, sets_verdict)
        kept = store_result(db, seen)
        shown = results.check(db, kept.check_id)
        status = tables.get(db, table_id)["last_status"]
    assert (shown["state"], shown["status"], shown["source"]) == ("finished", "fail", "schedule")
    assert [one["dimension"] for one in shown["results"]] == ["timeliness"]
    assert status == ("fail" if sets_verdict else None)
