"""Actions on a verdict: once for each change of state, by a process of a running API (T10)."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from api.action_process import ActionProcess
from api.actions import Actions
from api.metrics import Metrics
from api.store import action_queue
from api.store.action_queue import Action
from api.store.database import open_database
from cli.__main__ import main
from embedded.postgres import EmbeddedPostgres
from quality.settings import ApiSettings
from quality.tasks.events import next_state
from quality.tasks.settings import ActionSettings
from tests.conftest import LiveApi, start_api
from tests.tasks.conftest import Listener, listening, read_number, runs

SECRET = "a-secret-of-sixteen-and-more"
TELL = """tasks = [
  {{ name: webhook, args: {{ url: "{url}" }} }}
  {{ name: shell_script, args: {{
      script: sh, script_args: [-c, "echo $1 >> told", sh, ${{VERDICT_EVENT}}] }} }}
]"""

QUIET = 'tasks = [{name: shell_script, args: {script: "true"}}]'
STUCK = """tasks = [
  {{ name: shell_script, args: {{ script: sh, script_args: [-c, "echo first >> {name}"] }} }}
  {{ name: shell_script, args: {{ script: sh, script_args: [-c,
      "echo $$ > {name}.pid; while [ -e {name}.stuck ]; do sleep 0.1; done; echo on"] }} }}
]"""


@dataclass
class Acting:
    """An API that acts, the operator's folder of actions, and what listens to them."""

    environment: dict[str, str]
    folder: Path
    listener: Listener
    live: LiveApi
    postgres: EmbeddedPostgres

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def table(self) -> Monitored:
        self.listener.got.clear()
        return Monitored(self.live, self.postgres)

    def counted(self, series: str, live: LiveApi | None = None) -> float:
        """What /metrics says of one series."""
        text = requests.get(f"{(live or self.live).url}/metrics", timeout=60).text
        found = [line.split()[-1] for line in text.splitlines() if line.startswith(series)]
        return float(found[0])

    def alone(self, folder: Path, **settings: str) -> LiveApi:
        """An API with the same folder of actions and a database of its own, which outlives it."""
        admin, name = self.postgres.url("postgres", "postgres"), f"alone_{folder.name}"[:60]
        with psycopg.connect(admin, autocommit=True) as connection:
            known = connection.execute("select from pg_database where datname = %s", (name,))
            if known.fetchone() is None:
                connection.execute(f'create database "{name}" owner stringx')
        own = {"STRINGX_DATABASE_URL": self.postgres.url(name), "STRINGX_ACTION_TIME_LIMIT_S": "60"}
        return start_api({**self.environment, **own, **settings}, folder)


@pytest.fixture(scope="module")
def acting(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: EmbeddedPostgres,
    target_environment: dict[str, str],
) -> Iterator[Acting]:
    home = tmp_path_factory.mktemp("acting")
    (folder := home / "actions").mkdir()
    database = f"acting_{time.time_ns()}"
    admin = postgres.url("postgres", "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'create database "{database}" owner stringx')
    with listening() as listener:
        environment = {
            **target_environment,
            "STRINGX_DATABASE_URL": postgres.url(database),
            "STRINGX_ACTIONS_DIR": str(folder),
            "STRINGX_ACTION_POLL_S": "0.1",
            "STRINGX_ACTION_RETRY_S": "0.2",
            "STRINGX_ACTION_ATTEMPTS": "3",
            "STRINGX_ACTION_TIME_LIMIT_S": "15",
            "STRINGX_ACTIONS_PER_HOUR": "2",
            "STRINGX_WEBHOOK_PRIVATE_HOSTS": listener.host,
            "STRINGX_WEBHOOK_SECRET": SECRET,
        }
        found = Acting(environment, folder, listener, start_api(environment, home), postgres)
        found.write("tell.conf", TELL.format(url=listener.url))
        yield found
        assert found.live.stop() == 0, found.live.log_file.read_text()[-4000:]
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'drop database "{database}" with (force)')


