"""What dbt compiles of rules, once for many requests, and what only dbt can run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quality.engine.dbt.answers import Incomplete
from quality.engine.dbt.dbt import RENEW_ATTEMPTS, Dbt
from quality.engine.dbt.nodes import overridden_judging
from quality.engine.dbt.process import DbtProcess, DbtTimeout
from quality.engine.plan.compiled import CompiledTest
from quality.engine.settings import EngineSettings
from quality.errors import InvalidInput
from tests.conftest import PROJECT
from tests.engine.conftest import Target, rule_set, where
from tests.engine.test_dbt_alone import dbt as run_dbt
from tests.engine.test_dbt_process import wait_for
from tests.engine.test_rule_types import CASES

MARKER = "sx_scope_0123456789abcdef0123456789abcdef"
RULES_OF_EVERY_TYPE: list[dict[str, Any]] = [
    {"type": kind, "arguments": arguments} | ({"column": column} if column else {})
    for kind, column, arguments, _ in CASES
]
NOT_NULL = {"type": "not_null", "column": "v"}


def soon() -> float:
    return time.monotonic() + 120


def children() -> set[int]:
    """Processes that this one has started, and that were not waited for."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


@pytest.fixture(scope="module", autouse=True)
def tables(target: Target) -> None:
    target.execute(
        "create table engine.compiled (id integer, v text)",
        "insert into engine.compiled values (1, 'a'), (2, null), (3, 'a'), (4, null)",
    )


@pytest.fixture(scope="module")
def dbt(
    target: Target, dbt_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dbt]:
    """dbt with our own project."""
    settings = EngineSettings(
        project_dir=PROJECT / "stringx", data_dir=tmp_path_factory.mktemp("compile")
    )
    opened = Dbt(settings, dbt_environment)
    yield opened
    opened.close()


@pytest.fixture
def dbt_with(
    target: Target, dbt_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Dbt]]:
    """dbt with a copy of our project in which some files are others."""
    opened: list[Dbt] = []

    def make(files: dict[str, str], **more: Any) -> Dbt:
        project = tmp_path / f"project-{len(opened)}"
        shutil.copytree(PROJECT / "stringx", project)
        for name, text in files.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)
        settings = EngineSettings(project_dir=project, data_dir=tmp_path / "data", **more)
        opened.append(Dbt(settings, dbt_environment))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def a_test(name: str, body: str) -> dict[str, str]:
    """A file with another macro for the rule type `name`."""
    macro = f"{{% test {name}(model, column_name=none) %}}{body}{{% endtest %}}"
    return {f"macros/{name}.sql": macro}


def test_each_rule_is_compiled_in_its_place(dbt: Dbt) -> None:
    rules = rule_set(
        "engine.compiled",
        {"type": "not_null", "column": "v", "severity": "warn", "warn_if": "> 3"},
        {"type": "unique", "column": 'odd "name"', "error_if": ">= 10", "warn_if": "> 1"},
        {
            "type": "not_null",
            "column": "id",
            "where": [{"column": "v", "op": "in", "value": ["a", "it's"]}],
        },
    )
    first, second, third = dbt.compile(rules, None, soon())
    assert first == CompiledTest(
        "rule_0",
        '\nselect "v"\nfrom "engine"."compiled"\nwhere "v" is null\n',
        severity="warn",
        warn_if="> 3",
    )
    assert (second.name, second.warn_if, second.error_if) == ("rule_1", "> 1", ">= 10")
    assert '"odd ""name"""' in second.sql
    assert (
        """(select * from "engine"."compiled" where "v" in ('a', 'it''s')) sx_subject"""
        in third.sql
    )


def test_the_scope_marker_stands_last_in_every_subject(dbt: Dbt) -> None:
    its_rows = [{"column": "id", "op": "<", "value": 3}]
    rules = rule_set(
        "engine.compiled",
        NOT_NULL,
        {"type": "not_null", "column": "v", "where": its_rows},
    )
    plain, narrowed = dbt.compile(rules, MARKER, soon())
    assert f'from (select * from "engine"."compiled" where "{MARKER}") sx_subject\n' in plain.sql
    assert (
        f'from (select * from "engine"."compiled" where "id" < 3 and "{MARKER}") sx_subject\n'
        in narrowed.sql
    )


def test_a_scope_put_in_place_of_the_marker_is_what_dbt_compiles(dbt: Dbt) -> None:
    scope = (where("id", ">", 1), where("v", "!=", "quo\"te's and \\"))
    condition = """"id" > 1 and "v" != E'quo"te''s and \\\\'"""
    rules = rule_set("engine.compiled", *RULES_OF_EVERY_TYPE)
    tests = dbt.compile(rules, MARKER, soon())
    theirs = [said["sql"] for said in dbt.test(rules, scope, soon())]
    assert [test.sql.replace(f'"{MARKER}"', condition) for test in tests] == theirs
    assert [test.sql.count(MARKER) for test in tests] == [1] * len(tests)
    assert all(test.dbt_only is None for test in tests)


