"""The dbt process: limits, deaths, several callers at once, and what it gets to see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from quality.engine.dbt.project import ProjectFolder
from quality.engine.planned import PlannedEngine
from quality.engine.settings import EngineSettings
from quality.errors import EngineError
from tests.conftest import PROJECT
from tests.engine.conftest import CANARIES, Target, rule_set, said

SLOW = {"type": "not_null", "column": "v"}


@pytest.fixture(scope="module", autouse=True)
def tables(target: Target) -> None:
    target.execute(
        "create table engine.quick (id integer, v integer)",
        "insert into engine.quick select i, nullif(i, 1) from generate_series(1, 8) i",
        "create view engine.slow as select length(pg_sleep(30)::text) as v",
        "create view engine.slowish as select nullif(length(pg_sleep(2)::text), 0) as v",
    )


def sleeping(target: Target, view: str) -> int:
    """Queries of dbt on that view which the server still runs."""
    with psycopg.connect(target.url) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where state = 'active' "
            "and pid <> pg_backend_pid() and query like %s",
            (f'%"{view}"%',),
        ).fetchone()
    return int(row[0]) if row else 0


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def warm(
    target: Target, dbt_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlannedEngine]:
    """An engine whose dbt process may be killed."""
    settings = EngineSettings(
        project_dir=PROJECT / "stringx", data_dir=tmp_path_factory.mktemp("process")
    )
    engine = PlannedEngine(settings, dbt_environment)
    yield engine
    engine.close()


def test_a_check_ends_at_its_time_limit_and_its_query_is_cancelled(
    warm: PlannedEngine, target: Target
) -> None:
    rules = rule_set("engine.slow", SLOW)
    warm.compile(rules)
    outcome = warm.run(rules, time_limit_s=3.0)
    assert (outcome.status, outcome.error_code) == ("error", "timeout")
    wait_for(lambda: sleeping(target, "slow") == 0, "the server has dropped the query", 10)
    assert said(warm.run(rule_set("engine.quick", SLOW))) == [("fail", 1, 8)]


def test_callers_in_a_hurry_do_not_keep_the_process_from_starting(
    new_engine: Callable[..., PlannedEngine],
) -> None:
    engine = new_engine()
    rules = rule_set("engine.quick", SLOW)
    assert engine.run(rules, time_limit_s=0.05).error_code == "timeout"
    first = engine._dbt.pid
    assert first is not None
    engine.run(rules, time_limit_s=0.05)
    assert engine._dbt.pid == first
    assert said(engine.run(rules)) == [("fail", 1, 8)]


def test_a_slow_statement_is_an_error_of_its_rule_alone(
    new_engine: Callable[..., PlannedEngine],
) -> None:
    engine = new_engine(statement_timeout_s=1.0)
    outcome = engine.run(rule_set("engine.slow", SLOW))
    assert [result.status for result in outcome.results] == ["error"]
    assert str(outcome.results[0].message).startswith("timeout: ")


def test_a_locked_table_is_an_error_that_says_so(
    new_engine: Callable[..., PlannedEngine], target: Target
) -> None:
    engine = new_engine(lock_timeout_s=0.3)
    with psycopg.connect(target.url) as connection:
        connection.execute("lock table engine.quick in access exclusive mode")
        outcome = engine.run(rule_set("engine.quick", SLOW))
    assert [result.status for result in outcome.results] == ["error"]
    assert str(outcome.results[0].message).startswith("target_busy: ")


def test_a_killed_process_is_replaced_and_its_check_made_again(
    warm: PlannedEngine, target: Target
) -> None:
    rules = rule_set("engine.slowish", SLOW)
    warm.compile(rules)
    first = warm._dbt.pid
    assert first is not None
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(warm.run, rules)
        wait_for(lambda: sleeping(target, "slowish") > 0, "dbt's query runs")
        os.kill(first, signal.SIGKILL)
        outcome = running.result(60)
    assert [result.status for result in outcome.results] == ["fail"]
    assert warm._dbt.pid not in (None, first)


def test_a_process_that_keeps_dying_is_an_error_of_the_engine(
    warm: PlannedEngine, target: Target
) -> None:
    rules = rule_set("engine.slow", SLOW)
    warm.compile(rules)
    stop = threading.Event()

    def kill_every_one() -> None:
        while not stop.wait(0.05):
            if sleeping(target, "slow") and warm._dbt.pid is not None:
                os.kill(warm._dbt.pid, signal.SIGKILL)
                wait_for(lambda: sleeping(target, "slow") == 0, "the server noticed", 15)

    killer = threading.Thread(target=kill_every_one)
    killer.start()
    try:
        outcome = warm.run(rules)
    finally:
        stop.set()
        killer.join()
    assert (outcome.status, outcome.error_code) == ("error", "engine")
    assert "died twice" in str(outcome.error)
    assert said(warm.run(rule_set("engine.quick", SLOW))) == [("fail", 1, 8)]


def test_results_on_disk_are_not_believed(warm: PlannedEngine) -> None:
    rules = rule_set("engine.quick", SLOW)
    folder = warm._dbt.projects.project_of(rules) / "target"
    folder.mkdir(exist_ok=True)
    stale = {"results": [{"unique_id": "test.x.rule_0", "status": "pass", "failures": 0}]}
    (folder / "run_results.json").write_text(json.dumps(stale))
    assert said(warm.run(rules)) == [("fail", 1, 8)]


def test_fewer_results_than_rules_is_never_a_verdict(warm: PlannedEngine) -> None:
    rules = rule_set("engine.quick", SLOW, {"type": "unique", "column": "id"})
    sources = warm._dbt.projects.project_of(rules) / "models" / "sources.yml"
    document = json.loads(sources.read_text())
    document["sources"][0]["tables"][0]["data_tests"].pop()
    sources.write_text(json.dumps(document))
    outcome = warm.run(rules)
    assert (outcome.status, outcome.error_code) == ("error", "engine_incomplete")
    assert "1 of 2" in str(outcome.error)


def test_callers_in_several_threads_each_get_their_own_answer(warm: PlannedEngine) -> None:
    def check(number: int) -> list[tuple[str, int | None, int | None]]:
        its_rows = [{"column": "id", "op": "<=", "value": number}]
        return said(
            warm.run(
                rule_set(
                    "engine.quick",
                    {**SLOW, "where": its_rows},
                    {"type": "row_count_between", "arguments": {"max_value": 4}, "where": its_rows},
                )
            )
        )

    numbers = [1, 2, 3, 4, 5, 6, 7, 8] * 2
    with ThreadPoolExecutor(4) as pool:
        for number, found in zip(numbers, pool.map(check, numbers), strict=True):
            too_many = ("pass", 0, number) if number <= 4 else ("fail", 1, number)
            assert found == [("fail", 1, number), too_many]


def test_who_waits_longer_than_allowed_is_told_so(warm: PlannedEngine, target: Target) -> None:
    slow, quick = rule_set("engine.slowish", SLOW), rule_set("engine.quick", SLOW)
    warm.compile(slow)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(warm.run, slow)
        wait_for(lambda: sleeping(target, "slowish") > 0, "dbt's query runs")
        assert warm.run(quick, time_limit_s=0.2).error_code == "engine_busy"
        assert running.result(60).status == "fail"


def test_the_process_is_replaced_after_its_number_of_jobs(
    new_engine: Callable[..., PlannedEngine],
) -> None:
    engine = new_engine(recycle_jobs=3)
    assert engine.targets() == ["demo"]
    first = engine._dbt.pid
    rules = rule_set("engine.quick", SLOW)
    assert said(engine.run(rules)) == [("fail", 1, 8)]  # targets, credentials, load, test
    assert said(engine.run(rules)) == [("fail", 1, 8)]
    assert first is not None and not _runs(first)


def test_closing_ends_the_process_and_what_it_runs(
    new_engine: Callable[..., PlannedEngine], target: Target
) -> None:
    engine = new_engine()
    rules = rule_set("engine.slow", SLOW)
    engine.compile(rules)
    pid = engine._dbt.pid
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.run, rules)
        wait_for(lambda: sleeping(target, "slow") > 0, "dbt's query runs")
        engine.close()
        assert running.result(60).error_code == "engine"
    assert not Path(f"/proc/{pid}").exists()
    wait_for(lambda: sleeping(target, "slow") == 0, "the server has dropped the query", 10)
    with pytest.raises(EngineError, match="closed"):
        engine.targets()


def test_closing_cancels_our_own_queries_too(
    new_engine: Callable[..., PlannedEngine], target: Target
) -> None:
    engine = new_engine()
    # dbt's query ends at once, as no constant is NULL; the rows are counted after it.
    target.execute("create view engine.counted as select 1 as v from pg_sleep(30)")
    rules = rule_set("engine.counted", SLOW)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.run, rules)
        wait_for(lambda: sleeping(target, "counted") > 0, "our query runs")
        engine.close()
        assert said(running.result(20)) == [("pass", 0, None)]
    assert sleeping(target, "counted") == 0


def test_the_process_sees_only_what_a_profile_may_use(warm: PlannedEngine) -> None:
    warm.targets()
    variables = Path(f"/proc/{warm._dbt.pid}/environ").read_bytes().decode().split("\0")
    names = {variable.partition("=")[0] for variable in variables if variable}
    assert "STRINGX_TARGET_PORT" in names
    assert "CANARY" in CANARIES and "CANARY" not in names
    assert not any(name.startswith("STRINGX_") for name in names if "TARGET" not in name)
    (of_libpq,) = [variable for variable in variables if variable.startswith("PG")]
    assert "default_transaction_read_only=on" in of_libpq


def test_switches_of_dbt_in_the_environment_change_no_verdict(
    new_engine: Callable[..., PlannedEngine],
) -> None:
    engine = new_engine({"DBT_STORE_FAILURES": "1", "DBT_WARN_ERROR": "1", "DBT_FAIL_FAST": "1"})
    rules = rule_set(
        "engine.quick", {**SLOW, "severity": "warn"}, SLOW, {"type": "unique", "column": "id"}
    )
    assert said(engine.run(rules)) == [("warn", 1, 8), ("fail", 1, 8), ("pass", 0, 8)]


def test_the_process_ends_with_a_parent_that_is_killed(
    dbt_environment: dict[str, str], tmp_path: Path
) -> None:
    program = f"""
        from quality.engine import EngineSettings, open_engine
        engine = open_engine(EngineSettings(project_dir={str(PROJECT / "stringx")!r},
                                            data_dir={str(tmp_path)!r}))
        engine.targets()
        print(engine._dbt.pid, flush=True)
        input()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=PROJECT,
        env=dbt_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None and parent.stdin is not None
    with parent.stdin, parent.stdout:
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        parent.wait()
        wait_for(lambda: not _runs(child), "the dbt process has ended")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_projects_on_disk_are_private_and_pruned(
    new_engine: Callable[..., PlannedEngine], tmp_path: Path
) -> None:
    projects = ProjectFolder(
        EngineSettings(project_dir=PROJECT / "stringx", data_dir=tmp_path, projects=3)
    )
    made: list[Any] = []
    for number in range(6):
        rule = {"type": "row_count_between", "arguments": {"min_value": number}}
        made.append(projects.project_of(rule_set("a.b", rule)))
        os.utime(made[-1], (number, number))
    left = {path.name for path in (tmp_path / "projects").iterdir()}
    assert left == {path.name for path in made[-3:]}
    assert all(path.stat().st_mode & 0o077 == 0 for path in made[-3:])
    assert (tmp_path / "projects").stat().st_mode & 0o077 == 0
