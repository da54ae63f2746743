"""Task files: what is refused before anything runs, and what HOCON means (T3, T6, T7)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from quality.tasks.durations import Duration
from quality.tasks.hocon import read
from tests.tasks.conftest import Tasks

TOUCH = "{name: shell_script, args: {script: touch, script_args: [ran]}}"


def test_t3_all_faults_are_said_at_once_with_their_places_and_nothing_runs(
    tasks: Tasks, tmp_path: Path
) -> None:
    ended = tasks(
        f"""tasks = [
          {TOUCH}
          {{name: shel_script}}
          {{name: archive, args: {{source: a}}}}
          {{name: shell_script, args {{
              script: ls
              colour: red
          }}}}
        ]"""
    )
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert lines == [
        (
            "stringx: tasks.conf:3:12: tasks[1].name: "
            'there is no task "shel_script"; did you mean shell_script?'
        ),
        "stringx: tasks.conf:4:27: tasks[2].args.destination: is required",
        "stringx: tasks.conf:7:15: tasks[3].args.colour: is not known here",
    ]
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "data").exists()


def test_t3_faults_in_included_files_have_their_own_places(tasks: Tasks, tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("\n\ntasks = [{name: nothing}]")
    ended = tasks('include "more.conf"\ntasks += {name: archive}')
    assert ended.code == 2
    assert "stringx: more.conf:3:11: tasks[0].name: there is no task" in ended.err
    assert "stringx: tasks.conf:2:11: tasks[1].args.source: is required" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tasks.conf:1:1: needs a list `tasks`"),
        ("tasks = {}", "needs a list `tasks`"),
        ("task = 1\ntasks = [{name: check, args: {table: a.b}}]", '"task": did you mean tasks?'),
        ("tasks = [1]", "tasks.conf:1:10: tasks[0]: must be an object"),
        ("tasks = [{name: archive, args: 3}]", "tasks.conf:1:26: tasks[0].args: Input should be"),
        ("tasks = [{args: {}}]", "tasks.conf:1:11: tasks[0].name: is required"),
        (
            f"tasks = [{TOUCH[:-1]}, retry: 1}}]",
            "tasks.conf:1:74: tasks[0].retry: is not known here",
        ),
        (
            f"tasks = [{TOUCH[:-1]}, time_limit: soon}}]",
            'tasks[0].time_limit: "soon" is no length of time',
        ),
        ("tasks = [", "tasks.conf:1:"),
        ("tasks = [${NOWHERE}]", "tasks.conf:1:10: could not resolve substitution: ${NOWHERE}"),
        ("a = ${b}\nb = ${a}\ntasks = []", "circular"),
        ('include "tasks.conf"', "include one another without an end"),
        ('include required("none.conf")', 'tasks.conf:1:9: there is no file "none.conf"'),
        ('include url("http://x/y")', "tasks.conf:1:"),
        ('include package("a", "b.conf")', "package(…) is not known here"),
    ],
)
def test_t3_what_is_no_task_file_is_one_line_with_its_place(
    tasks: Tasks, text: str, said: str
) -> None:
    ended = tasks(text)
    assert ended.code == 2
    [line] = ended.err.splitlines()
    assert said in line


def test_t6_variables_are_seen_and_the_environment_stays_as_it_was(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLOUR", "green")
    before = dict(os.environ)
    text = "tasks = [{name: shell_script, args: {script: echo, script_args: [%s]}}]"
    named = "${CWD}, ${PLATFORM}, ${TODAY}, ${COLOUR}"
    ended = tasks(text % named, "--set", "TODAY=yesterday")
    assert ended.code == 0
    [task] = ended.tasks
    assert task["output"].strip() == f"{Path.cwd()} linux yesterday green"
    assert tasks("tasks = [${NOWHERE}]").code == 2
    assert dict(os.environ) == before


def test_t6_the_environment_overrides_what_is_built_in(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM", "plan9")
    ended = tasks('tasks = [{name: shell_script, args: {script: "echo "${PLATFORM}}}]')
    assert ended.tasks[0]["output"] == "plan9\n"


def test_t7_the_notations_mean_what_they_mean(tmp_path: Path) -> None:
    (tmp_path / "base.conf").write_text("base { host = a, port = 1 }\nlist = [1]\n")
    file = tmp_path / "all.conf"
    file.write_text(
        """
        include "base"
        base { port = 2 }
        other = ${base} { host = b }
        list += 2
        list += ${?ABSENT}
        twice = [${?ABSENT}, x, ${?ABSENT}]
        limit = 30s
        quoted = "30s"
        since = "now() - 5 days"
        unquoted = now() - 5 days
        periods = [10 weeks, 5 minutes]
        last = 5 minutes"""
    )
    values = read(file, {}).values
    assert values == {
        "base": {"host": "a", "port": 2},
        "other": {"host": "b", "port": 2},
        "list": [1, 2],
        "twice": ["x"],
        "limit": "30s",
        "quoted": "30s",
        "since": "now() - 5 days",
        "unquoted": "now() - 5 days",
        "periods": ["10 weeks", "5 minutes"],
        "last": "5 minutes",
    }


def test_t7_an_unresolved_name_in_an_included_file_is_placed_there(tmp_path: Path) -> None:
    (tmp_path / "inner.conf").write_text("a = 1\n  b = ${nowhere.at.all}")
    (tmp_path / "outer.conf").write_text('\n\n\ninclude "inner.conf"\n')
    [fault] = read(tmp_path / "outer.conf", {}).unresolved
    assert str(fault).endswith("inner.conf:2:7: could not resolve substitution: ${nowhere.at.all}")


def test_t3_all_names_that_nothing_resolves_are_said_with_what_else_is_wrong(tasks: Tasks) -> None:
    """But nothing that is wrong only because a value is not known."""
    ended = tasks(
        """day = ${DAY}
        tasks = [
          {name: shell_script, args: {script: "echo "${day}" "${far.away}}, time_limit: ${LIMIT}}
          {name: shel_script}
          {name: archive, args: {source: ${?ABSENT}, colour: red}}
        ]"""
    )
    assert ended.code == 2
    assert sorted(ended.err.splitlines()) == [
        "stringx: tasks.conf:1:7: could not resolve substitution: ${DAY}",
        "stringx: tasks.conf:3:63: could not resolve substitution: ${far.away}",
        "stringx: tasks.conf:3:89: could not resolve substitution: ${LIMIT}",
        (
            "stringx: tasks.conf:4:12: tasks[1].name: "
            'there is no task "shel_script"; did you mean shell_script?'
        ),
        "stringx: tasks.conf:5:27: tasks[2].args.destination: is required",
        "stringx: tasks.conf:5:34: tasks[2].args.source: is required",
        "stringx: tasks.conf:5:54: tasks[2].args.colour: is not known here",
    ]


def test_t7_an_include_that_names_no_file_is_said(tasks: Tasks) -> None:
    ended = tasks(f'include "local.conf"\ntasks = [{TOUCH}]')
    assert ended.code == 0
    assert 'tasks.conf:1:9: there is no file "local.conf" to include' in ended.err


def test_t7_30s_is_a_time_limit_of_thirty_seconds(tasks: Tasks) -> None:
    limit = "time_limit: 30s, retry_wait: 1 ms"
    assert tasks(f"tasks = [{TOUCH[:-1]}, {limit}}}]").code == 0


def test_a_length_of_time_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(10**400)


def test_validate_runs_nothing(tasks: Tasks, tmp_path: Path) -> None:
    ended = tasks(f"tasks = [{TOUCH}]", command="validate")
    assert (ended.code, ended.out) == (0, "valid: tasks.conf, 1 tasks\n")
    assert tasks("tasks = [{name: no}]", command="validate").code == 2
    assert not (tmp_path / "ran").exists()


def test_t10_an_action_is_validated_and_tried_by_hand_with_a_made_up_verdict(tasks: Tasks) -> None:
    text = "tasks = [{name: shell_script, args: {script: echo, script_args: [${VERDICT_EVENT}]}}]"
    assert tasks(text, command="validate").code == 2
    assert tasks(text, "--verdict", "warn", command="validate").code == 0
    assert tasks(text, "--verdict", "recovery").tasks[0]["output"] == "recovery\n"
