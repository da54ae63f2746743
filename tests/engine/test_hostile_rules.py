"""Hostile rules through every door: each is refused in clear words, or means itself and no more."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql
from pydantic import ValidationError

from quality.catalogue import RULE_TYPES
from quality.checks import CheckOutcome
from quality.custom_rules import faults_of_custom_sql
from quality.documents import strictly
from quality.engine.planned import PlannedEngine
from quality.errors import InvalidInput
from quality.names import TableName
from quality.rules import Rule, RuleSet
from tests.conftest import PROJECT, LiveApi
from tests.differential.rule_types import CASES
from tests.engine.conftest import CANARIES, Target, rule_set, said

SECRET = "locked-away-8841"
RUN = "62615533"
"""What `7919 * 7907` becomes where somebody renders it."""
HOSTILE = {
    "statement": "x'; drop table engine.trap; commit; --",
    "condition": "x') or 1 / (select 0) = 1 --",
    "identifier": 'x" or 1 / (select 0) = 1 --',
    "backslash": "x\\' or 1 / (select 0) = 1 --",
    "expression": "{{ 7919 * 7907 }} {{ env_var('STRINGX_TARGET_CANARY') }}",
    "block": "{% do run_query('drop table engine.trap; commit') %}",
    "path": "../../../../etc/passwd",
    "schema": "locked.safe",
    "parentheses": "1) from locked.safe where (1 = 1",
}
EVERYWHERE = ("condition", "expression", "schema")
TABLE = "ruled.dirty"
NOT_NULL = {"type": "not_null", "column": "id"}
AGAIN = 150
"""Rules of one check."""


@pytest.fixture(scope="module", autouse=True)
def traps(target: Target) -> Iterator[None]:
    """A table that must survive, one that must not be read, and tables for every rule type."""
    target.execute("create table if not exists engine.trap (id integer)")
    with psycopg.connect(target.url) as connection:
        connection.execute("create schema locked")
        connection.execute("create table locked.safe (id text)")
        connection.execute("insert into locked.safe values (%s)", [SECRET])
        tables = PROJECT / "tests" / "differential" / "tables" / "rules.sql"
        connection.execute(tables.read_text().encode())
        connection.execute(
            "grant usage on schema ruled to stringx_reader;"
            "grant select on all tables in schema ruled to stringx_reader;"
            "grant usage on schema locked to stringx_reader"
        )
    yield
    assert target.value("select to_regclass('engine.trap') is not null")
    assert target.value("select count(*) from ruled.dirty") == 6


def assert_harmless(outcome: CheckOutcome) -> None:
    """Nothing was rendered, run or read that should not be."""
    for result in outcome.results:
        shown = result.model_dump_json(exclude={"sql"})
        for found in (*CANARIES.values(), SECRET, RUN, "division by zero", "root:"):
            assert found not in shown, (result.type, result.message, result.sql)
        for found in (*CANARIES.values(), RUN):
            assert found not in (result.sql or ""), result.sql


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in a document."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from places(below, (*path, key))
    elif isinstance(value, list):
        for place, below in enumerate(value):
            yield from places(below, (*path, place))


def replaced(document: dict[str, Any], path: tuple[Any, ...], text: str) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    at: Any = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = text
    return changed


def rules_of_every_type() -> Iterator[dict[str, Any]]:
    tried = set()
    for case in CASES:
        texts = frozenset(path for path in places(case.rule))
        if (case.type, texts) not in tried:
            tried.add((case.type, texts))
            yield case.rule
    yield from (entry.example for entry in RULE_TYPES.values() if entry.category == "H")


def test_every_text_of_every_rule_type_is_refused_or_harmless(engine: PlannedEngine) -> None:
    run: list[Rule] = []
    refused: dict[str, set[str]] = {name: set() for name in EVERYWHERE}
    with_text: set[str] = set()
    for document in rules_of_every_type():
        for path in places(document):
            if path != ("type",):
                with_text.add(document["type"])
            for name in EVERYWHERE:
                hostile = replaced(document, path, HOSTILE[name]) | {"name": f"r{len(run)}"}
                try:
                    rule = strictly(Rule, hostile)
                    faults = faults_of_custom_sql(TableName.parse(TABLE), [rule], is_allowed=True)
                    refused[name] |= {fault.code for fault in faults}
                    run += [] if faults else [rule]
                except ValidationError as error:
                    refused[name] |= {one["type"] for one in error.errors()}
    assert {rule.type for rule in run} >= with_text - {
        # These take nothing but SQL, which the guard reads first, or one of a few words.
        *("metric_sql", "failed_rows_sql", "expression_is_true", "expression_between"),
        *("aggregation_equals_other_table", "schema_change"),
    }
    for name, codes in refused.items():
        assert codes, f"{name} was taken everywhere"
    for start in range(0, len(run), AGAIN):
        rules = RuleSet("demo", TableName.parse(TABLE), tuple(run[start : start + AGAIN]))
        outcome = engine.run(rules, time_limit_s=120)
        assert outcome.error_code is None, outcome.error
        assert_harmless(outcome)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("type", "rule_type_unknown"),
        ("name", "string_pattern_mismatch"),
        ("tags", "string_pattern_mismatch"),
        ("severity", "literal_error"),
        ("dimension", "literal_error"),
        ("kind", "literal_error"),
        ("warn_if", "value_error"),
        ("error_if", "value_error"),
        ("valid_from", "datetime_parsing"),
        ("is_active", "bool_type"),
        ("weight", "float_type"),
        ("sample_limit", "int_type"),
        ("where", "tuple_type"),
        ("no_such_field", "extra_forbidden"),
    ],
)
def test_fields_that_are_no_free_text_refuse_it(field: str, code: str, text: str) -> None:
    rule = {**NOT_NULL, field: [f"{text} "] if field == "tags" else text}
    with pytest.raises(ValidationError) as refused:
        strictly(Rule, rule)
    codes = {error["type"] for error in refused.value.errors()}
    assert codes <= {code, "string_too_long"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_names_of_columns_are_refused_where_there_are_none(
    engine: PlannedEngine, text: str
) -> None:
    rules: list[tuple[str, dict[str, Any]]] = [
        ("column", {**NOT_NULL, "column": text}),
        ("where[0].column", {**NOT_NULL, "where": [{"column": text, "op": "is_null"}]}),
        ("group_by[0]", {**NOT_NULL, "group_by": [text]}),
        ("sample_columns[0]", {**NOT_NULL, "sample_columns": [text], "sample_limit": 1}),
        ("mask[0]", {**NOT_NULL, "mask": [text], "sample_limit": 1}),
        (
            "arguments.columns[1]",
            {"type": "unique_combination_of_columns", "arguments": {"columns": ["id", text]}},
        ),
        (
            "arguments.to_where[0].column",
            {
                "type": "relationships_where",
                "column": "other",
                "arguments": {
                    "to": "ruled.parents",
                    "field": "key",
                    "to_where": [{"column": text, "op": "is_null"}],
                },
            },
        ),
    ]
    with pytest.raises(InvalidInput) as refused:
        engine.compile(rule_set(TABLE, *(rule for _, rule in rules)))
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [
        (f"rules[{place}].{path}", "column_not_found") for place, (path, _) in enumerate(rules)
    ]
    outcome = engine.run(rule_set(TABLE, *(rule for _, rule in rules)))
    assert {result.status for result in outcome.results} <= {"pass", "fail", "error"}
    assert_harmless(outcome)


def test_free_texts_are_kept_and_never_run(engine: PlannedEngine, tmp_path: Path) -> None:
    rules = rule_set(
        "engine.trap",
        *(
            {**NOT_NULL, "description": text, "owner": text, "business_impact": text}
            for text in HOSTILE.values()
        ),
    )
    assert said(engine.run(rules)) == [("pass", 0, 0)] * len(HOSTILE)
    for rule, text in zip(rules.rules, HOSTILE.values(), strict=True):
        assert (rule.description, rule.owner, rule.business_impact) == (text, text, text)
    page = engine.generate_docs([rules], tmp_path / "docs").read_text()
    assert [found for found in (*CANARIES.values(), SECRET) if found in page] == []


def test_values_of_where_and_scope_mean_themselves(engine: PlannedEngine, target: Target) -> None:
    target.execute("create table engine.said (id integer, v text)")
    for number, text in enumerate(HOSTILE.values()):
        insert = sql.SQL("insert into engine.said values ({}, {})")
        target.execute(insert.format(sql.Literal(number), sql.Literal(text)))
    rules = rule_set(
        "engine.said",
        *(
            {**NOT_NULL, "where": [{"column": "v", "op": op, "value": value}]}
            for text in HOSTILE.values()
            for op, value in (("=", text), ("in", [text, "y"]), ("between", [text, text]))
        ),
    )
    outcome = engine.run(rules)
    assert said(outcome) == [("pass", 0, 1)] * len(rules.rules)
    assert_harmless(outcome)


def test_a_column_with_a_hostile_name_is_masked_and_grouped_as_any_other(
    engine: PlannedEngine, target: Target
) -> None:
    name = 'x"; drop table engine.trap; {{ 7919 * 7907 }}'
    target.execute(
        sql.SQL("create table engine.named (id integer, {} text)").format(sql.Identifier(name)),
        f"insert into engine.named values (null, '{SECRET}')",
    )
    shown = {"sample_limit": 5, "sample_columns": ["id", name], "mask": [name]}
    outcome = engine.run(rule_set("engine.named", {**NOT_NULL, **shown}))
    (result,) = outcome.results
    assert (result.status, result.failures) == ("fail", 1)
    assert result.sample is not None
    assert SECRET not in result.sample.model_dump_json()
    assert "***" in result.sample.model_dump_json()
    grouped = engine.run(rule_set("engine.named", {**NOT_NULL, "group_by": [name]}))
    assert [group.group for group in grouped.results[0].groups] == [{name: SECRET}]


@pytest.mark.parametrize("argument", ["to", "compare_model"])
@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("locked.safe", "permission_denied"),
        ("pg_catalog.pg_authid", "value_error"),
        ("information_schema.tables", "value_error"),
        ("pg_toast.pg_toast_1", "value_error"),
        ("locked.gone", "table_not_found"),
        ("postgres.public.t", "value_error"),
        ("../../etc/passwd", "value_error"),
        ("file:///etc/passwd", "table_not_found"),
        ("ref('x')", "table_not_found"),
        ("ruled.parents; drop table engine.trap", "value_error"),
        ('ruled."parents"" p cross join locked.safe"', "table_not_found"),
    ],
)
def test_other_tables_are_refused(
    engine: PlannedEngine, argument: str, table: str, code: str
) -> None:
    rule: dict[str, Any] = {"type": "equal_rowcount", "arguments": {"compare_model": table}}
    if argument == "to":
        to = {"to": table, "field": "id"}
        rule = {"type": "relationships", "column": "name", "arguments": to}
    try:
        rules = rule_set(TABLE, rule)
    except ValidationError as error:
        (found,) = error.errors()
        assert (found["loc"], found["type"]) == (("arguments", argument), code)
        return
    with pytest.raises(InvalidInput) as refused:
        engine.compile(rules)
    assert [fault.code for fault in refused.value.faults] == [code]
    outcome = engine.run(rules)
    assert [result.status for result in outcome.results] == ["error"]
    assert_harmless(outcome)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("select * from locked.safe", "sql_schema_forbidden"),
        ("select 1 from checked where exists (select from locked.safe)", "sql_schema_forbidden"),
        ("select no_such_column from checked", "rule_rejected"),
        ("select * from ruled.no_such_table", "rule_rejected"),
    ],
)
def test_custom_sql_stays_in_its_schema(engine: PlannedEngine, query: str, code: str) -> None:
    for kind, more in (("failed_rows_sql", {}), ("metric_sql", {"max_value": 1})):
        rules = {"type": kind, "arguments": {"query": query, **more}}
        try:
            found = rule_set(TABLE, rules)
        except ValidationError:
            continue  # a metric of two columns
        with pytest.raises(InvalidInput) as refused:
            engine.compile(found)
        assert {fault.code for fault in refused.value.faults} == {code}


def test_custom_sql_needs_its_permission(new_engine: Callable[..., PlannedEngine]) -> None:
    forbidding, allowing = new_engine(), new_engine(custom_sql=True, custom_sql_schemas="locked, x")
    queries = ["select * from checked", "select * from ruled.parents"]
    rules = rule_set(
        TABLE,
        *({"type": "failed_rows_sql", "arguments": {"query": query}} for query in queries),
        {"type": "expression_is_true", "arguments": {"expression": "id > 0"}},
    )
    with pytest.raises(InvalidInput) as refused:
        forbidding.compile(rules)
    assert [fault.code for fault in refused.value.faults] == ["custom_sql_forbidden"] * 3
    assert forbidding.run(rules).error_code == "custom_sql_forbidden"
    allowing.compile(rules)
    locked = {"type": "failed_rows_sql", "arguments": {"query": "select * from locked.safe"}}
    with pytest.raises(InvalidInput) as refused:  # allowed by the operator, not by the database
        allowing.compile(rule_set(TABLE, locked))
    assert [fault.code for fault in refused.value.faults] == ["permission_denied"]


def test_custom_sql_is_bounded(new_engine: Callable[..., PlannedEngine]) -> None:
    engine = new_engine(custom_sql=True, statement_timeout_s=1)
    pairs = "select c.id from checked c, checked d"
    endless = f"select 1 from {', '.join(f'checked a{n}' for n in range(16))}"
    rules = rule_set(
        TABLE,
        {"type": "failed_rows_sql", "arguments": {"query": pairs, "max_rows": 7}},
        {
            "type": "metric_sql",
            "arguments": {
                "query": f"select count(*) from ({endless}) x",
                "max_value": 1,
            },
        },
    )
    bounded, timed = engine.run(rules).results
    assert (bounded.status, bounded.failures) == ("fail", 7)
    assert timed.status == "error"
    assert "timeout" in str(timed.message) or "longer than" in str(timed.message)


WRITES = [
    "insert into engine.trap values (1)",
    "update engine.trap set id = 1",
    "delete from engine.trap",
    "truncate engine.trap",
    "drop table engine.trap",
    "alter table engine.trap add column n integer",
    "create table engine.mine (id integer)",
    "create table public.mine (id integer)",
    "create temporary table mine (id integer)",
    "create schema mine",
    "create function public.f() returns integer language sql return 1",
    "create role mine",
    "select * from locked.safe",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select * from pg_catalog.pg_authid",
    "copy engine.trap to '/tmp/trap'",
    "copy engine.trap from '/etc/passwd'",
    "copy (select 1) to program 'id'",
    "set role postgres",
    "set session authorization postgres",
    "alter system set work_mem = '1GB'",
    "alter role stringx_reader superuser",
    "select pg_reload_conf()",
]


@pytest.mark.parametrize("switch", ["", "set default_transaction_read_only = off"])
@pytest.mark.parametrize("statement", WRITES)
def test_the_role_on_the_target_cannot_write(
    target: Target, target_environment: dict[str, str], statement: str, switch: str
) -> None:
    # As the service does it, and as an attacker would who is past everything else.
    with psycopg.connect(
        host=target_environment["STRINGX_TARGET_HOST"],
        port=target_environment["STRINGX_TARGET_PORT"],
        user=target_environment["STRINGX_TARGET_USER"],
        password=target_environment["DBT_ENV_SECRET_TARGET_PASSWORD"],
        dbname="demo",
        autocommit=True,
    ) as connection:
        assert connection.info.user == "stringx_reader"
        if switch:
            connection.execute(switch)
        with pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
        ):
            connection.execute(statement)
    assert target.value("select count(*) from engine.trap") == 0


@pytest.fixture(scope="module")
def api(live_api: LiveApi) -> Callable[..., requests.Response]:
    requests.put(live_api.api("/connections/demo"), json={}, timeout=60).raise_for_status()

    def send(method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, live_api.api(path), json=body, timeout=60)

    return send


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_api_refuses_hostile_rules_in_clear_words(
    api: Callable[..., requests.Response], text: str
) -> None:
    found = api("PUT", "/tables", {"table": TABLE})
    rules = f"/tables/{found.json()['id']}/rules"
    pair = {"type": "unique_combination_of_columns", "arguments": {"columns": ["id", text]}}
    for document, path, code in (
        ({**NOT_NULL, "name": text}, "name", "string_pattern_mismatch"),
        ({**NOT_NULL, "type": text}, "type", "rule_type_unknown"),
        ({**NOT_NULL, "tags": [f"{text} "]}, "tags[0]", "string_pattern_mismatch"),
        ({**NOT_NULL, "column": text}, "column", "column_not_found"),
        ({**NOT_NULL, "mask": [text]}, "mask[0]", "column_not_found"),
        ({**NOT_NULL, "group_by": [text]}, "group_by[0]", "column_not_found"),
        (pair, "arguments.columns[1]", "column_not_found"),
        ({**NOT_NULL, "arguments": {"x": text}}, "arguments.x", "unknown_field"),
        ({**NOT_NULL, "where": [{"column": "id", "op": text, "value": 1}]}, "where[0].op", None),
    ):
        answer = api("PUT", rules, {"rules": [document]})
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["path"] == f"rules[0].{path}"
        assert code is None or error["code"] == code, error
        assert "\n" not in error["message"]
        assert not any(word in answer.text for word in (*CANARIES.values(), SECRET, RUN, "root:"))
    kept = {**NOT_NULL, "description": text, "owner": text[:200]}
    answer = api("PUT", rules, {"rules": [kept]})
    assert answer.status_code == 200, answer.text
    stored = api("GET", rules).json()["items"][0]
    assert (stored["description"], stored["owner"]) == (text, text)
    scope = [{"column": "name", "op": "=", "value": text}]
    checked = api("POST", "/checks", {"table": TABLE, "scope": scope}).json()
    assert (checked["status"], checked["results"][0]["rows_tested"]) == ("pass", 0)
    scope = [{"column": text, "op": "=", "value": 1}]
    refused = api("POST", "/checks", {"table": TABLE, "scope": scope}).json()
    assert refused.get("error_code", refused.get("code")) == "scope_column_not_found"


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("failed_rows_sql", {"query": "select * from checked"}),
        ("metric_sql", {"query": "select 1", "max_value": 1}),
        ("expression_is_true", {"expression": "id > 0"}),
        ("expression_between", {"expression": "sum(id)", "max_value": 1}),
        (
            "aggregation_equals_other_table",
            {"expression": "sum(id)", "compare_model": "ruled.clean"},
        ),
    ],
)
def test_the_api_refuses_custom_sql_without_permission(
    api: Callable[..., requests.Response], kind: str, arguments: dict[str, Any]
) -> None:
    table = api("PUT", "/tables", {"table": TABLE}).json()["id"]
    answer = api(
        "PUT", f"/tables/{table}/rules", {"rules": [{"type": kind, "arguments": arguments}]}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "custom_sql_forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "/tables/..%2f..%2fetc%2fpasswd",
        "/tables/../../../../etc/passwd",
        "/tables/1%20or%201=1/rules",
        "/connections/..%2f..%2fetc%2fpasswd",
        "/connections/%7B%7B7919*7907%7D%7D",
        "/checks/..%2f..%2f..%2fetc%2fpasswd",
        "/checks/x';select%20pg_sleep(9)--",
    ],
)
def test_paths_of_the_api_are_no_paths_of_files(
    api: Callable[..., requests.Response], path: str
) -> None:
    answer = api("GET", path)
    assert answer.status_code in (404, 422), answer.text
    assert json.loads(answer.text)["status"] == answer.status_code
    assert "root:" not in answer.text and RUN not in answer.text