class Monitored:
    """A table of one's own in the target, whose verdict is what one makes it."""

    def __init__(self, live: LiveApi, postgres: EmbeddedPostgres) -> None:
        self.live = live
        self.name = f"shop.watched_{time.time_ns()}"
        self._admin = postgres.url("demo", "postgres")
        self._execute(
            f"create table {self.name} (id integer); grant select on {self.name} to stringx_reader"
        )
        requests.put(live.api("/connections/demo"), json={}, timeout=60).raise_for_status()
        answer = self.call("PUT", "/tables", json={"table": self.name, "owner": "ops"})
        self.id = answer.json()["id"]
        rules = [{"type": "not_null", "column": "id", "name": "id_known"}]
        self.call("PUT", f"/tables/{self.id}/rules", json={"rules": rules}).raise_for_status()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, self.live.api(path), timeout=60, **options)

    def name_actions(self, **files: str) -> requests.Response:
        return self.call("PUT", f"/tables/{self.id}/actions", json=files)

    def check(self, *values: str) -> str:
        """Put these values into the table, and check it; the check's id."""
        rows = ",".join(f"({value})" for value in values)
        self._execute(f"truncate {self.name}; insert into {self.name} values {rows}")
        answer = self.call("POST", "/checks", json={"table": self.name})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def actions(self, *states: str, clears: Path | None = None) -> list[dict[str, Any]]:
        """The actions, oldest first, once their states are these; meanwhile a file is cleared."""
        deadline = time.monotonic() + 60
        found: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            answer = self.call("GET", f"/tables/{self.id}/action-runs")
            found = answer.json()["items"][::-1]
            if [one["state"] for one in found] == list(states):
                return found
            if clears is not None:
                clears.unlink(missing_ok=True)
            time.sleep(0.1)
        pytest.fail(f"{found}\n{self.live.log_file.read_text()[-4000:]}")

    def drop_column(self) -> None:
        """From here on its rule cannot be judged."""
        self._execute(f"alter table {self.name} drop column id")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._admin) as connection:
            connection.execute(statement)


def test_t10_fail_acts_once_and_so_does_the_recovery(acting: Acting) -> None:
    table = acting.table()
    assert table.name_actions(on_fail="tell.conf", on_recovery="tell.conf").status_code == 200
    first = table.check("null")
    table.actions("succeeded")
    table.check("null", "null")  # still failing: no change of state
    table.check("null")
    last = table.check("1")
    failed, recovered = table.actions("succeeded", "succeeded")
    table.check("2")

    assert (failed["event"], failed["check_id"], failed["attempts"]) == ("fail", first, 1)
    assert (recovered["event"], recovered["check_id"]) == ("recovery", last)
    told = [json.loads(body) for _, _, body in acting.listener.got]
    assert [one["event"] for one in told] == ["fail", "recovery"]
    assert told[0] == {
        "event": "fail",
        "status": "fail",
        "before": "none",
        "cause": "first",
        "connection": "demo",
        "table": table.name,
        "table_id": str(table.id),
        "owner": "ops",
        "check_id": first,
        "at": told[0]["at"],
    }
    assert told[1]["before"] == "fail"
    assert all("X-StringX-Signature" in headers for _, headers, _ in acting.listener.got)
    assert (acting.folder / "told").read_text() == "fail\nrecovery\n"

    run = table.call("GET", f"/task-runs/{failed['run_id']}").json()
    assert (run["status"], run["file"], run["reported_by"]) == ("succeeded", "tell.conf", "service")
    assert run["action_id"] == failed["id"]
    assert [task["status"] for task in run["tasks"]] == ["succeeded", "succeeded"]
    listed = table.call("GET", "/task-runs", params={"file": "tell.conf", "limit": 1}).json()
    assert (listed["items"][0]["task_count"], bool(listed["next_cursor"])) == (2, True)
    table.actions("succeeded", "succeeded")  # the check after the recovery was no event
    asked = {"subject": f"table {table.id}", "action": "actions.changed"}
    [change] = table.call("GET", "/audit", params=asked).json()["items"]
    assert change["detail"]["after"]["on_fail"] == "tell.conf"


def test_t10_what_fails_is_tried_again_from_where_it_failed(acting: Acting) -> None:
    table = acting.table()
    file = acting.write(
        "late.conf",
        """tasks = [
          { name: shell_script, args: { script: sh, script_args: [-c, "echo once >> first"] } }
          { name: webhook, args: { url: "URL" } }
        ]""".replace("URL", acting.listener.url),
    )
    acting.listener.answers = [(503, {}), (503, {})]
    table.name_actions(on_fail=file)
    table.check("null")
    [action] = table.actions("succeeded")
    assert action["attempts"] == 3
    assert (acting.folder / "first").read_text() == "once\n"
    deliveries = [headers["X-StringX-Delivery"] for _, headers, _ in acting.listener.got]
    assert (len(deliveries), len(set(deliveries))) == (3, 1)
    run = table.call("GET", f"/task-runs/{action['run_id']}").json()
    assert [task["status"] for task in run["tasks"]] == ["succeeded", "succeeded"]


