"""Limits of time, locks, lost connections, cancelling and closing: never a pass, nothing left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from quality.checks import CheckOutcome
from quality.engine import Cancellation
from quality.engine.plan import arranging
from quality.engine.planned import PlannedEngine
from tests.engine.conftest import Target, rule_set, said
from tests.engine.test_dbt_process import wait_for

NULLS = {"type": "not_null", "column": "v"}
QUICK = rule_set("engine.brisk", NULLS)
SLOW = rule_set("engine.sleepy", NULLS)
EngineMaker = Callable[..., PlannedEngine]


@pytest.fixture(scope="module", autouse=True)
def tables(target: Target) -> None:
    target.execute(
        "create table engine.brisk (id integer, v integer)",
        "insert into engine.brisk select i, nullif(i, 1) from generate_series(1, 8) i",
        "create view engine.sleepy as select length(pg_sleep(30)::text) as v, 1 as w",
        # Slow in one column only.
        "create view engine.half_sleepy as select i as v, "
        "case when i = 1 then nullif(length(pg_sleep(30)::text), 0) end as w "
        "from generate_series(1, 3) i offset 0",
    )


@pytest.fixture(params=[arranging.SMALL_BYTES, 0], ids=["one message", "side by side"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(arranging, "SMALL_BYTES", request.param)
    yield


def sleeping(target: Target) -> int:
    """Queries of checks that the server still runs."""
    return int(
        target.value(
            "select count(*) from pg_stat_activity where state = 'active' "
            "and pid <> pg_backend_pid() and query like '%sleepy%'"
        )
    )


def backends(target: Target) -> list[int]:
    """Process ids of the engine's open connections."""
    with psycopg.connect(target.url) as connection:
        rows = connection.execute(
            "select pid from pg_stat_activity where usename = 'stringx_reader' "
            "and application_name = 'stringx'"
        ).fetchall()
    return [row[0] for row in rows]


def in_background(call: Callable[[], CheckOutcome]) -> tuple[threading.Thread, list[CheckOutcome]]:
    found: list[CheckOutcome] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    return thread, found


def test_a_statement_that_runs_too_long_is_an_error_that_says_what_ran(
    new_engine: EngineMaker, target: Target
) -> None:
    engine = new_engine(statement_timeout_s=1.0)
    outcome = engine.run(rule_set("engine.sleepy", NULLS, {"type": "unique", "column": "w"}))
    assert (outcome.status, outcome.error_code) == ("error", None)
    for result in outcome.results:
        assert (result.status, result.failures) == ("error", None)
        assert str(result.message).startswith("timeout: the ")
        assert "ran 1." in str(result.message)
    assert sleeping(target) == 0


def test_a_check_ends_at_its_time_limit(new_engine: EngineMaker, target: Target) -> None:
    engine = new_engine()
    engine.run(QUICK)
    started = time.monotonic()
    outcome = engine.run(SLOW, time_limit_s=1.5)
    assert outcome.status == "error"
    assert "timeout" in (outcome.error_code or str(outcome.results[0].message))
    assert time.monotonic() - started < 20
    assert sleeping(target) == 0
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]


def test_what_took_too_long_leaves_the_other_rules_their_verdicts(
    new_engine: EngineMaker, either_way: None
) -> None:
    engine = new_engine(statement_timeout_s=1.5)
    to = {"to": "engine.brisk", "field": "id"}
    outcome = engine.run(
        rule_set(
            "engine.half_sleepy",
            {"type": "relationships", "column": "v", "arguments": to},
            {**NULLS, "column": "w"},
        )
    )
    statuses = [result.status for result in outcome.results]
    assert statuses[1] == "error"
    assert "timeout" in str(outcome.results[1].message)


def test_a_locked_table_is_an_error_that_says_so(
    new_engine: EngineMaker, target: Target, either_way: None
) -> None:
    engine = new_engine(lock_timeout_s=0.5)
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]
    with psycopg.connect(target.url) as connection:
        connection.execute("lock table engine.brisk in access exclusive mode")
        outcome = engine.run(QUICK)
    assert (outcome.status, outcome.error_code) == ("error", "target_busy")
    assert "lock timeout" in str(outcome.error)
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]


def test_a_cancelled_check_ends_and_so_does_its_query(
    new_engine: EngineMaker, target: Target, either_way: None
) -> None:
    engine = new_engine()
    cancellation = Cancellation()
    thread, found = in_background(lambda: engine.run(SLOW, cancellation=cancellation))
    wait_for(lambda: sleeping(target) > 0, "the query ran")
    cancellation.cancel()
    thread.join(15)
    assert not thread.is_alive()
    assert (found[0].status, found[0].error_code) == ("error", "cancelled")
    wait_for(lambda: sleeping(target) == 0, "the server noticed", 10)
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]