@pytest.mark.parametrize("marker", ['a"b', "a b", "", "ä", "a\n"])
def test_a_marker_that_is_no_name_is_refused(dbt: Dbt, marker: str) -> None:
    with pytest.raises(InvalidInput, match="scope_marker"):
        dbt.compile(rule_set("engine.compiled", NOT_NULL), marker, soon())


def test_the_macro_takes_no_other_marker_either(dbt: Dbt) -> None:
    rules = rule_set("engine.compiled", NOT_NULL)
    with pytest.raises(InvalidInput, match="stringx_scope_marker"):
        dbt._compile(dbt._process, rules, [0], 'a"b', soon())


def test_what_dbt_refuses_is_named_by_its_rule(dbt_with: Callable[..., Dbt]) -> None:
    refusing = "{% if execute %}{{ exceptions.raise_compiler_error('not on Sunday') }}{% endif %}"
    dbt = dbt_with(a_test("unique", refusing))
    rules = rule_set("engine.compiled", NOT_NULL, {"type": "unique", "column": "v"})
    with pytest.raises(InvalidInput, match="not on Sunday") as refused:
        dbt.compile(rules, None, soon())
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [
        ("rules[1]", "rule_rejected")
    ]


def test_a_rule_that_dbt_leaves_out_is_never_overlooked(
    dbt_with: Callable[..., Dbt],
) -> None:
    dbt = dbt_with(a_test("unique", "{{ config(enabled=false) }} select 1"))
    rules = rule_set("engine.compiled", NOT_NULL, {"type": "unique", "column": "v"})
    with pytest.raises(Incomplete, match="1 of 2"):
        dbt.compile(rules, None, soon())
    with pytest.raises(Incomplete, match="1 of 2"):
        dbt.test(rules, (), soon())
    assert len(dbt.test(rules, (), soon(), only=[0])) == 1


def test_what_a_macro_configures_is_kept(dbt_with: Callable[..., Dbt]) -> None:
    config = "{{ config(limit=7, fail_calc='sum(n)') }} select 1 as n"
    (test,) = dbt_with(a_test("not_null", config)).compile(
        rule_set("engine.compiled", NOT_NULL), None, soon()
    )
    assert (test.limit, test.fail_calc, test.dbt_only) == (7, "sum(n)", None)


def test_what_only_dbt_can_run_says_why(dbt_with: Callable[..., Dbt]) -> None:
    dbt = dbt_with(
        a_test("unique", "{{ config(store_failures=true) }} select 1")
        | a_test("not_empty_string", "{{ config(store_failures_as='view') }} select 1")
        | a_test("match_regex", "{{ config(sql_header='set x to 1;') }} select 1")
    )
    rules = rule_set(
        "engine.compiled",
        NOT_NULL,
        {"type": "unique", "column": "v"},
        {"type": "not_empty_string", "column": "v"},
        {"type": "match_regex", "column": "v", "arguments": {"regex": "x"}},
    )
    assert [test.dbt_only for test in dbt.compile(rules, None, soon())] == [
        None,
        "store_failures",
        "store_failures",
        "sql_header",
    ]


@pytest.mark.parametrize(
    ("macro", "name"),
    [
        ("macro get_test_sql(a, b, c, d, e)", "get_test_sql"),
        ("macro postgres__get_limit_subquery_sql(a, b)", "postgres__get_limit_subquery_sql"),
        ("materialization test, adapter='postgres'", "materialization_test_postgres"),
    ],
)
def test_a_project_that_judges_otherwise_leaves_every_test_to_dbt(
    dbt_with: Callable[..., Dbt], macro: str, name: str
) -> None:
    end = macro.partition(" ")[0]
    dbt = dbt_with({"macros/own.sql": f"{{% {macro} %}}select 1{{% end{end} %}}"})
    tests = dbt.compile(rule_set("engine.compiled", NOT_NULL, NOT_NULL), None, soon())
    assert [test.dbt_only for test in tests] == [f"macro stringx_check.{name}"] * 2


@pytest.mark.parametrize(
    "name",
    [
        "default__get_test_sql",
        "postgres__get_test_sql",
        "get_limit_subquery_sql",
        "statement",
        "default__should_store_failures",
        "materialization_test_default",
    ],
)
def test_macros_that_judge_are_known_by_name(name: str) -> None:
    def macro(package: str, name: str) -> Any:
        return SimpleNamespace(package_name=package, name=name)

    theirs = [macro("dbt", name), macro("dbt_postgres", name), macro("own", f"my_{name}_2")]
    assert overridden_judging(theirs) is None
    assert overridden_judging([*theirs, macro("own", name)]) == f"macro own.{name}"