def test_t10_attempts_come_to_an_end_and_no_verdict_waits_for_them(acting: Acting) -> None:
    table = acting.table()
    acting.write(
        "stuck.conf",
        """tasks = [{name: shell_script, args: {script: sh, script_args: [-c,
            "touch begun; while [ -e begun ]; do sleep 0.1; done; exit 1"]}}]""",
    )
    acting.write("wrong.conf", QUIET)
    table.name_actions(on_fail="stuck.conf", on_recovery="wrong.conf")
    acting.write("wrong.conf", "tasks = [{name: nothing_of_that_name}]")
    table.check("null")
    table.actions("running")
    table.check("1")  # is stored at once, while the action goes on
    table.actions("running", "waiting")
    (acting.folder / "begun").unlink(missing_ok=True)
    stuck, wrong = table.actions("failed", "failed", clears=acting.folder / "begun")
    assert (stuck["attempts"], stuck["error"]) == (3, "sh ended with exit code 1")
    assert wrong["attempts"] == 1  # another attempt would find the same file
    assert "wrong.conf:1:11: tasks[0].name: there is no task" in wrong["error"]


@pytest.mark.parametrize(
    ("then", "states"),
    [
        (("null", "1", "null"), ("superseded", "superseded", "succeeded")),
        (("null", "1"), ("superseded", "suppressed")),
    ],
)
def test_t10_a_table_that_flaps_is_capped_and_only_the_newest_state_is_told(
    acting: Acting, then: tuple[str, ...], states: tuple[str, ...]
) -> None:
    acting.write("quiet.conf", QUIET)
    table = acting.table()
    table.name_actions(on_fail="quiet.conf", on_recovery="quiet.conf")
    for values in ("null", "1"):
        table.check(values)
    table.actions("succeeded", "succeeded")
    table.check(then[0])
    deadline = time.monotonic() + 60
    held: dict[str, Any] = {}
    while not held.get("error") and time.monotonic() < deadline:
        held = table.actions("succeeded", "succeeded", "waiting")[2]
    assert held["error"] == "more than 2 actions in an hour"
    for values in then[1:]:
        table.check(values)
    table.actions("succeeded", "succeeded", *["waiting"] * len(then))
    with psycopg.connect(acting.environment["STRINGX_DATABASE_URL"]) as connection:
        connection.execute(  # two hours later
            "update action_run set started_at = started_at - interval '2 hours', "
            "next_at = next_at - interval '2 hours' where table_id = %s",
            (table.id,),
        )
    table.actions("succeeded", "succeeded", *states)


def test_t10_an_action_that_a_crash_cut_off_is_run_again(acting: Acting) -> None:
    """Its lease is over; the delivery is the same one."""
    table = acting.table()
    table.name_actions(on_fail="tell.conf")
    table.check("null")
    [action] = table.actions("succeeded")
    with psycopg.connect(acting.environment["STRINGX_DATABASE_URL"]) as connection:
        connection.execute(
            "update action_run set state = 'running', finished_at = null, "
            "lease_until = now() - interval '1 second' where id = %s",
            (action["id"],),
        )
    [again] = table.actions("succeeded")
    assert again["attempts"] == 2
    assert len({headers["X-StringX-Delivery"] for _, headers, _ in acting.listener.got}) == 1
    assert len(acting.listener.got) == 2


def test_t10_an_attempt_whose_lease_is_over_says_nothing_any_more(acting: Acting) -> None:
    """Another one goes on with the action by then."""
    table = acting.table()
    table.name_actions(on_fail=acting.write("quiet.conf", QUIET))
    table.check("null")
    [action] = table.actions("succeeded")
    given = ApiSettings(database_url=acting.environment["STRINGX_DATABASE_URL"])
    database = open_database(given)
    try:
        with database.begin() as db:
            late = action["attempts"] - 1
            assert not action_queue.settle(db, action["id"], "failed", error="x", attempt=late)
            assert action_queue.settle(db, action["id"], "partial", attempt=action["attempts"])
    finally:
        database.dispose()
    table.actions("partial")