def test_a_check_that_was_cancelled_before_does_not_begin(new_engine: EngineMaker) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    outcome = new_engine().run(QUICK, cancellation=cancellation)
    assert (outcome.status, outcome.error_code) == ("error", "cancelled")


def test_closing_the_engine_ends_its_queries(new_engine: EngineMaker, target: Target) -> None:
    engine = new_engine()
    thread, found = in_background(lambda: engine.run(SLOW))
    wait_for(lambda: sleeping(target) > 0, "the query ran")
    engine.close()
    thread.join(15)
    assert not thread.is_alive()
    assert (found[0].status, found[0].error_code) == ("error", "cancelled")
    wait_for(lambda: sleeping(target) == 0, "the server noticed", 10)


def test_a_connection_that_was_closed_while_idle_is_replaced(
    new_engine: EngineMaker, target: Target, either_way: None
) -> None:
    engine = new_engine()
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]
    with psycopg.connect(target.url) as connection:
        for pid in backends(target):
            connection.execute("select pg_terminate_backend(%s)", (pid,))
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]


def test_a_connection_that_breaks_in_the_middle_is_an_error(
    new_engine: EngineMaker, target: Target, either_way: None
) -> None:
    engine = new_engine()
    thread, found = in_background(lambda: engine.run(SLOW))
    wait_for(lambda: sleeping(target) > 0, "the query ran")
    with psycopg.connect(target.url) as connection:
        for pid in backends(target):
            connection.execute("select pg_terminate_backend(%s)", (pid,))
    thread.join(15)
    assert (found[0].status, found[0].error_code) == ("error", "target_unreachable")
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]


def test_a_server_that_hangs_does_not_hold_the_check_for_ever(
    new_engine: EngineMaker, target: Target, either_way: None
) -> None:
    """A stopped process answers nothing, not even a request to cancel."""
    engine = new_engine(target_connections=1)
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]
    before = set(backends(target))
    thread, found = in_background(lambda: engine.run(SLOW, time_limit_s=3.0))
    wait_for(lambda: sleeping(target) > 0, "the query ran")
    stopped = [pid for pid in backends(target) if pid in before] or backends(target)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        thread.join(25)
        assert not thread.is_alive()
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert (found[0].status, found[0].error_code) == ("error", "timeout")
    assert said(engine.run(QUICK)) == [("fail", 1, 8)]


def test_who_finds_no_free_connection_is_told_so(new_engine: EngineMaker, target: Target) -> None:
    engine = new_engine(target_connections=1)
    engine.run(QUICK)
    cancellation = Cancellation()
    thread, _ = in_background(lambda: engine.run(SLOW, cancellation=cancellation))
    wait_for(lambda: sleeping(target) > 0, "the query ran")
    outcome = engine.run(QUICK, time_limit_s=0.5)
    cancellation.cancel()
    thread.join(15)
    assert (outcome.status, outcome.error_code) == ("error", "engine_busy")


def test_many_checks_at_once_keep_to_the_bound_and_stay_right(
    new_engine: EngineMaker, target: Target, either_way: None
) -> None:
    engine = new_engine(target_connections=3)
    target.execute(
        "create table if not exists engine.brisk2 (id integer, v integer)",
        "truncate engine.brisk2",
        "insert into engine.brisk2 values (1, null), (1, null), (2, 5)",
    )
    other = rule_set("engine.brisk2", NULLS, {"type": "unique", "column": "id"})
    expected = {"engine.brisk": [("fail", 1, 8)], "engine.brisk2": [("fail", 2, 3), ("fail", 1, 3)]}
    most = 0

    def run(rules: Any) -> bool:
        nonlocal most
        outcome = engine.run(rules)
        most = max(most, len(backends(target)))
        return said(outcome) == expected[str(rules.table)]

    before = len(backends(target))
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(run, [QUICK, other] * 60))
    assert most - before <= 3


def test_a_message_larger_than_any_buffer_arrives(new_engine: EngineMaker) -> None:
    engine = new_engine()
    pool = engine._targets.pool("demo", time.monotonic() + 60)
    with pool.lease(time.monotonic() + 60) as (wire, _):
        text = "x" * 20_000_000
        (answer,) = wire.send(f"select length('{text}')", time.monotonic() + 60)
    assert answer.rows == (("20000000",),)


def test_a_large_table_is_asked_on_several_connections(
    new_engine: EngineMaker, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arranging, "SMALL_BYTES", 0)
    engine = new_engine(queries_per_check=3)
    before = len(backends(target))
    unique = [{"type": "unique", "column": column} for column in ("id", "v")]
    assert said(engine.run(rule_set("engine.brisk", NULLS, *unique)))[0] == ("fail", 1, 8)
    assert len(backends(target)) - before == 3