def test_dbt_tests_only_the_rules_asked_for(dbt: Dbt) -> None:
    rules = rule_set(
        "engine.compiled",
        *({"type": "row_count_between", "arguments": {"max_value": n}} for n in range(12)),
    )
    every = dbt.test(rules, (), soon())
    assert [said["name"] for said in every] == [f"rule_{n}" for n in range(12)]
    assert [said["status"] for said in every] == ["fail"] * 4 + ["pass"] * 8
    some = dbt.test(rules, (), soon(), only={10, 1, 3})
    assert [(said["name"], said["status"]) for said in some] == [
        ("rule_1", "fail"),
        ("rule_3", "fail"),
        ("rule_10", "pass"),
    ]
    assert dbt.test(rules, (), soon(), only=[]) == []


def test_the_version_changes_with_what_is_compiled_from(
    dbt: Dbt, dbt_with: Callable[..., Dbt]
) -> None:
    package = json.dumps({"name": "extra", "version": "1.0.0", "config-version": 2})
    versions = [
        dbt_with(files).version
        for files in (
            a_test("not_null", "select 1"),
            {"macros/deep/own.sql": "{% macro own() %}{% endmacro %}"},
            {"dbt_packages/extra/dbt_project.yml": package},
            {"dbt_packages/extra/dbt_project.yml": package + "\n"},
            {"dbt_project.yml": (PROJECT / "stringx/dbt_project.yml").read_text() + "\n"},
        )
    ]
    assert dbt_with({}).version == dbt.version
    assert len({*versions, dbt.version}) == len(versions) + 1


def test_macros_of_installed_packages_are_used(dbt_with: Callable[..., Dbt]) -> None:
    package = json.dumps({"name": "extra", "version": "1.0.0", "config-version": 2})
    files = {
        "dbt_packages/extra/dbt_project.yml": package,
        "dbt_packages/extra/macros/seven.sql": "{% macro seven() %}7{% endmacro %}",
    }
    dbt = dbt_with(files | a_test("not_null", "select {{ extra.seven() }}"))
    (test,) = dbt.compile(rule_set("engine.compiled", NOT_NULL), None, soon())
    assert test.sql.strip() == "select 7"


def test_the_sql_is_that_of_dbt_compile(
    dbt_with: Callable[..., Dbt], dbt_environment: dict[str, str], tmp_path: Path
) -> None:
    curious = """
        {% macro default__dispatched() %}dispatched{% endmacro %}
        {% macro asked() %}
            {% if execute %}{% do return(run_query('select 6 * 7').rows[0][0]) %}{% endif %}
        {% endmacro %}
        {% test match_regex(model, column_name=none) %}
        {{ config(limit=10 + 2, fail_calc='max(' ~ target.schema ~ ')') }}
        {%- set rule = sx_rule(model, column_name, {}) %}
        select '{{ model }}', '{{ this }}', '{{ adapter.dispatch("dispatched")() }}', {{ asked() }},
            {{ graph.nodes | length }}, {{ graph.sources | length }},
            '{{ selected_resources | sort }}',
            '{{ env_var("STRINGX_TARGET_CANARY") }}', '{{ target.name }}', '{{ var("absent", 1) }}',
            '{{ config.get("severity") }}', {{ invocation_args_dict | length > 0 }}
        from {{ rule['subject'] }}
        {% endtest %}
    """
    dbt = dbt_with({"macros/match_regex.sql": curious})
    curious_rule = {"type": "match_regex", "column": "v", "arguments": {"regex": "x"}}
    rules = rule_set("engine.compiled", *RULES_OF_EVERY_TYPE, curious_rule)
    ours = dbt.compile(rules, MARKER, soon())
    assert any(" 42,\n" in test.sql for test in ours)
    variables = json.dumps({"stringx_scope_marker": MARKER})
    arguments = ["compile", "--project-dir", str(dbt.projects.project_of(rules))]
    results = run_dbt(dbt_environment, *arguments, "--vars", variables, folder=tmp_path)
    theirs = {said["unique_id"].split(".")[2]: said["compiled_code"] for said in results}
    assert {test.name: test.sql for test in ours} == theirs


def test_a_rule_compiled_before_is_not_compiled_again(dbt_with: Callable[..., Dbt]) -> None:
    dbt = dbt_with({}, recycle_jobs=1)
    unique = {"type": "unique", "column": "v"}
    dbt.compile(rule_set("engine.compiled", NOT_NULL, unique), MARKER, soon())
    assert dbt.pid is None  # ended for its age
    other = MARKER.replace("0", "f")
    first, second = dbt.compile(rule_set("engine.compiled", unique, NOT_NULL), other, soon())
    assert dbt.pid is None  # and not needed again
    assert (first.name, second.name) == ("rule_0", "rule_1")
    assert "having count(*) > 1" in first.sql and "is null" in second.sql
    assert all(f'"{other}"' in test.sql and MARKER not in test.sql for test in (first, second))