def test_t10_two_services_on_one_store_act_once(acting: Acting, tmp_path: Path) -> None:
    another = start_api(acting.environment, tmp_path / "another")
    try:
        tables = [acting.table() for _ in range(4)]
        for table in tables:
            table.name_actions(on_fail="tell.conf")
        for table in tables:
            table.check("null")
        for table in tables:
            [action] = table.actions("succeeded")
            assert action["attempts"] == 1
    finally:
        assert another.stop() == 0
    told = [json.loads(body)["table"] for _, _, body in acting.listener.got]
    assert sorted(told) == sorted(table.name for table in tables)


def test_t10_an_action_that_takes_too_long_is_ended_with_its_scripts(tmp_path: Path) -> None:
    """And what it had done until then is recorded."""
    (tmp_path / "x.stuck").touch()
    (tmp_path / "long.conf").write_text(STUCK.format(name="x"))
    settings = ActionSettings(actions_dir=tmp_path, action_time_limit_s=3)
    api_settings = ApiSettings(database_url="postgresql://nobody@127.0.0.1:9/none")
    process = ActionProcess(settings, api_settings, threading.Event())
    attempt = process.run(Action(1, 1, "fail", "long.conf", {}, attempt=1, begin_at=0))
    assert (attempt.said, attempt.is_final) == ("the time limit of 3 s is over", False)
    assert attempt.record is not None
    assert [task.status for task in attempt.record.tasks] == ["succeeded", "failed"]
    assert attempt.record.tasks[1].error == "it was broken off"
    assert not runs(int((tmp_path / "x.pid").read_text()))


def test_t10_the_process_has_no_secret_of_the_service(acting: Acting) -> None:
    table = acting.table()
    file = acting.write(
        "spy.conf",
        "tasks = [{name: shell_script, args: {script: echo, script_args: "
        '["["${?STRINGX_DATABASE_URL}${?DBT_ENV_SECRET_TARGET_PASSWORD}"]"]}}]',
    )
    table.name_actions(on_fail=file)
    table.check("null")
    [action] = table.actions("succeeded")
    run = table.call("GET", f"/task-runs/{action['run_id']}").json()
    assert run["tasks"][0]["output"] == "[]\n"


def test_t10_what_the_verdict_was_before_files_were_named_is_no_event(acting: Acting) -> None:
    table = acting.table()
    table.check("null")
    table.name_actions(on_fail="tell.conf", on_recovery="tell.conf")
    table.check("null")
    table.check("1")
    [action] = table.actions("succeeded")
    assert action["event"] == "recovery"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nowhere.conf", "no_such_action"),
        ("../tell.conf", None),
        ("/etc/passwd", None),
        ("tell.sh", None),
        ("door.conf", "no_such_action"),
        ("tasks = [{name: shell_script}].conf", None),
    ],
)
def test_t10_only_files_of_the_operator_can_be_named(
    acting: Acting, name: str, code: str | None
) -> None:
    outside = acting.folder.parent / "outside.conf"
    outside.write_text("tasks = []")
    door = acting.folder / "door.conf"
    door.unlink(missing_ok=True)
    door.symlink_to(outside)
    table = acting.table()
    answer = table.name_actions(on_fail=name)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["path"] == "on_fail"
    assert code is None or error["code"] == code
    assert set(table.call("GET", f"/tables/{table.id}/actions").json().values()) == {None}


