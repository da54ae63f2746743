"""Tests of a dbt project with packages, parsed by real dbt, as rules.

The packages have the names and the macros' names of dbt_utils and dbt_expectations; what is in the
macros does not matter, because only the manifest is read.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from quality.exchange import dbt_manifest
from quality.exchange.omissions import Imported
from quality.exchange.table_rules import brief
from tests.conftest import PROJECT, clean_environment

MACROS = {
    "dbt_utils": {
        "accepted_range": "column_name, min_value=none, max_value=none, inclusive=true",
        "unique_combination_of_columns": "combination_of_columns, quote_columns=false",
        "not_accepted_values": "column_name, values, quote=true",
        "recency": "field, datepart, interval, ignore_time_component=false, group_by_columns=[]",
        "not_null_proportion": "column_name=none, at_least=none, at_most=1, group_by_columns=[]",
        "relationships_where": "column_name, to, field, from_condition='1=1', to_condition='1=1'",
    },
    "dbt_expectations": {
        "expect_column_values_to_not_be_null": "column_name, row_condition=none",
        "expect_table_row_count_to_be_between": "min_value=none, max_value=none, strictly=false",
    },
    "shop": {"positive": "column_name", "unique": "column_name, more=none"},
}
SCHEMA = """
version: 2
sources:
  - name: raw
    schema: raw_data
    tables:
      - name: events
        identifier: events_v2
        data_tests:
          - dbt_utils.recency:
              arguments: {field: Seen_At, datepart: day, interval: 2}
              config: {meta: {owner: ann, dimension: accuracy, team: x}, store_failures: true}
models:
  - name: orders
    description: Orders.
    config: {meta: {owner: shop}}
    data_tests:
      - dbt_utils.unique_combination_of_columns:
          arguments: {combination_of_columns: [ID, '"Day"']}
      - dbt_expectations.expect_table_row_count_to_be_between:
          arguments: {min_value: 1, strictly: true}
    columns:
      - name: id
        data_tests:
          - not_null
          - dbt_utils.not_accepted_values: {arguments: {values: [1, 2], quote: false}}
          - dbt_expectations.expect_column_values_to_not_be_null:
              name: id_there
              arguments: {row_condition: "kind = 'a'"}
          - positive
          - unique
      - name: Amount
        quote: true
        data_tests:
          - dbt_utils.accepted_range:
              name: in_range
              description: Not too much.
              arguments: {min_value: 0, max_value: "1000"}
              config:
                severity: warn
                warn_if: ">3"
                tags: [money]
                limit: 7
                where: "kind in ('a', 'b') and day >= current_date - 7"
          - dbt_utils.accepted_range: {arguments: {min_value: "'2020-01-01'"}}
          - dbt_utils.accepted_range: {name: sql_end, arguments: {min_value: "now()"}}
          - not_null: {name: odd_where, config: {where: "lower(kind) = 'a'"}}
          - not_null: {name: odd_count, config: {fail_calc: "sum(n)"}}
          - not_null: {name: odd_threshold, config: {warn_if: "between 1 and 5"}}
          - not_null: {name: switched_off, config: {enabled: false}}
      - name: kind
        data_tests:
          - accepted_values: {arguments: {values: [1, b]}}
          - accepted_values: {name: unquoted, arguments: {values: [1, 2.5], quote: false}}
          - relationships: {arguments: {to: "ref('kinds')", field: KIND}}
          - dbt_utils.relationships_where:
              arguments:
                to: source('raw', 'events')
                field: kind
                from_condition: id > 5
                to_condition: kind is not null
          - dbt_utils.not_null_proportion:
              name: by_group
              arguments: {at_least: 0.5, group_by_columns: [id]}
  - name: passing
    config: {materialized: ephemeral}
    columns:
      - name: id
        data_tests: [not_null]
