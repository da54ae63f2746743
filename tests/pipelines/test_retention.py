"""Retention: W20 (clean-up by date that really deletes), each kind for its own time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import requests

from tests.pipelines.conftest import Call

Start = Callable[..., int]
Sql = Callable[..., list[Any]]
End = Callable[..., requests.Response]

AGED_ALERT = """
update pipeline_alert set at = at - interval '3 years' where execution_id = %(id)s
"""
AGED_CHECKS = """
update check_run set received_at = now() - interval '3 years' where id = any(%(ids)s)
"""
EVENT = """
insert into audit_event (at, actor, action, subject, detail)
values (%(at)s, 'x', 'a.b', %(subject)s, '{}')
"""


def there(sql: Sql, *ids: int) -> list[int]:
    query = "select id from pipeline_execution where id = any(%(ids)s) order by id"
    return [row[0] for row in sql(query, ids=list(ids))]


def test_w20_executions_go_by_date_with_all_about_them(
    call: Call, report: Callable[..., requests.Response], start: Start, end: End, sql: Sql
) -> None:
    report(timeliness_number=1, timeliness_datepart="minute")
    old = start(start_date="2020-01-01T00:00:00Z")
    old_child = start(start_date="2020-01-01T00:00:00Z", parent_id=old)
    young_child = start(parent_id=old_child)
    end(old, "2020-01-01T01:00:00Z", inserts=1)
    call("POST", "/timeliness", json={})  # alerts of the one that still runs
    sql(AGED_ALERT, id=old_child)
    preview = {one["kind"]: one for one in call("GET", "/api/v1/retention").json()["items"]}
    assert preview["executions"]["rows"] >= 2
    assert preview["executions"]["oldest"] == "2020-01-01T00:00:00+00:00"
    assert there(sql, old, old_child, young_child) == [old, old_child, young_child]
    done = call("POST", "/log_cleanup", json={"retention_days": 90, "batch_size": 1}).json()
    assert done["total_pipeline_executions_deleted"] >= 2
    assert done["total_timeliness_pipeline_execution_logs_deleted"] >= 1
    closure = "total_pipeline_execution_closure_{}_deleted"
    assert sum(done[closure.format(side)] for side in ("parent", "child")) >= 5
    assert there(sql, old, old_child, young_child) == [young_child]
    shown = call("GET", f"/pipeline_execution/{young_child}").json()
    assert shown["parent_id"] is None
    rows = "select 1 from pipeline_execution_closure where child_execution_id = %(id)s"
    assert len(sql(rows, id=young_child)) == 1
    again = call("POST", "/log_cleanup", json={"retention_days": 90}).json()
    assert set(again.values()) == {0}


@pytest.mark.parametrize("days", [89, 0, -1, "x", None])
def test_w20_less_than_90_days_is_refused(call: Call, days: Any) -> None:
    assert call("POST", "/log_cleanup", json={"retention_days": days}).status_code == 422


def test_results_go_but_the_newest_check_of_a_table_stays(call: Call, sql: Sql) -> None:
    table_id = call("PUT", "/api/v1/tables", json={"table": "shop.customers"}).json()["id"]
    rules = [{"name": "id_known", "type": "not_null", "column": "id"}]
    call("PUT", f"/api/v1/tables/{table_id}/rules", json={"rules": rules})
    ids = [
        call("POST", "/api/v1/checks", json={"table": "shop.customers"}).json()["id"]
        for _ in range(2)
    ]
    sql(AGED_CHECKS, ids=ids)
    done = call("POST", "/api/v1/retention", json={"kinds": ["results"]})
    assert done.json()["dropped"]["results"] >= 1
    statuses = [call("GET", f"/api/v1/checks/{one}").status_code for one in ids]
    assert statuses == [404, 200]
    call("DELETE", f"/api/v1/tables/{table_id}")


def test_the_trail_loses_only_what_is_old(call: Call, sql: Sql) -> None:
    for at in ("2020-01-01", "now"):
        sql(EVENT, at=at, subject=f"retention {at}")
    for statement in (
        "delete from audit_event where subject = 'retention now'",
        "delete from audit_event",
        "update audit_event set actor = 'y'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql(statement)
    assert call("POST", "/api/v1/retention", json={"kinds": ["audit"]}).status_code == 200
    left = sql("select subject from audit_event where subject like 'retention %%'")
    assert ("retention 2020-01-01",) not in left
    assert ("retention now",) in left