def test_t10_a_file_that_could_not_run_is_refused_when_it_is_named(acting: Acting) -> None:
    """With all that is wrong with it; the verdict's variables are known there."""
    wrong = acting.write(
        "faulty.conf",
        "tasks = [{name: nothing_of_that_name}\n"
        "{name: notify, args: {text: ${VERDICT_TABLE}, colour: red}}]",
    )
    table = acting.table()
    answer = table.name_actions(on_fail=wrong, on_warn="nowhere.conf")
    assert answer.status_code == 422
    found = [(one["path"], one["code"], one["message"]) for one in answer.json()["errors"]]
    assert [(path, code) for path, code, _ in found] == [
        ("on_fail", "action_invalid"),
        ("on_fail", "action_invalid"),
        ("on_fail", "action_invalid"),
        ("on_warn", "no_such_action"),
    ]
    assert "faulty.conf:1:11: tasks[0].name: there is no task" in found[0][2]
    assert "faulty.conf:2:" in found[1][2]


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (None, "away.conf:1:1: No such file or directory"),
        ("tasks = [{name: ", "away.conf:1:"),
        ("tasks = [${NOWHERE}]", "away.conf:1:10: could not resolve substitution: ${NOWHERE}"),
        (
            'tasks = [{name: webhook, args: {url: "https://elsewhere.example/x?key=hidden-key"}}]',
            "elsewhere.example:443 is not among STRINGX_WEBHOOK_HOSTS",
        ),
        ("tasks = [{name: shell_script, args: {script: no-such-program}}]", "no-such-program: No"),
    ],
    ids=["no file", "no HOCON", "no variable", "no allowed host", "no program"],
)
def test_t10_what_cannot_succeed_is_given_up_at_once_and_shown(
    acting: Acting, then: str | None, said: str
) -> None:
    """A task file that disappears, or is another one by the time that it runs."""
    table = acting.table()
    table.name_actions(on_fail=acting.write("away.conf", QUIET))
    before = acting.counted('stringx_actions_ended_total{state="failed"}')
    if then is None:
        (acting.folder / "away.conf").unlink()
    else:
        acting.write("away.conf", then)
    check = table.check("null")
    [action] = table.actions("failed")
    assert (action["attempts"], action["check_id"]) == (1, check)
    assert said in action["error"]
    assert action["finished_at"] is not None
    run = table.call("GET", f"/task-runs/{action['run_id']}")
    assert run.status_code == (200 if "elsewhere" in said or "program" in said else 404)
    asked = {"state": "failed", "table": table.name, "connection": "demo"}
    assert table.call("GET", "/action-runs", params=asked).json()["items"] == [action]
    assert (action["table"], action["connection"]) == (table.name, "demo")
    asked["state"] = "succeeded"
    assert table.call("GET", "/action-runs", params=asked).json()["items"] == []
    assert "hidden-key" not in run.text + json.dumps(action)
    assert acting.counted('stringx_actions_ended_total{state="failed"}') == before + 1
    assert table.call("GET", f"/checks/{check}").json()["status"] == "fail"


def test_t10_without_its_folder_an_action_waits_and_the_others_go_on(acting: Acting) -> None:
    table = acting.table()
    table.name_actions(on_fail="tell.conf")
    away = acting.folder.rename(acting.folder.with_name("away"))
    try:
        table.check("null")
        deadline = time.monotonic() + 60
        while not (held := table.actions("waiting")[0])["error"] and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        away.rename(acting.folder)
    assert "STRINGX_ACTIONS_DIR" in held["error"]
    assert "No such file or directory" in held["error"]
    [action] = table.actions("succeeded")
    assert action["attempts"] > 1


def test_t10_a_service_that_is_stopped_in_the_middle_of_an_action_goes_on_with_it(
    acting: Acting, tmp_path: Path
) -> None:
    """After a restart, from the task that was broken off; meanwhile the API says so."""
    stuck = acting.folder / "halt.stuck"
    stuck.touch()
    acting.write("halt.conf", STUCK.format(name="halt"))
    live = acting.alone(tmp_path)
    table = Monitored(live, acting.postgres)
    table.name_actions(on_fail="halt.conf")
    table.check("null")
    script = read_number(acting.folder / "halt.pid")
    assert live.stop() == 0
    assert not runs(script)
    live = acting.alone(tmp_path, STRINGX_ACTION_WORKERS="1", STRINGX_ACTION_POLL_S="600")
    table.live = live
    [action] = table.actions("waiting")
    assert (action["attempts"], action["started_at"] is None) == (0, False)
    assert action["error"] == "the service was stopped while it ran; it is run again"
    run = table.call("GET", f"/task-runs/{action['run_id']}").json()
    assert [(one["status"], one["error"]) for one in run["tasks"]] == [
        ("succeeded", None),
        ("failed", "it was broken off"),
    ]
    assert live.stop() == 0
    stuck.unlink()
    table.live = live = acting.alone(tmp_path)
    [action] = table.actions("succeeded")
    assert (action["attempts"], action["error"]) == (1, None)
    run = table.call("GET", f"/task-runs/{action['run_id']}").json()
    assert [task["status"] for task in run["tasks"]] == ["succeeded", "succeeded"]
    assert run["tasks"][1]["output"] == "on\n"
    assert (acting.folder / "halt").read_text() == "first\n"
    assert live.stop() == 0


