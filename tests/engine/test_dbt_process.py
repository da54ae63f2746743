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

from quality.engine.dbt.answers import Incomplete
from quality.engine.dbt.dbt import Dbt
from quality.engine.dbt.process import DbtTimeout
from quality.engine.dbt.project import ProjectFolder
from quality.engine.engine import EngineBusy
from quality.engine.settings import EngineSettings
from quality.errors import EngineError
from quality.rules import RuleSet
from tests.conftest import PROJECT
from tests.engine.conftest import CANARIES, Target, rule_set

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


def judge(dbt: Dbt, rules: RuleSet, seconds: float = 120.0) -> list[tuple[str, int | None]]:
    """Status and failing count of each rule, from dbt itself."""
    answers = dbt.test(rules, (), time.monotonic() + seconds)
    return [(said["status"], said["failures"]) for said in answers]


@pytest.fixture
def new_dbt(
    target: Target, dbt_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Dbt]]:
    """Opens dbt with settings of its own; `environment` adds variables."""
    opened: list[Dbt] = []

    def make(environment: dict[str, str] | None = None, **more: Any) -> Dbt:
        settings = EngineSettings(project_dir=PROJECT / "stringx", data_dir=tmp_path, **more)
        opened.append(Dbt(settings, {**dbt_environment, **(environment or {})}))
        return opened[-1]

    yield make
    for dbt in opened:
        dbt.close()


@pytest.fixture(scope="module")
def warm(
    target: Target, dbt_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dbt]:
    """A dbt whose process may be killed."""
    settings = EngineSettings(
        project_dir=PROJECT / "stringx", data_dir=tmp_path_factory.mktemp("process")
    )
    dbt = Dbt(settings, dbt_environment)
    judge(dbt, rule_set("engine.quick", SLOW))
    yield dbt
    dbt.close()


def test_a_job_ends_at_its_deadline_and_its_query_is_cancelled(warm: Dbt, target: Target) -> None:
    with pytest.raises(DbtTimeout):
        judge(warm, rule_set("engine.slow", SLOW), 3.0)
    wait_for(lambda: sleeping(target, "slow") == 0, "the server has dropped the query", 10)
    assert judge(warm, rule_set("engine.quick", SLOW)) == [("fail", 1)]


def test_callers_in_a_hurry_do_not_keep_the_process_from_starting(
    new_dbt: Callable[..., Dbt],
) -> None:
    dbt = new_dbt()
    rules = rule_set("engine.quick", SLOW)
    with pytest.raises(DbtTimeout):
        judge(dbt, rules, 0.05)
    first = dbt.pid
    assert first is not None
    assert judge(dbt, rules) == [("fail", 1)]
    assert dbt.pid == first
    assert len(dbt.compile(rules, None, time.monotonic() + 120)) == 1


def test_a_slow_statement_is_an_error_of_its_rule_alone(new_dbt: Callable[..., Dbt]) -> None:
    dbt = new_dbt(statement_timeout_s=1.0)
    (said,) = dbt.test(rule_set("engine.slow", SLOW), (), time.monotonic() + 120)
    assert said["status"] == "error" and "statement timeout" in said["message"]


def test_a_locked_table_is_an_error_that_says_so(
    new_dbt: Callable[..., Dbt], target: Target
) -> None:
    dbt = new_dbt(lock_timeout_s=0.3)
    with psycopg.connect(target.url) as connection:
        connection.execute("lock table engine.quick in access exclusive mode")
        (said,) = dbt.test(rule_set("engine.quick", SLOW), (), time.monotonic() + 120)
    assert said["status"] == "error" and "lock timeout" in said["message"]


def test_a_killed_process_is_replaced_and_its_check_made_again(warm: Dbt, target: Target) -> None:
    rules = rule_set("engine.slowish", SLOW)
    judge(warm, rules)
    first = warm.pid
    assert first is not None
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(judge, warm, rules)
        wait_for(lambda: sleeping(target, "slowish") > 0, "dbt's query runs")
        os.kill(first, signal.SIGKILL)
        assert running.result(60) == [("fail", 1)]
    assert warm.pid not in (None, first)


def test_a_process_that_keeps_dying_is_an_error_of_the_engine(warm: Dbt, target: Target) -> None:
    stop = threading.Event()

    def kill_every_one() -> None:
        while not stop.wait(0.05):
            if sleeping(target, "slow") and warm.pid is not None:
                os.kill(warm.pid, signal.SIGKILL)
                wait_for(lambda: sleeping(target, "slow") == 0, "the server noticed", 15)

    killer = threading.Thread(target=kill_every_one)
    killer.start()
    try:
        with pytest.raises(EngineError, match="died twice"):
            judge(warm, rule_set("engine.slow", SLOW))
    finally:
        stop.set()
        killer.join()
    assert judge(warm, rule_set("engine.quick", SLOW)) == [("fail", 1)]


