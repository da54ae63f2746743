"""What all commands share: help, errors of one line, exit codes, secrets, whole lists, shells."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import requests

from cli.commands import stringx
from tests.cli.conftest import Run
from tests.conftest import PROJECT, LiveApi, clean_environment, start_api

TOKEN = "correct-horse-battery-staple"


def commands(group: click.Group = stringx, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands()], ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, path: tuple[str, ...]) -> None:
    shown = run(*path, "--help")
    assert shown.code == 0
    assert "Example" in shown.out
    assert f"stringx {' '.join(path)}".strip() in shown.out.partition("Example")[2]
    assert max(map(len, shown.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "nonsense"),
        (("tables", "list", "--statuss", "x"), "--status"),
        (("tables", "show"), "TABLE"),
        (("tables", "show", 'a"b'), 'must be "schema.table"'),
        (("tables", "show", "shop.orders"), "stringx tables add shop.orders"),
        (("tables", "add", "shop.nothing"), "shop.nothing"),
        (("tables", "add", "shop.clean", "-c", "nowhere"), "nowhere"),
        (("rules", "add", "shop.orders"), "--type"),
        (("rules", "add", "shop.orders", "-t", "nope"), "type"),
        (("rules", "add", "shop.orders", "-t", "not_null", "-a", "x"), "NAME=VALUE"),
        (("rules", "add", "shop.orders", "-t", "not_null", "--where", "x"), "--where"),
        (("results", "list", "--since", "yesterday"), "2h"),
        (("rules", "apply", "/nowhere"), "/nowhere"),
        (("import", "odcs", "/nowhere"), "/nowhere"),
        (("completion", "tcsh"), "tcsh"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("stringx: ")
    assert said in ended.err


def test_an_api_that_is_away_is_code_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRINGX_API_URL", "http://user:hunter2secret@127.0.0.1:9")
    for arguments in (("tables", "list"), ("gate", "a.b"), ("check", "run", "a.b")):
        ended = run(*arguments)
        assert (ended.code, ended.out) == (3, "")
        assert "STRINGX_API_URL" in ended.err
        assert "hunter2secret" not in ended.err
    monkeypatch.setenv("STRINGX_API_URL", "127.0.0.1")
    assert run("tables", "list").code == 2


def test_a_token_is_needed_sent_and_never_shown(
    run: Run,
    live_api: LiveApi,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    environment = {**live_api.environment, "STRINGX_API_TOKEN": TOKEN}
    del environment["STRINGX_API_PORT"]
    guarded = start_api(environment, tmp_path_factory.mktemp("guarded"))
    try:
        monkeypatch.setenv("STRINGX_API_URL", guarded.url)
        without = run("tables", "list")
        assert without.code == 3
        assert "STRINGX_API_TOKEN" in without.err
        monkeypatch.setenv("STRINGX_API_TOKEN", "wrong-" + TOKEN)
        wrong = run("gate", "shop.orders")
        assert wrong.code == 3
        assert TOKEN not in wrong.out + wrong.err
        monkeypatch.setenv("STRINGX_API_TOKEN", TOKEN)
        right = run("tables", "list")
        assert (right.code, right.out) == (0, "none\n")
    finally:
        guarded.stop()


def test_lists_are_whole(run: Run, live_api: LiveApi) -> None:
    run("tables", "add", "shop.orders")
    before = run("results", "list", "--table", "shop.orders", "--all", "-o", "json").json
    rules = [{"name": f"r{number}", "type": "not_null", "column": "id"} for number in range(200)]
    [table] = run("tables", "list", "-o", "json").json
    url = live_api.api(f"/tables/{table['id']}/rules")
    requests.put(url, json={"rules": rules}, timeout=60).raise_for_status()
    for _ in range(3):
        assert run("check", "run", "shop.orders").code == 0
    assert len(run("rules", "list", "shop.orders", "-o", "json").json) == 200
    listed = run("results", "list", "--table", "shop.orders", "--all", "-o", "csv")
    assert len(list(csv.DictReader(io.StringIO(listed.out)))) - len(before) == 600
    assert len(run("results", "list", "--limit", "501", "-o", "json").json) == 501
    assert len(run("results", "list", "-o", "json").json) == 100
    assert run("results", "list", "--rule", "r7", "--since", "1h", "-o", "json").json[2]
    assert run("results", "list", "--since", "2100-01-01T00:00:00Z").out == "none\n"


def test_rules_come_by_options_and_by_file(run: Run) -> None:
    run("tables", "add", "shop.orders", "--owner", "ops")
    added = run(
        *("rules", "add", "shop.orders", "-t", "accepted_values", "--column", "customer_id"),
        *("-a", "values=[1, 2]", "--where", "id<3", "--tag", "a", "--tag", "b", "-o", "json"),
        *("--severity", "warn", "--error-if", "> 3", "--name", "known", "--owner", "ann"),
    )
    assert added.code == 0, added.err
    rule = added.json
    assert rule["arguments"]["values"] == [1, 2]
    assert rule["where"] == [{"column": "id", "op": "<", "value": 3}]
    assert (rule["name"], rule["tags"], rule["severity"]) == ("known", ["a", "b"], "warn")
    again = run(
        "rules", "add", "shop.orders", "-t", "not_null", "--column", "id", "--name", "known"
    )
    assert again.code == 2
    assert run("tables", "add", "shop.orders", "--description", "d").code == 0
    shown = run("tables", "show", "shop.orders", "-o", "json").json
    assert (shown["owner"], shown["description"]) == ("ops", "d")
    types = run("rules", "types", "-o", "json").json
    assert {"not_null", "accepted_values"} <= {item["name"] for item in types}


def process(
    live_api: LiveApi, *arguments: str, text: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=PROJECT,
        env={**clean_environment(), "STRINGX_API_URL": live_api.url, **environment},
        input=text,
        capture_output=True,
        timeout=60,
    )


def test_as_a_process_without_a_terminal(live_api: LiveApi, run: Run) -> None:
    run("tables", "add", "shop.orders")
    rule = b"type: not_null\ncolumn: amount\n"
    added = process(live_api, "rules", "add", "shop.orders", "--file", "-", text=rule)
    assert added.returncode == 0, added.stderr
    checked = process(live_api, "check", "run", "shop.orders", "--watch", LANG="C", LC_ALL="C")
    assert checked.returncode == 1
    assert checked.stdout.startswith(b"fail demo shop.orders")
    assert b"\x1b" not in checked.stdout + checked.stderr
    as_json = process(live_api, "check", "run", "shop.orders", "-o", "json")
    assert json.loads(as_json.stdout)["status"] == "fail"
    assert process(live_api, "--version").stdout.strip()


def test_a_reader_that_has_enough_is_no_error(live_api: LiveApi) -> None:
    script = '"$0" -m cli rules types -o json | head -1; exit "${PIPESTATUS[0]}"'
    ended = subprocess.run(
        ["bash", "-c", script, sys.executable],
        cwd=PROJECT,
        env={**clean_environment(), "STRINGX_API_URL": live_api.url},
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == 0
    assert ended.stderr == b""


def test_on_a_terminal_it_asks_and_colours(live_api: LiveApi, run: Run) -> None:
    run("tables", "add", "shop.orders")
    run("rules", "add", "shop.orders", "-t", "not_null", "--column", "amount")
    out, answered = _on_a_terminal(live_api, b"", "check", "run", "shop.orders")
    assert answered == 1
    assert b"\x1b[31mfail" in out
    run("rules", "add", "shop.orders", "-t", "unique", "--column", "id")
    out, answered = _on_a_terminal(live_api, b"n\n", "rules", "restore", "shop.orders", "1")
    assert b"Replace the rules of demo shop.orders with version 1?" in out
    assert answered == 130
    assert len(run("rules", "list", "shop.orders", "-o", "json").json) == 2


def _on_a_terminal(live_api: LiveApi, typed: bytes, *arguments: str) -> tuple[bytes, int]:
    leader, follower = pty.openpty()
    ended = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=PROJECT,
        env={**clean_environment(), "STRINGX_API_URL": live_api.url, "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    os.write(leader, typed)
    out = b""
    try:
        while part := os.read(leader, 4096):
            out += part
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    return out, ended.wait(60)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    script = run("completion", shell)
    assert script.code == 0
    assert "_STRINGX_COMPLETE" in script.out


def test_shells_complete_commands_options_and_tables(live_api: LiveApi, run: Run) -> None:
    run("tables", "add", "shop.orders")

    def completed(*words: str) -> list[str]:
        ended = process(
            live_api,
            _STRINGX_COMPLETE="bash_complete",
            COMP_WORDS=" ".join(("stringx", *words)),
            COMP_CWORD=str(len(words)),
        )
        return [line.partition(",")[2] for line in ended.stdout.decode().splitlines()]

    assert completed("ru") == ["rules"]
    assert "apply" in completed("rules", "")
    assert completed("gate", "shop.orders", "--max") == ["--max-age"]
    assert completed("gate", "sho") == ["shop.orders"]


def test_a_group_alone_shows_its_help(run: Run) -> None:
    for path in ((), ("rules",)):
        ended = run(*path)
        assert (ended.code, ended.out) == (2, "")
        assert "Commands:" in ended.err
