"""What people write arrives as they wrote it, and is never run: not as Jinja, not as SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from quality.engine.planned import PlannedEngine
from quality.names import TableName
from quality.rules import RuleSet
from tests.engine.conftest import CANARIES, Target, rule_set, said, where

HOSTILE = [
    "{{ env_var('STRINGX_TARGET_CANARY') }}",
    "env_var('STRINGX_TARGET_CANARY')",
    "{{ adapter.config.credentials.password }}",
    "{% do run_query('drop table engine.canary; commit') %}x",
    "var('x','y') ~ run_query('drop table engine.canary; commit') ~ ('z')",
    "ref('t')",
    "source('source_0', 'table_0')",
    "x')) d; drop table engine.canary; commit; select 0 as failures, false, false from (select ('1",
    '1=1 \\", limit=(none if run_query("drop table engine.canary; commit") else none)) }} --',
    "{# comment #}",
    "{% raw %}",
    "}}{{ 7 * 7 }}",
    "O'Brien",
    "''",
    "'",
    'a"b',
    "\\",
    "\\'",
    "\\' or 1=1 --",
    "$$ $x$ /* -- ;",
    "%s %(x)s %%",
    "two\nlines\r\nand\ttab",
    "\u0085 \u2028 \ufeff",
    "é ü 日本 \U0001f600 \U0001d11e",
    "null",
    "~",
    "yes",
    "1e5",
    "2026-01-01",
    " blank at both ends ",
    "- [a, {b: c}] # &x *x !!str",
    "\x01\x1b[31m",
]
NAMES = [
    'quo"te.dot',
    "{{ 7*7 }} {% if %}",
    "env_var('X')",
    "back\\slash percent%s",
    "line\nfeed",
    "select",
    "UPPER é\U0001f600\u0085",
]


@pytest.fixture(scope="module", autouse=True)
def canary_table(target: Target) -> Any:
    target.execute("create table engine.canary (id integer)")
    yield
    assert target.value("select to_regclass('engine.canary') is not null")


@pytest.fixture(scope="module")
def texts(target: Target) -> str:
    target.execute("create table engine.texts (id integer, v text)")
    for number, text in enumerate(HOSTILE):
        insert = sql.SQL("insert into engine.texts values ({}, {})")
        target.execute(insert.format(sql.Literal(number), sql.Literal(text)))
    return "engine.texts"


def rules_for(number: int, text: str) -> list[dict[str, Any]]:
    """Rules that hold, or do not hold, for the row with exactly this text."""
    its_row = [{"column": "id", "op": "=", "value": number}]
    by_text = [{"column": "v", "op": "=", "value": text}]
    base = {"column": "v", "where": its_row}
    return [
        {**base, "type": "accepted_values", "arguments": {"values": [text]}},
        {**base, "type": "accepted_values", "arguments": {"values": [f"{text}x"]}},
        {**base, "type": "not_accepted_values", "arguments": {"values": ["other", text]}},
        {**base, "type": "accepted_range", "arguments": {"min_value": text, "max_value": text}},
        # The rest of a regular expression that begins with ***= is taken literally.
        {**base, "type": "match_regex", "arguments": {"regex": f"***={text}"}},
        {**base, "type": "match_regex", "arguments": {"regex": f"***={text}x"}},
        {"type": "row_count_between", "arguments": {"min_value": 1}, "where": by_text},
    ]


EXPECTED = [
    ("pass", 0, 1),
    ("fail", 1, 1),
    ("fail", 1, 1),
    ("pass", 0, 1),
    ("pass", 0, 1),
    ("fail", 1, 1),
    ("pass", 0, 1),
]


def test_values_ranges_expressions_and_where_are_taken_literally(
    engine: PlannedEngine, texts: str
) -> None:
    rules = [rule for number, text in enumerate(HOSTILE) for rule in rules_for(number, text)]
    found = said(engine.run(rule_set(texts, *rules), time_limit_s=60))
    for number, text in enumerate(HOSTILE):
        first = number * len(EXPECTED)
        assert found[first : first + len(EXPECTED)] == EXPECTED, text


def test_the_scope_is_taken_literally(engine: PlannedEngine, texts: str) -> None:
    rules = rule_set(texts, {"type": "row_count_between", "arguments": {"min_value": 1}})
    for text in HOSTILE[:9:2] + HOSTILE[18:24]:
        assert said(engine.run(rules, (where("v", "=", text),))) == [("pass", 0, 1)], text
        outcome = engine.run(rules, (where("v", "in", [f"{text}x", "\\"]),))
        assert said(outcome)[0][2] == (1 if text == "\\" else HOSTILE.count("\\")), text


def test_names_are_taken_literally_by_rule_types(engine: PlannedEngine, target: Target) -> None:
    for name in NAMES:
        table = TableName("engine", f"t {name}")
        parent = TableName("engine", f"p {name}")
        number = f"n {name}"
        target.execute(
            sql.SQL("create table {} ({} text, {} integer, seen timestamptz)").format(
                sql.Identifier(*_parts(table)), sql.Identifier(name), sql.Identifier(number)
            ),
            sql.SQL("insert into {} values ('a', 1, now()), ('b', 2, now())").format(
                sql.Identifier(*_parts(table))
            ),
            sql.SQL("create table {} ({} text)").format(
                sql.Identifier(*_parts(parent)), sql.Identifier(name)
            ),
            sql.SQL("insert into {} values ('a')").format(sql.Identifier(*_parts(parent))),
        )
    for name in NAMES:
        rules = _rules_of_types(name, f"n {name}", TableName("engine", f"p {name}"))
        found = said(
            engine.run(rule_set(str(TableName("engine", f"t {name}")), *rules), time_limit_s=60)
        )
        assert found == [("pass", 0, 1)] * len(rules), name


def _parts(table: TableName) -> tuple[str, str]:
    return table.schema, table.table


def _rules_of_types(name: str, number: str, parent: TableName) -> list[dict[str, Any]]:
    """Each passes on the one row that `where` leaves."""
    its_row = [
        {"column": name, "op": "=", "value": "a"},
        {"column": number, "op": "is_not_null"},
        {"column": number, "op": "between", "value": [0, 9]},
    ]
    text = {"column": name, "where": its_row}
    whole = {"column": number, "where": its_row}
    return [
        {**text, "type": "not_null"},
        {**text, "type": "not_null_proportion", "arguments": {"at_least": 1}},
        {**text, "type": "not_empty_string"},
        {"where": its_row, "type": "row_count_between", "arguments": {"max_value": 1}},
        {**text, "type": "unique"},
        {
            "where": its_row,
            "type": "unique_combination_of_columns",
            "arguments": {"columns": [name, number]},
        },
        {**text, "type": "accepted_values", "arguments": {"values": ["a"]}},
        {**text, "type": "not_accepted_values", "arguments": {"values": ["b"]}},
        {**whole, "type": "accepted_range", "arguments": {"min_value": 1, "max_value": 1}},
        {**text, "type": "string_length_between", "arguments": {"min_value": 1, "max_value": 1}},
        {**text, "type": "match_regex", "arguments": {"regex": "^a$"}},
        {**text, "type": "relationships", "arguments": {"to": str(parent), "field": name}},
        {
            **whole,
            "type": "column_greater_than",
            "arguments": {"other_column": number, "or_equal": True},
        },
        {
            "column": "seen",
            "where": its_row,
            "type": "recency",
            "arguments": {"datepart": "hour", "interval": 1},
        },
    ]


def test_no_secret_comes_out(
    engine: PlannedEngine, texts: str, data_dir: Path, target_environment: dict[str, str]
) -> None:
    secrets = [*CANARIES.values(), target_environment["DBT_ENV_SECRET_TARGET_PASSWORD"]]
    rules = [rule for number, text in enumerate(HOSTILE[:9]) for rule in rules_for(number, text)]
    outcome = engine.run(rule_set(texts, *rules, {"type": "not_null", "column": "no"}))
    documents = engine.generate_docs([rule_set(texts, *rules)], data_dir / "docs")
    assert b"engine.texts" in documents.read_bytes() or b"texts" in documents.read_bytes()
    written = [path for path in data_dir.rglob("*") if path.is_file()]
    assert {"plans", "docs"} <= {path.parent.name for path in written}
    for secret in secrets:
        assert secret not in outcome.model_dump_json()
        for path in written:
            assert secret.encode() not in path.read_bytes(), path


def test_the_generated_project_holds_no_template_and_no_quote_of_ours(
    engine: PlannedEngine, texts: str
) -> None:
    rules: RuleSet = rule_set(texts, *(rule for rule in rules_for(0, HOSTILE[0] + HOSTILE[7])))
    engine.run(rules)
    folder = engine._dbt.projects.project_of(rules)
    for path in (folder / "models" / "sources.yml", folder / "dbt_project.yml"):
        text = path.read_text()
        assert not any(mark in text for mark in ("{{", "{%", "{#", "'", "env_var", "canary;"))