"""
UNIT_TESTS = """
unit_tests:
  - name: doubles
    model: orders
    given: []
    expect: {rows: []}
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    root = tmp_path_factory.mktemp("dbt")
    for package, macros in MACROS.items():
        folder = root / package
        (folder / "macros").mkdir(parents=True)
        (folder / "dbt_project.yml").write_text(
            json.dumps(
                {
                    "name": package,
                    "version": "1.0.0",
                    "profile": "stringx",
                    "flags": {
                        "send_anonymous_usage_stats": False,
                        "require_generic_test_arguments_property": True,
                    },
                }
            )
        )
        for name, arguments in macros.items():
            text = f"{{% test {name}(model, {arguments}) %}}select 1{{% endtest %}}"
            (folder / "macros" / f"{name}.sql").write_text(text)
    project = root / "shop"
    local = [{"local": f"../{name}"} for name in MACROS if name != "shop"]
    (project / "packages.yml").write_text(json.dumps({"packages": local}))
    (project / "models").mkdir()
    for model in ("orders", "kinds", "passing"):
        (project / "models" / f"{model}.sql").write_text("select 1 as id")
    (project / "models" / "schema.yml").write_text(SCHEMA)
    (project / "models" / "unit.yml").write_text(UNIT_TESTS)
    (project / "tests").mkdir()
    (project / "tests" / "singular.sql").write_text("select 1 where false")
    for command in ("deps", "parse"):
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--no-use-colors"),
                *(command, "--project-dir", str(project)),
                *("--profiles-dir", str(PROJECT / "stringx")),
            ],
            cwd=root,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    file = project / "target" / "manifest.json"
    return dbt_manifest.read(file.read_bytes(), file)


def rules(imported: Imported, table: str) -> dict[str, dict[str, Any]]:
    [found] = [one for one in imported.tables if one.table == table]
    return {rule.name: brief(rule) for rule in found.rules}


def test_tables_are_relations_with_owner_and_description(imported: Imported) -> None:
    assert {table.table for table in imported.tables} == {"public.orders", "raw_data.events_v2"}
    [orders] = [table for table in imported.tables if table.table == "public.orders"]
    assert (orders.owner, orders.description) == ("shop", "Orders.")


def test_tests_with_an_equal_are_rules(imported: Imported) -> None:
    found = rules(imported, "public.orders")
    assert found.pop("in_range") == {
        "name": "in_range",
        "type": "accepted_range",
        "column": "Amount",
        "arguments": {"min_value": 0, "max_value": 1000},
        "severity": "warn",
        "warn_if": "> 3",
        "where": [
            {"column": "kind", "op": "in", "value": ["a", "b"]},
            {"column": "day", "op": ">=", "value": "today-7d"},
        ],
        "tags": ["money"],
        "description": "Not too much.",
    }
    assert found.pop("id_there")["where"] == [{"column": "kind", "op": "=", "value": "a"}]
    shown = {
        (rule["type"], rule.get("column"), json.dumps(rule.get("arguments")))
        for rule in found.values()
    }
    events = "raw_data.events_v2"
    assert shown == {
        ("not_null", "id", "null"),
        ("not_accepted_values", "id", '{"values": [1, 2]}'),
        ("accepted_range", "Amount", '{"min_value": "2020-01-01"}'),
        ("accepted_values", "kind", '{"values": ["1", "b"]}'),
        ("accepted_values", "kind", '{"values": [1, 2.5]}'),
        ("relationships", "kind", '{"to": "public.kinds", "field": "kind"}'),
        (
            "relationships_where",
            "kind",
            json.dumps(
                {
                    "to": events,
                    "field": "kind",
                    "to_where": [{"column": "kind", "op": "is_not_null"}],
                }
            ),
        ),
        ("unique_combination_of_columns", None, '{"columns": ["id", "Day"]}'),
        ("row_count_between", None, '{"min_value": 2}'),
    }
    [recency] = rules(imported, events).values()
    assert recency == {
        "name": "recency_seen_at",
        "type": "recency",
        "column": "seen_at",
        "arguments": {"datepart": "day", "interval": 2},
        "dimension": "accuracy",
        "owner": "ann",
    }


def test_everything_else_is_listed_with_its_reason(imported: Imported) -> None:
    reasons = {
        (omission.what.partition("_raw_")[0], omission.field): omission.reason
        for omission in imported.omissions
    }
    expected = {
        ("positive_orders_id", ""): "a test of shop",
        ("unique_orders_id", ""): "a test of shop",
        ("sql_end", ""): 'min_value is SQL ("now()")',
        ("odd_where", ""): "where cannot be written as predicates",
        ("odd_count", ""): "fail_calc",
        ("odd_threshold", ""): "warn_if",
        ("switched_off", ""): "switched off",
        ("by_group", ""): "group_by",
        ("not_null_passing_id", ""): "ephemeral",
        ("singular", ""): "singular",
        ("doubles", ""): "unit test",
        ("in_range", "limit"): "every failing row",
        ("dbt_utils_source_recency", "meta"): "team",
        ("dbt_utils_source_recency", "store_failures"): "sample_limit",
    }
    assert set(reasons) == set(expected)
    for what, word in expected.items():
        assert word in reasons[what], (what, reasons[what])