def test_t10_a_service_that_dies_again_and_again_gives_the_action_up(
    acting: Acting, tmp_path: Path
) -> None:
    """What it had started ends with it, so that it does not run beside the next attempt."""
    (acting.folder / "die.stuck").touch()
    acting.write("die.conf", STUCK.format(name="die"))
    live = acting.alone(tmp_path)
    table = Monitored(live, acting.postgres)
    table.name_actions(on_fail="die.conf")
    table.check("null")
    script = read_number(acting.folder / "die.pid")
    for process in (live.process.pid, parent(parent(script))):  # who answers is a child
        os.kill(process, signal.SIGKILL)
    live.process.wait(30)
    deadline = time.monotonic() + 30
    while runs(script) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(script)
    with psycopg.connect(live.environment["STRINGX_DATABASE_URL"]) as connection:
        connection.execute(  # it was the third time, and the lease is over
            "update action_run set attempts = 3, lease_until = now() - interval '1 second' "
            "where table_id = %s",
            (table.id,),
        )
    table.live = live = acting.alone(tmp_path)
    [action] = table.actions("failed")
    assert action["error"] == "the service ended while it ran, at the last of 3 attempts"
    assert acting.counted('stringx_actions_ended_total{state="failed"}', live) == 1
    assert live.stop() == 0


