"""Rules as tests of dbt: the arguments that each macro takes, and what must not be pasted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from quality.catalogue import RULE_TYPES, RuleType
from quality.documents import strictly
from quality.exchange import dbt_schema
from quality.exchange.table_rules import TableRules
from quality.rules import Rule
from tests.conftest import PROJECT


def exported(rule: dict[str, Any]) -> dict[str, Any]:
    """The only test of the schema.yml that a rule becomes, its column beside it."""
    table = TableRules(table="shop.orders", rules=(strictly(Rule, rule),))
    text, omissions = dbt_schema.written("demo", [table])
    assert not omissions
    found = yaml.safe_load(text)["sources"][0]["tables"][0]
    at_columns = [
        (column, test) for column in found.get("columns", []) for test in column["data_tests"]
    ]
    at_table = [({}, test) for test in found.get("data_tests", [])]
    [(column, test)] = at_columns + at_table
    [(type_, body)] = test.items()
    assert type_ == strictly(Rule, rule).type
    return {**body, "column": column}


@pytest.mark.parametrize(
    "entry",
    [entry for entry in RULE_TYPES.values() if entry.category != "H"],
    ids=lambda entry: entry.name,
)
def test_arguments_are_those_of_the_macro(entry: RuleType) -> None:
    test = exported(entry.example)
    macro = (PROJECT / "stringx" / "macros" / f"{entry.name}.sql").read_text()
    signature = re.search(rf"test {entry.name}\((.*?)\)\s*-?%\}}", macro, re.DOTALL)
    assert signature is not None
    taken = {part.partition("=")[0].strip() for part in signature[1].split(",")}
    literally = test.get("config", {}).get("meta", {}).get("stringx", {})
    assert set(test.get("arguments", {})) | set(literally.get("arguments", {})) <= taken
    assert ("column_name" in taken) or not test["column"]


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "not_null", "column": 'a"b'},
        {"type": "not_null", "column": "{{ x }}"},
        {"type": "match_regex", "column": "a", "arguments": {"regex": "{{ 7 * 7 }}"}},
        {"type": "accepted_values", "column": "a", "arguments": {"values": ["{% raw %}"]}},
        {"type": "accepted_values", "column": "a", "arguments": {"values": [" ref( 'x' ) "]}},
        {"type": "accepted_values", "column": "a", "arguments": {"values": [1, "1"]}},
        {"type": "not_null", "column": "a", "where": [{"column": "b", "op": "=", "value": "{{ x"}]},
        {"type": "not_null", "column": "a", "where": [{"column": "b", "op": "=", "value": "\\"}]},
        {"type": "unique_combination_of_columns", "arguments": {"columns": ["a", "Order"]}},
        {"type": "unique_combination_of_columns", "arguments": {"columns": ["a", "order"]}},
    ],
)
def test_what_dbt_would_render_or_paste_stands_in_meta(rule: dict[str, Any]) -> None:
    test = exported(rule)
    assert test["column"] == {}
    assert "arguments" not in test
    assert "where" not in test["config"]
    literally = test["config"]["meta"]["stringx"]
    document = strictly(Rule, rule).document()
    assert literally["relation"] == {"schema": "shop", "identifier": "orders"}
    assert [literally[name] for name in ("column", "arguments", "where")] == [
        document[name] for name in ("column", "arguments", "where")
    ]


def test_names_that_need_quotes_get_them() -> None:
    assert exported({"type": "not_null", "column": "plain"})["column"].get("quote") is None
    for name in ("Upper", "order", "two words"):
        assert exported({"type": "not_null", "column": name})["column"]["quote"] is True
