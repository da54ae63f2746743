"""Data contracts as rules: every metric with every operator, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from quality.errors import InvalidInput
from quality.exchange import odcs
from quality.exchange.omissions import Imported
from quality.exchange.table_rules import brief

FILE = Path("c.odcs.yaml")


def contract(*qualities: dict[str, Any], at: str = "property", **more: Any) -> bytes:
    item: dict[str, Any] = {"name": "orders", "properties": [{"name": "amount"}]}
    holder = item if at == "schema" else item["properties"][0]
    holder["quality"] = list(qualities)
    document = {"kind": "DataContract", "apiVersion": "v3.1.0", "schema": [item], **more}
    return yaml.safe_dump(document, sort_keys=False).encode()


def read(*qualities: dict[str, Any], at: str = "property", **more: Any) -> Imported:
    return odcs.read(contract(*qualities, at=at, **more), FILE)


def rules(*qualities: dict[str, Any], at: str = "property") -> list[dict[str, Any]]:
    found = read(*qualities, at=at)
    assert not found.omissions, found.omissions
    return [brief(rule) for table in found.tables for rule in table.rules]


@pytest.mark.parametrize(
    ("operator", "value", "threshold"),
    [
        ("mustBe", 0, "!= 0"),
        ("mustBe", 3, "!= 3"),
        ("mustNotBe", 3, "= 3"),
        ("mustBeGreaterThan", 3, "<= 3"),
        ("mustBeGreaterOrEqualTo", 3, "< 3"),
        ("mustBeLessThan", 3, ">= 3"),
        ("mustBeLessOrEqualTo", 3, "> 3"),
        # No count is a fraction: less than 2.5 is at most 2.
        ("mustBeLessThan", 2.5, ">= 3"),
        ("mustBeLessOrEqualTo", 2.5, "> 2"),
        ("mustBeGreaterThan", 2.5, "<= 2"),
        ("mustBeGreaterOrEqualTo", 2.5, "< 3"),
    ],
)
def test_an_operator_is_the_threshold_by_which_it_is_broken(
    operator: str, value: float, threshold: str
) -> None:
    [rule] = rules({"metric": "nullValues", operator: value})
    assert (rule["type"], rule["column"]) == ("not_null", "amount")
    assert rule.get("error_if", "!= 0") == rule.get("warn_if", "!= 0") == threshold


def test_a_percentage_is_one_of_the_rows_tested() -> None:
    [rule] = rules({"metric": "nullValues", "mustBeLessThan": 0.5, "unit": "percent"})
    assert rule["error_if"] == ">= 0.5%"


def test_between_has_neither_end_in_it() -> None:
    low, high = rules({"metric": "nullValues", "mustBeBetween": [1, 4]})
    assert (low["error_if"], high["error_if"]) == ("<= 1", ">= 4")
    [rule] = rules({"metric": "rowCount", "mustBeBetween": [1, 4]}, at="schema")
    assert rule["arguments"] == {"min_value": 2, "max_value": 3}


@pytest.mark.parametrize(
    ("entry", "arguments", "threshold"),
    [
        ({"mustBe": 7}, {"min_value": 7, "max_value": 7}, None),
        ({"mustNotBe": 7}, {"min_value": 7, "max_value": 7}, "= 0"),
        ({"mustBeGreaterThan": 7}, {"min_value": 8}, None),
        ({"mustBeGreaterOrEqualTo": 7}, {"min_value": 7}, None),
        ({"mustBeLessThan": 7}, {"max_value": 6}, None),
        ({"mustBeLessOrEqualTo": 7}, {"max_value": 7}, None),
        ({"mustNotBeBetween": [2, 7]}, {"min_value": 3, "max_value": 6}, "= 0"),
        (
            {"mustBeGreaterThan": 1.5, "mustBeLessOrEqualTo": 9},
            {"min_value": 2, "max_value": 9},
            None,
        ),
    ],
)
def test_row_counts(
    entry: dict[str, Any], arguments: dict[str, int], threshold: str | None
) -> None:
    [rule] = rules({"metric": "rowCount", **entry}, at="schema")
    assert rule["type"] == "row_count_between"
    assert rule["arguments"] == arguments
    assert rule.get("error_if") == rule.get("warn_if") == threshold


def test_metrics_are_rule_types() -> None:
    found = rules(
        {"metric": "duplicateValues", "mustBe": 0},
        {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a", None]}},
        {"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "^a$"}},
        {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [None]}},
        {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [None, ""]}},
        {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [""]}},
        {"rule": "duplicateCount", "mustBeLessThan": 10},
        {"rule": "validValues", "validValues": [1], "mustBe": 0},
    )
    assert [(rule["type"], rule.get("arguments")) for rule in found] == [
        ("unique", None),
        ("accepted_values", {"values": ["a"]}),
        ("match_regex", {"regex": "^a$"}),
        ("not_null", None),
        ("not_missing", {"missing_values": [""]}),
        ("not_missing", {"missing_values": [""]}),
        ("unique", None),
        ("accepted_values", {"values": [1]}),
    ]
    assert "where" not in found[4]
    assert found[5]["where"] == [{"column": "amount", "op": "is_not_null"}]
    assert len({rule["name"] for rule in found}) == 8
    keys = {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["a", "amount"]}}
    [rule] = rules(keys, at="schema")
    assert rule["arguments"]["columns"] == ["a", "amount"]


def test_sql_is_a_metric_of_the_rows_that_are_checked() -> None:
    query = "SELECT COUNT(*) FROM {object} WHERE {property} IS NULL;"
    [rule] = rules({"type": "sql", "query": query, "mustNotBeBetween": [1, 5]})
    assert rule["type"] == "metric_sql"
    assert rule["arguments"] == {
        "query": 'SELECT COUNT(*) FROM checked WHERE "amount" IS NULL',
        "min_value": 1,
        "max_value": 5,
        "inclusive": False,
        "negate": True,
    }


@pytest.mark.parametrize(
    ("dimension", "ours"),
    [
        *(("ac", "accuracy"), ("cp", "completeness"), ("cf", "validity"), ("cs", "consistency")),
        *(("cv", "completeness"), ("tm", "timeliness"), ("uq", "uniqueness")),
        *(("conformity", "validity"), ("coverage", "completeness")),
    ],
)
def test_dimensions_by_all_their_names(dimension: str, ours: str) -> None:
    found = read({"metric": "nullValues", "mustBe": 0, "dimension": dimension})
    assert found.tables[0].rules[0].dimension == ours
    assert not found.omissions


def test_what_stands_beside_a_metric_is_kept() -> None:
    [rule] = rules(
        {
            "name": "Amount known!",
            "metric": "nullValues",
            "mustBe": 0,
            "severity": "warning",
            "description": "Always.",
            "businessImpact": "operational",
            "tags": ["money"],
        }
    )
    assert rule == {
        "name": "amount_known",
        "type": "not_null",
        "column": "amount",
        "severity": "warn",
        "description": "Always.",
        "business_impact": "operational",
        "tags": ["money"],
    }


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"type": "text", "description": "fine"}, "text for people"),
        ({"type": "custom", "engine": "soda", "implementation": "x"}, "another engine (soda)"),
        ({"metric": "nullValues"}, "has no operator"),
        ({"metric": "nullValues", "mustBe": "0"}, "mustBe takes a number"),
        ({"metric": "nullValues", "mustBe": 1.5}, "no number of rows is 1.5"),
        ({"metric": "nullValues", "mustBeLessThan": -1}, "can never be reached"),
        ({"metric": "nullValues", "mustNotBeBetween": [1, 5]}, "a threshold is one comparison"),
        ({"metric": "nullValues", "mustBe": 0, "mustBeOdd": 1}, "mustBeOdd is no operator"),
        ({"metric": "nullValues", "mustBe": 0, "unit": "pounds"}, "rows or percent"),
        ({"metric": "nulls", "mustBe": 0}, '"nulls" is none of the standard'),
        (
            {"metric": "invalidValues", "mustBeLessThan": 5, "arguments": {"validValues": [1]}},
            "counts values, not rows",
        ),
        ({"metric": "invalidValues", "mustBe": 0}, "validValues or arguments.pattern"),
        ({"mustBe": 0}, "neither a metric nor a type"),
        ({"type": "sql", "mustBe": 0}, "has no query"),
    ],
)
def test_what_has_no_equal_is_listed_with_its_line(entry: dict[str, Any], reason: str) -> None:
    found = read({"metric": "nullValues", "mustBe": 0}, entry)
    assert [rule.name for rule in found.tables[0].rules] == ["not_null_amount"]
    [omission] = found.omissions
    assert reason in omission.reason
    assert omission.place == f"{FILE}:10: schema[0].properties[0].quality[1]"
    assert omission.field == ""


def test_a_part_that_has_no_equal_is_listed_and_the_rest_kept() -> None:
    found = read(
        {
            "metric": "nullValues",
            "mustBe": 0,
            "schedule": "0 20 * * *",
            "severity": "blue",
            "dimension": "beauty",
            "tags": ["not one of ours"],
            "method": "reconciliation",
        }
    )
    assert len(found.tables[0].rules) == 1
    fields = {omission.field for omission in found.omissions}
    assert fields == {"schedule", "severity", "dimension", "tags", "method"}


def test_tables_have_their_physical_names_and_the_servers_schema() -> None:
    server = {"server": "s", "type": "postgres", "schema": "sales"}
    found = read({"metric": "nullValues", "mustBe": 0}, servers=[server])
    assert found.tables[0].table == "sales.orders"
    raw = contract({"metric": "nullValues", "mustBe": 0})
    assert odcs.read(raw, FILE).tables[0].table == "public.orders"
    assert odcs.read(raw, FILE, schema="x").tables[0].table == "x.orders"
    named = raw.replace(b"name: orders", b"name: o\n  physicalName: other.tbl_1")
    assert odcs.read(named, FILE, schema="x").tables[0].table == "other.tbl_1"
    column = raw.replace(b"name: amount", b"name: amount\n    physicalName: amt")
    assert odcs.read(column, FILE).tables[0].rules[0].column == "amt"


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "[]", "kind: Other\napiVersion: v3.0.0", "kind: DataContract\napiVersion: v2.2.2"],
)
def test_what_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=str(FILE)):
        odcs.read(text.encode(), FILE)
