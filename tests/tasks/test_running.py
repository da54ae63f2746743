"""Running: the tasks there are, order, retries, limits, failures, records (T1, T2, T4, T5, T8)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest

from cli.__main__ import main
from quality.errors import ConfigurationError
from quality.tasks.registry import by_name
from quality.tasks.task import Task
from tests.conftest import PROJECT
from tests.tasks.conftest import Tasks, read_number, runs

COUNTING = """
import pathlib, sys
file = pathlib.Path("count"); n = int(file.read_text()) + 1 if file.exists() else 1
file.write_text(str(n)); print("attempt", n)
sys.exit(0 if n >= int(sys.argv[1]) else 7)
"""


def counting(succeeds_at: int, options: str = "") -> str:
    Path("counting.py").write_text(COUNTING)
    arguments = f'{{script: "{sys.executable}", script_args: [counting.py, {succeeds_at}]}}'
    return f"{{name: shell_script, args: {arguments}{options}}}"


def shell(command: str, options: str = "") -> str:
    return f'{{name: shell_script, args: {{script: sh, script_args: [-c, "{command}"]}}{options}}}'


def test_t1_a_file_with_scripts_and_an_archive(tasks: Tasks, tmp_path: Path) -> None:
    (tmp_path / "reports" / "deep").mkdir(parents=True)
    (tmp_path / "reports" / "a.py").write_text("1")
    (tmp_path / "reports" / "deep" / "b.py").write_text("2")
    ended = tasks(
        """tasks: [
          { name: shell_script, args: { script: "uname -a" } }
          { name: shell_script, args: { script: find, script_args: ${CWD}" -name '*.py'" } }
          { name: archive, args: {
              source: reports, destination: ${CWD}/backup/${PLATFORM}-${TODAY}.tar.gz } }
        ]""",
        "--set",
        "TODAY=2026-01-31",
    )
    assert ended.code == 0, ended.err
    assert "Linux" in ended.tasks[0]["output"]
    assert "a.py" in ended.tasks[1]["output"]
    with tarfile.open(tmp_path / "backup" / "linux-2026-01-31.tar.gz") as packed:
        assert sorted(packed.getnames()) == [
            "reports",
            "reports/a.py",
            "reports/deep",
            "reports/deep/b.py",
        ]


def test_t2_a_new_module_is_usable_by_name(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "greeting.py").write_text(
        "from quality.tasks import Task\n"
        "class Greet(Task):\n"
        "    '''Say hello.'''\n"
        "    def run(self, arguments, context):\n"
        "        return 'hello'\n"
    )
    monkeypatch.setenv("STRINGX_TASKS_DIR", str(folder))
    try:
        ended = tasks("tasks = [{name: Greet}, {name: GREET}]")
    finally:
        Task.found[:] = [one for one in Task.found if one.__name__ != "Greet"]
    assert (ended.code, [task["output"] for task in ended.tasks]) == (0, ["hello", "hello"])


def test_t2_two_tasks_of_one_name_are_an_error() -> None:
    first = type("Twin", (Task,), {"run": lambda *_: "", "__module__": "one"})
    second = type("Other", (Task,), {"run": lambda *_: "", "task_name": "TWIN"})
    try:
        with pytest.raises(ConfigurationError, match=r"two tasks are named twin: one\.Twin and"):
            by_name([first, second])
    finally:
        Task.found[:] = [one for one in Task.found if one not in (first, second)]


def test_t2_a_task_of_ones_own_does_not_take_the_name_of_another(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "from quality.tasks import Task\n"
        "class ARCHIVE(Task):\n"
        "    def run(self, arguments, context):\n"
        "        return 'mine'\n"
    )
    monkeypatch.setenv("STRINGX_TASKS_DIR", str(tmp_path))
    try:
        ended = tasks(f"tasks = [{shell('touch ran')}]")
    finally:
        Task.found[:] = [one for one in Task.found if one.__name__ != "ARCHIVE"]
    assert ended.code == 2
    assert "two tasks are named archive: " in ended.err
    assert "stringx_tasks_mine.ARCHIVE" in ended.err
    assert not (tmp_path / "ran").exists()


def test_t2_a_module_that_does_not_load_is_one_line(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("import nowhere_at_all")
    monkeypatch.setenv("STRINGX_TASKS_DIR", str(tmp_path))
    ended = tasks("tasks = [{name: check}]")
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "broken.py does not load: ModuleNotFoundError" in ended.err


def test_t2_another_package_offers_tasks_by_an_entry_point(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site"
    (package / "far-1.0.dist-info").mkdir(parents=True)
    (package / "far-1.0.dist-info" / "METADATA").write_text("Name: far\nVersion: 1.0\n")
    (package / "far-1.0.dist-info" / "entry_points.txt").write_text(
        "[stringx.tasks]\nfar = far_tasks\n"
    )
    (package / "far_tasks.py").write_text(
        "from quality.tasks import Task\n"
        "class Far(Task):\n"
        "    task_name = 'far_away'\n"
        "    def run(self, arguments, context):\n"
        "        return 'from far'\n"
    )
    monkeypatch.syspath_prepend(str(package))
    try:
        ended = tasks("tasks = [{name: far_away}]")
    finally:
        Task.found[:] = [one for one in Task.found if one.__name__ != "Far"]
        sys.modules.pop("far_tasks", None)
    assert ended.tasks[0]["output"] == "from far"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("script: echo", "\n"),
        ("script: echo, script_args: \"a  'b c'\"", "a b c\n"),
        ('script: echo, script_args: [a, "b  c"]', "a b  c\n"),
        ('script: "echo one", script_args: null', "one\n"),
    ],
)
def test_t4_script_args_are_absent_a_text_or_a_list(
    tasks: Tasks, arguments: str, said: str
) -> None:
    ended = tasks(f"tasks = [{{name: shell_script, args: {{{arguments}}}}}]")
    assert ended.tasks[0]["output"] == said


def test_t5_a_failing_script_stops_the_run_and_its_output_is_kept(
    tasks: Tasks, tmp_path: Path
) -> None:
    ended = tasks(f"tasks = [{shell('echo to see; echo this >&2; exit 3')}, {shell('touch ran')}]")
    assert ended.code == 1
    first, second = ended.tasks
    assert (first["status"], first["error"]) == ("failed", "sh ended with exit code 3")
    assert first["output"] == "to see\nthis\n"
    assert "to see" in ended.err
    assert (second["status"], second["attempts"]) == ("skipped", 0)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("script", ["./nowhere.sh", "no-such-program", "tasks.conf"])
def test_t5_a_missing_script_stops_the_run(tasks: Tasks, script: str) -> None:
    ended = tasks(
        f'tasks = [{{name: shell_script, args: {{script: "{script}"}}, retries: 3}}, '
        f"{shell('true')}]"
    )
    assert ended.code == 1
    assert ended.tasks[0]["attempts"] == 1  # trying again would change nothing
    assert script.strip("./") in ended.tasks[0]["error"]
    assert ended.tasks[1]["status"] == "skipped"


def test_t5_a_script_that_takes_too_long_is_ended_with_all_it_started(
    tasks: Tasks, tmp_path: Path
) -> None:
    ended = tasks(
        f"tasks = [{shell('echo begun; sleep 60 & echo $! > child; wait', ', time_limit: 500ms')}]"
    )
    assert ended.code == 1
    assert ended.tasks[0]["error"] == "its time limit is over"
    assert ended.tasks[0]["output"] == "begun\n"
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not runs(child):
            break
        time.sleep(0.05)
    assert not runs(child)


def test_a_task_that_does_not_look_at_its_deadline_is_broken_off(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stuck.py").write_text(
        "import time\nfrom quality.tasks import Task\n"
        "class Stuck(Task):\n"
        "    def run(self, arguments, context):\n"
        "        time.sleep(60)\n"
    )
    monkeypatch.setenv("STRINGX_TASKS_DIR", str(tmp_path))
    try:
        ended = tasks("tasks = [{name: stuck, time_limit: 100 ms}]")
    finally:
        Task.found[:] = [one for one in Task.found if one.__name__ != "Stuck"]
    assert (ended.code, ended.tasks[0]["error"]) == (1, "its time limit of 0.1 s is over")


def test_t8_each_run_runs_each_task_once(tasks: Tasks, tmp_path: Path) -> None:
    for times in (1, 2):
        assert tasks(f"tasks = [{shell('echo x >> lines')}]").code == 0
        assert (tmp_path / "lines").read_text() == "x\n" * times


def test_t8_an_archive_is_written_whole_or_not_at_all(tasks: Tasks, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("first")
    text = "tasks = [{name: archive, args: {source: source, destination: out/x.zip}}]"
    assert tasks(text).code == 0
    before = (tmp_path / "out" / "x.zip").read_bytes()
    os.mkfifo(source / "b")  # cannot be packed: it has no end
    ended = tasks(text.replace("}}]", "}, time_limit: 300ms}]"))
    assert ended.code == 1
    assert (tmp_path / "out" / "x.zip").read_bytes() == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.zip"]


def test_what_fails_is_tried_again(tasks: Tasks) -> None:
    ended = tasks(f"tasks = [{counting(3, ', retries: 4')}]")
    assert ended.code == 0
    assert (ended.tasks[0]["attempts"], ended.tasks[0]["output"]) == (3, "attempt 3\n")


def test_retries_come_to_an_end(tasks: Tasks) -> None:
    ended = tasks(f"tasks = [{counting(9, ', retries: 2')}]")
    assert (ended.code, ended.tasks[0]["attempts"]) == (1, 3)


def test_a_run_goes_on_where_it_may_and_says_that_it_is_partial(tasks: Tasks) -> None:
    ended = tasks(f"tasks = [{shell('exit 1', ', continue_on_error: true')}, {shell('true')}]")
    assert (ended.code, ended.record["status"]) == (3, "partial")
    assert [task["status"] for task in ended.tasks] == ["failed", "succeeded"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_broken_off_ends_its_scripts_and_is_recorded(
    tmp_path: Path, how: signal.Signals
) -> None:
    Path("tasks.conf").write_text(
        f"tasks = [{shell('echo done')}, "
        f"{shell('echo $$ > child; sleep 60', ', retries: 3, continue_on_error: true')}, "
        f"{shell('touch ran')}]"
    )
    command = [sys.executable, "-m", "cli", "tasks", "run", "tasks.conf", "--output", "json"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        # As in a terminal: who runs the tests in the background has it ignored, and so would we.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    child = read_number(tmp_path / "child")
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert not runs(child)
    record = json.loads(out)
    assert [(one["status"], one["error"]) for one in record["tasks"]] == [
        ("succeeded", None),
        ("failed", "it was broken off"),
        ("skipped", None),
    ]
    assert record["status"] == "failed"
    [file] = (tmp_path / "data" / "task-runs").iterdir()
    assert json.loads(file.read_text()) == record
    assert not (tmp_path / "ran").exists()


def test_progress_is_shown_and_the_record_is_kept(tasks: Tasks, tmp_path: Path) -> None:
    ended = tasks(f"tasks = [{shell('true')}, {shell('echo done')}]")
    assert "[1/2] shell_script: succeeded" in ended.err
    assert "[2/2] shell_script: succeeded" in ended.err
    [file] = (tmp_path / "data" / "task-runs").iterdir()
    assert json.loads(file.read_text()) == ended.record


def test_only_the_newest_records_are_kept(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_TASK_RUNS_KEPT", "2")
    ids = [tasks(f"tasks = [{shell('true')}]").record["id"] for _ in range(3)]
    kept = [json.loads(f.read_text())["id"] for f in (tmp_path / "data" / "task-runs").iterdir()]
    assert set(kept) <= set(ids) and len(kept) == 2


def test_the_end_of_a_long_output_is_kept(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRINGX_TASK_OUTPUT_BYTES", "300")
    ended = tasks(f"tasks = [{shell('seq 1 100000')}]")
    output = ended.tasks[0]["output"]
    assert output.startswith("…") and output.endswith("99999\n100000\n")
    assert len(output) <= 301


def test_secrets_are_neither_passed_on_nor_recorded(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_API_TOKEN", "token-that-nobody-sees")
    monkeypatch.setenv("DEPLOY_PASSWORD", "hush-hush-hush")
    ended = tasks(
        "tasks = [{name: shell_script, args: {script: env}},"
        "{name: shell_script, args: {script: echo, script_args: [${DEPLOY_PASSWORD}]}}]"
    )
    assert "PATH=" in ended.tasks[0]["output"]
    assert "STRINGX" not in ended.tasks[0]["output"]
    assert ended.tasks[1]["output"] == "***\n"
    assert "hush-hush" not in ended.out + ended.err
    assert "nobody-sees" not in ended.out + ended.err


def test_list_shows_tasks_with_arguments_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "list", "--output", "json"]) == 0
    found = {task["task"]: task for task in json.loads(capsys.readouterr().out)}
    assert set(found) >= {
        "archive",
        "check",
        "clean_up",
        "delete_older_than",
        "notify",
        "shell_script",
        "upload",
        "webhook",
    }
    assert all(task["description"] for task in found.values())
    mode = next(one for one in found["check"]["arguments"] if one["argument"] == "mode")
    assert (mode["required"], mode["default"]) == (False, "run")
    assert all(one["description"] for task in found.values() for one in task["arguments"])
