"""Missing triggers: told of once, as a failure of timeliness and at the gate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import text

from api.expectations import RULE, MissingTriggers
from api.metrics import Metrics
from api.store import expectations
from api.store.gate import Gate
from quality.schedule import Expectation
from tests.api.stores import Store, asks

Call = Callable[..., requests.Response]


@pytest.fixture
def triggers(store: Store) -> MissingTriggers:
    return MissingTriggers(store.database, Metrics(), Gate())


def expect(store: Store, **ago: float) -> int:
    """Checks of shop.a are expected each hour, since so long ago."""
    table_id = store.ids["shop.a"]
    with store.database.begin() as db:
        expectations.put(db, table_id, Expectation(every="1h", grace="5m"))
    store.execute(
        "update expectation set since = now() - cast(:ago as interval),"
        " judged_until = now() - cast(:ago as interval)",
        ago=timedelta(**ago),
    )
    return table_id


def results(store: Store) -> list[Any]:
    with store.database.connect() as db:
        query = "select rule, dimension, status, message from rule_result order by id"
        return list(db.execute(text(query)))


def decision(store: Store) -> Any:
    with store.database.connect() as db:
        return db.execute(text("select decision, basis, check_id from gate_decision")).first()


def test_what_nobody_asked_for_is_a_failure_of_timeliness_once(
    store: Store, triggers: MissingTriggers
) -> None:
    expect(store, minutes=70)
    assert triggers.look() == 1
    assert triggers.look() == 0
    [(rule, dimension, status, message)] = results(store)
    assert (rule, dimension, status) == (RULE, "timeliness", "fail")
    assert "nobody asked" in message
    made = decision(store)
    assert (made.decision, made.basis) == ("block", "fail")
    assert store.check(made.check_id)["source"] == "schedule"


def test_whoever_asks_in_time_keeps_the_slot(store: Store, triggers: MissingTriggers) -> None:
    table_id = expect(store, minutes=70)
    store.claim(asks("request-1"))
    store.execute("update check_run set received_at = now() - interval '9 minutes'")
    assert triggers.look() == 0
    store.execute("update check_run set received_at = now() - interval '80 minutes'")
    store.execute("update expectation set judged_until = since")
    assert triggers.look() == 1, "an event before the slot counted for it"
    with store.database.connect() as db:
        assert expectations.get(db, table_id)["last_missed_at"] is not None


def test_before_the_grace_is_over_nothing_is_missed(
    store: Store, triggers: MissingTriggers
) -> None:
    expect(store, minutes=62)
    assert triggers.look() == 0
    assert results(store) == []


def test_who_was_away_tells_of_the_newest_only_and_counts_what_came_late(
    store: Store, triggers: MissingTriggers
) -> None:
    expect(store, minutes=60 * 5 + 30)
    assert triggers.look() == 1
    assert len(results(store)) == 1
    store.execute("update expectation set judged_until = since")
    store.claim(asks("request-1"))  # it waited in Kafka, and came when we were back
    assert triggers.look() == 0


def test_the_result_of_the_clock_is_no_event(store: Store, triggers: MissingTriggers) -> None:
    expect(store, minutes=70)
    assert triggers.look() == 1
    store.execute("update expectation set judged_until = since")
    store.execute("update check_run set received_at = now() - interval '9 minutes'")
    assert triggers.look() == 1


def test_an_expectation_is_set_read_listed_and_removed(
    call: Call, table: Callable[..., int]
) -> None:
    table_id = table("shop.orders")
    path = f"/tables/{table_id}/expectation"
    assert call("GET", path).json()["code"] == "expectation_unknown"
    body = {"cron": "0 6 * * 1-5", "time_zone": "Europe/Amsterdam", "grace": "90m"}
    first = call("PUT", path, json=body)
    assert first.status_code == 200, first.text
    assert first.json()["grace"] == "90m"
    again = call("PUT", path, json=body).json()
    assert again["since"] == first.json()["since"], "nothing changed"
    other = call("PUT", path, json={"every": "60m"}).json()
    assert (other["every"], other["cron"], other["grace"]) == ("1h", None, "15m")
    assert other["since"] > first.json()["since"]
    listed = call("GET", "/expectations").json()["items"]
    assert [one["table"] for one in listed if one["table_id"] == table_id] == ["shop.orders"]
    assert call("DELETE", path).status_code == 204
    assert call("DELETE", path).status_code == 404
    assert call("PUT", "/tables/999999/expectation", json={"every": "1h"}).status_code == 404
    wrong = call("PUT", path, json={"every": "1h", "cron": "* * * * *"})
    assert wrong.status_code == 422
    assert call("PUT", path, json={"cron": "61 * * * *"}).json()["errors"][0]["path"] == "cron"