def test_rules_are_compiled_anew_for_another_table_target_or_profile(
    dbt_with: Callable[..., Dbt],
) -> None:
    dbt = dbt_with({}, recycle_jobs=1, compiled_rules=2)
    project = dbt._settings.project_dir

    def says(number: int) -> None:
        (project / "macros/not_null.sql").write_text(*a_test("not_null", str(number)).values())

    def compiled(table: str, connection: str = "demo") -> str:
        rules = rule_set(table, NOT_NULL, connection=connection)
        (test,) = dbt.compile(rules, None, soon())
        return test.sql.strip()

    profiles = (project / "profiles.yml").read_text()
    (project / "profiles.yml").write_text(
        profiles + profiles.partition("outputs:\n")[2].replace("demo:", "other:", 1)
    )
    says(1)
    assert compiled("a.one") == "1"
    says(2)
    assert [compiled("a.one"), compiled("a.two")] == ["1", "2"]
    says(3)
    assert compiled("a.two", "other") == "3"
    assert compiled("a.two") == "2"
    assert compiled("a.one") == "3"  # forgotten: two are kept
    says(4)
    os.utime(project / "profiles.yml", (1, 1))
    assert compiled("a.one") == "4"


def test_dbt_gets_ready_before_it_is_needed_and_after_it_was_replaced(
    dbt_with: Callable[..., Dbt],
) -> None:
    dbt = dbt_with({}, recycle_jobs=3)  # its targets, its examples and one more
    dbt.warm().join(60)
    first = dbt.pid
    assert first is not None
    dbt.compile(rule_set("engine.compiled", NOT_NULL), None, soon())
    pids = {first}
    for number in range(20):  # goes on while another one gets ready
        rule = {"type": "accepted_range", "column": "id", "arguments": {"min_value": number}}
        dbt.compile(rule_set("engine.compiled", rule), None, soon())
        pids.add(dbt.pid)
    assert None not in pids
    wait_for(lambda: dbt.pid != first, "another dbt runs")
    wait_for(lambda: not Path(f"/proc/{first}").exists(), "the old one has ended")
    dbt.compile(rule_set("engine.compiled", {"type": "unique", "column": "v"}), None, soon())


def test_closing_ends_a_dbt_that_gets_ready_as_well(dbt_with: Callable[..., Dbt]) -> None:
    dbt = dbt_with({}, recycle_jobs=3)
    dbt.warm().join(60)
    first, before = dbt.pid, children()
    dbt.compile(rule_set("engine.compiled", NOT_NULL), None, soon())
    wait_for(lambda: bool(children() - before), "another dbt begins")
    started = children() - before
    dbt.close()
    assert not {first, *started} & children()


def test_a_dbt_that_does_not_get_ready_takes_no_place_until_it_must(
    dbt_with: Callable[..., Dbt], monkeypatch: pytest.MonkeyPatch
) -> None:
    dbt = dbt_with({}, recycle_jobs=3, interrupt_s=0.1)
    dbt.warm().join(60)
    first = dbt.pid
    assert first is not None
    tried: list[int] = []

    def killed(process: DbtProcess) -> None:
        process.ask({"job": "targets"}, soon())
        assert process.pid is not None
        tried.append(process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(DbtTimeout):  # which ends it
            process.ask({"job": "targets"}, time.monotonic() + 0.1)

    monkeypatch.setattr(dbt, "_warm", killed)
    monkeypatch.setattr("quality.engine.dbt.dbt.RENEW_AGAIN_S", 0.0)
    for attempt in range(RENEW_ATTEMPTS):
        rule = {"type": "accepted_range", "column": "id", "arguments": {"min_value": attempt}}
        dbt.compile(rule_set("engine.compiled", rule), None, soon())
        wait_for(lambda: not dbt._renewing.locked(), "it is given up")
        assert not Path(f"/proc/{tried[-1]}").exists()
        if attempt < RENEW_ATTEMPTS - 1:
            assert dbt.pid == first
    assert len(set(tried)) == RENEW_ATTEMPTS
    assert dbt.pid is None and not Path(f"/proc/{first}").exists()
    dbt.compile(rule_set("engine.compiled", NOT_NULL), None, soon())


def test_a_profile_that_cannot_be_read_does_not_harm_who_gets_ready(
    dbt_with: Callable[..., Dbt],
) -> None:
    dbt = dbt_with({"profiles.yml": "stringx: {outputs: {}}"})
    dbt.warm().join(60)
    assert dbt.pid is not None
    assert dbt.targets() == []