def test_results_on_disk_are_not_believed(warm: Dbt) -> None:
    rules = rule_set("engine.quick", SLOW)
    folder = warm.projects.project_of(rules) / "target"
    folder.mkdir(exist_ok=True)
    stale = {"results": [{"unique_id": "test.x.rule_0", "status": "pass", "failures": 0}]}
    (folder / "run_results.json").write_text(json.dumps(stale))
    assert judge(warm, rules) == [("fail", 1)]


def test_fewer_results_than_rules_is_never_a_verdict(warm: Dbt) -> None:
    rules = rule_set("engine.quick", SLOW, {"type": "unique", "column": "id"})
    sources = warm.projects.project_of(rules) / "models" / "sources.yml"
    document = json.loads(sources.read_text())
    document["sources"][0]["tables"][0]["data_tests"].pop()
    sources.write_text(json.dumps(document))
    with pytest.raises(Incomplete, match="1 of 2"):
        judge(warm, rules)


def test_callers_in_several_threads_each_get_their_own_answer(warm: Dbt) -> None:
    def check(number: int) -> list[tuple[str, int | None]]:
        its_rows = [{"column": "id", "op": "<=", "value": number}]
        return judge(
            warm,
            rule_set(
                "engine.quick",
                {**SLOW, "where": its_rows},
                {"type": "row_count_between", "arguments": {"max_value": 4}, "where": its_rows},
            ),
        )

    numbers = [1, 2, 3, 4, 5, 6, 7, 8] * 2
    with ThreadPoolExecutor(4) as pool:
        for number, found in zip(numbers, pool.map(check, numbers), strict=True):
            too_many = ("pass", 0) if number <= 4 else ("fail", 1)
            assert found == [("fail", 1), too_many]


def test_who_waits_longer_than_allowed_is_told_so(warm: Dbt, target: Target) -> None:
    slow, quick = rule_set("engine.slowish", SLOW), rule_set("engine.quick", SLOW)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(judge, warm, slow)
        wait_for(lambda: sleeping(target, "slowish") > 0, "dbt's query runs")
        with pytest.raises(EngineBusy):
            judge(warm, quick, 0.2)
        assert running.result(60) == [("fail", 1)]


def test_the_process_is_replaced_after_its_number_of_jobs(new_dbt: Callable[..., Dbt]) -> None:
    dbt = new_dbt(recycle_jobs=2)
    assert dbt.targets() == ["demo"]
    first = dbt.pid
    rules = rule_set("engine.quick", SLOW)
    assert judge(dbt, rules) == [("fail", 1)]
    assert first is not None and not _runs(first)
    assert judge(dbt, rules) == [("fail", 1)]


def test_closing_ends_the_process_and_what_it_runs(
    new_dbt: Callable[..., Dbt], target: Target
) -> None:
    dbt = new_dbt()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(judge, dbt, rule_set("engine.slow", SLOW))
        wait_for(lambda: sleeping(target, "slow") > 0, "dbt's query runs")
        pid = dbt.pid
        dbt.close()
        with pytest.raises(EngineError, match="closed"):
            running.result(60)
    assert not Path(f"/proc/{pid}").exists()
    wait_for(lambda: sleeping(target, "slow") == 0, "the server has dropped the query", 10)
    with pytest.raises(EngineError, match="closed"):
        dbt.targets()


def test_the_process_sees_only_what_a_profile_may_use(warm: Dbt) -> None:
    warm.targets()
    variables = Path(f"/proc/{warm.pid}/environ").read_bytes().decode().split("\0")
    names = {variable.partition("=")[0] for variable in variables if variable}
    assert "STRINGX_TARGET_PORT" in names
    assert "CANARY" in CANARIES and "CANARY" not in names
    assert not any(name.startswith("STRINGX_") for name in names if "TARGET" not in name)
    (of_libpq,) = [variable for variable in variables if variable.startswith("PG")]
    assert "default_transaction_read_only=on" in of_libpq


def test_switches_of_dbt_in_the_environment_change_no_verdict(
    new_dbt: Callable[..., Dbt],
) -> None:
    dbt = new_dbt({"DBT_STORE_FAILURES": "1", "DBT_WARN_ERROR": "1", "DBT_FAIL_FAST": "1"})
    rules = rule_set(
        "engine.quick", {**SLOW, "severity": "warn"}, SLOW, {"type": "unique", "column": "id"}
    )
    assert judge(dbt, rules) == [("warn", 1), ("fail", 1), ("pass", 0)]
    assert all(test.dbt_only is None for test in dbt.compile(rules, None, time.monotonic() + 120))


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
    tmp_path: Path,
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