def test_t10_what_was_given_up_is_run_again_by_hand(
    acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the task that failed, once its cause is mended; unless the verdict has changed since."""
    monkeypatch.setenv("STRINGX_API_URL", acting.live.url)
    table = acting.table()
    text = TELL.format(url=acting.listener.url)
    table.name_actions(on_fail=acting.write("mended.conf", text), on_recovery="mended.conf")
    acting.listener.answers = [(404, {})]
    table.check("null")
    [given_up] = table.actions("failed")
    assert main(["actions", "retry", table.name, str(given_up["id"])]) == 0
    [action] = table.actions("succeeded")
    assert (action["id"], action["attempts"], action["error"]) == (given_up["id"], 1, None)
    assert len({headers["X-StringX-Delivery"] for _, headers, _ in acting.listener.got}) == 1
    events = table.call("GET", "/audit", params={"subject": f"table {table.id}"}).json()["items"]
    assert "action.retried" in {one["action"] for one in events}

    def again(action_id: int) -> tuple[int, str]:
        answer = table.call("POST", f"/tables/{table.id}/action-runs/{action_id}/retry")
        return answer.status_code, answer.json()["code"]

    assert again(action["id"]) == (409, "action_not_failed")
    assert again(2**70) == (404, "action_unknown")
    acting.listener.answers = [(404, {})]
    table.check("1")
    _, old = table.actions("succeeded", "failed")
    with psycopg.connect(acting.environment["STRINGX_DATABASE_URL"]) as connection:
        connection.execute(
            "update action_run set started_at = started_at - interval '2 hours' "
            "where table_id = %s",
            (table.id,),
        )
    table.check("null")
    table.actions("succeeded", "failed", "succeeded")
    assert again(old["id"]) == (409, "action_outdated")


def test_t10_what_is_too_old_is_forgotten_but_not_what_was_told_last(acting: Acting) -> None:
    table = acting.table()
    table.name_actions(on_fail=acting.write("quiet.conf", QUIET), on_recovery="quiet.conf")
    for values in ("null", "1"):
        table.check(values)
    old, newest = table.actions("succeeded", "succeeded")
    given = ApiSettings(database_url=acting.environment["STRINGX_DATABASE_URL"])
    database = open_database(given)
    actions = Actions(database, Metrics(), ActionSettings(task_run_retention_days=30), given)
    try:
        assert actions.forget() == 0
        with psycopg.connect(acting.environment["STRINGX_DATABASE_URL"]) as connection:
            long_ago = "now() - interval '31 days' where"
            connection.execute(
                f"update action_run set created_at = {long_ago} table_id = %s", (table.id,)
            )
            connection.execute(
                f"update task_run set received_at = {long_ago} action_id = %s", (old["id"],)
            )
        assert actions.forget() == 2
    finally:
        database.dispose()
    assert [one["id"] for one in table.actions("succeeded")] == [newest["id"]]
    found = [table.call("GET", f"/task-runs/{one['run_id']}") for one in (old, newest)]
    assert [one.status_code for one in found] == [404, 200]


def test_t10_actions_are_counted(acting: Acting) -> None:
    names = (
        'stringx_actions_queued_total{event="fail"}',
        'stringx_action_attempts_total{outcome="failed"}',
        'stringx_action_attempts_total{outcome="succeeded"}',
        'stringx_actions_ended_total{state="succeeded"}',
        "stringx_action_duration_seconds_count",
    )
    before = [acting.counted(name) for name in names]
    table = acting.table()
    acting.listener.answers = [(503, {})]
    table.name_actions(on_fail="tell.conf")
    table.check("null")
    table.actions("succeeded")
    after = [acting.counted(name) for name in names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1, 1, 2]
    assert acting.counted('stringx_actions_open{state="waiting"}') == 0
    assert acting.counted("stringx_action_oldest_seconds") == 0


def test_t10_warn_and_error_are_events_of_their_own(acting: Acting) -> None:
    table = acting.table()
    rules = [{"type": "not_null", "column": "id", "name": "id_known", "severity": "warn"}]
    table.call("PUT", f"/tables/{table.id}/rules", json={"rules": rules}).raise_for_status()
    table.name_actions(on_warn="tell.conf", on_error="tell.conf")
    table.check("null")
    table.actions("succeeded")
    table.drop_column()
    broken = table.call("POST", "/checks", json={"table": table.name}).json()
    assert broken["status"] == "error", broken
    warned, failed = table.actions("succeeded", "succeeded")
    assert (warned["event"], failed["event"]) == ("warn", "error")
    assert failed["check_id"] == broken["id"]
    assert [json.loads(body)["event"] for _, _, body in acting.listener.got] == ["warn", "error"]


def test_t10_the_command_line_names_files_and_shows_what_was_run(
    acting: Acting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRINGX_API_URL", acting.live.url)
    table = acting.table()

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main([*words]), *capsys.readouterr())

    acting.write("quiet.conf", QUIET)
    assert run("actions", "set", table.name, "--on-fail", "quiet.conf")[0] == 0
    code, out, _ = run("actions", "set", table.name, "--on-warn", "quiet.conf", "-o", "json")
    assert (code, json.loads(out)["on_fail"], json.loads(out)["on_warn"]) == (
        0,
        *["quiet.conf"] * 2,
    )
    run("actions", "set", table.name, "--on-warn", "none")
    shown = [line.split() for line in run("actions", "show", table.name)[1].splitlines()]
    assert shown[1:3] == [["fail", "quiet.conf"], ["warn", "none"]]
    code, _, err = run("actions", "set", table.name, "--on-error", "nowhere.conf")
    assert (code, "nowhere.conf is no file of STRINGX_ACTIONS_DIR" in err) == (2, True)
    assert run("actions", "set", table.name)[0] == 2

    table.check("null")
    [action] = table.actions("succeeded")
    listed = json.loads(run("actions", "runs", "--table", table.name, "-o", "json")[1])
    assert listed == [action]
    text = run("tasks", "show", action["run_id"])[1]
    assert "succeeded quiet.conf on" in text and "shell_script" in text
    runs_ = json.loads(run("tasks", "runs", "--file", "quiet.conf", "-o", "json")[1])
    assert action["run_id"] in {one["id"] for one in runs_}
    assert run("tasks", "show", "../x")[0] == 2


def parent(process: int) -> int:
    """The id of the process that started it."""
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize(
    ("verdicts", "events"),
    [
        (["fail"], ["fail"]),
        (["pass"], [None]),
        (["fail", "fail", "pass", "pass"], ["fail", None, "recovery", None]),
        (["warn", "fail", "warn", "pass"], ["warn", "fail", "warn", "recovery"]),
        (["error", "error", "fail", "error"], ["error", None, "fail", "error"]),
        (["fail", "no_rules", "fail", "no_rules", "pass"], ["fail", None, None, None, "recovery"]),
        (["no_rules", "pass", "no_rules"], [None, None, None]),
    ],
)
def test_t10_a_change_of_state_is_one_event(verdicts: list[str], events: list[str | None]) -> None:
    state, found = None, []
    for verdict in verdicts:
        state, event = next_state(state, verdict)
        found.append(event)
    assert found == events
