"""dbt's own verdicts: its built-in tests on the same data, and our project run by dbt alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres
from quality.engine.planned import PlannedEngine
from tests.conftest import PROJECT
from tests.engine.conftest import Target, rule_set

TABLES = {
    "empty": "",
    "clean": "(1, 'a', 1), (2, 'b', 2), (3, 'a', null)",
    "dirty": "(1, 'a', 1), (1, 'z', 9), (1, 'z', 9), (2, 'y', 8), (2, null, null), (null, 'a', 1)",
    "nulls": "(null, null, null), (null, null, null)",
}
BUILT_IN: list[dict[str, Any]] = [
    {"type": "not_null", "column": "id"},
    {"type": "unique", "column": "id"},
    {"type": "accepted_values", "column": "kind", "arguments": {"values": ["a", "b"]}},
    {"type": "relationships", "column": "ref", "arguments": {"to": "plain.keys", "field": "key"}},
    {"type": "not_null", "column": "id", "severity": "warn"},
    {"type": "unique", "column": "id", "error_if": "> 2", "warn_if": "> 1"},
    {"type": "not_null", "column": "kind", "error_if": "> 5"},
    {"type": "accepted_values", "column": "id", "arguments": {"values": ["1", "2", "3"]}},
]


def dbt(environment: dict[str, str], *arguments: str, folder: Path) -> list[dict[str, Any]]:
    """Run dbt from its command line; the results that it wrote."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from dbt.cli.main import cli; cli()"),
            *("--no-use-colors", *arguments),
            *("--profiles-dir", str(PROJECT / "stringx")),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def plain(target: Target) -> None:
    with psycopg.connect(target.url) as connection:
        connection.execute(
            "create schema plain; create table plain.keys (key integer); "
            "insert into plain.keys values (1), (2), (null)"
        )
        for name, rows in TABLES.items():
            connection.execute(f"create table plain.{name} (id integer, kind text, ref integer)")
            if rows:
                connection.execute(f"insert into plain.{name} values {rows}")
        connection.execute(
            "grant usage on schema plain to stringx_reader; "
            "grant select on all tables in schema plain to stringx_reader"
        )


def test_built_in_tests_give_the_same_status_and_count(
    plain: None, engine: PlannedEngine, dbt_environment: dict[str, str], tmp_path: Path
) -> None:
    tables = []
    for table in TABLES:
        columns: dict[str, list[Any]] = {}
        for number, rule in enumerate(BUILT_IN):
            arguments = dict(rule.get("arguments", {}))
            if "to" in arguments:
                arguments["to"] = "source('plain', 'keys')"
            config = {k: rule[k] for k in ("severity", "warn_if", "error_if") if k in rule}
            columns.setdefault(rule["column"], []).append(
                {
                    rule["type"]: {
                        "name": f"{table}_{number}",
                        "arguments": arguments,
                        "config": config,
                    }
                }
            )
        tables.append(
            {
                "name": table,
                "columns": [{"name": c, "data_tests": tests} for c, tests in columns.items()],
            }
        )
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        json.dumps(
            {
                "name": "plain_dbt",
                "profile": "stringx",
                "flags": {
                    "send_anonymous_usage_stats": False,
                    "require_generic_test_arguments_property": True,
                },
            }
        )
    )
    (project / "models" / "sources.yml").write_text(
        json.dumps({"sources": [{"name": "plain", "tables": [{"name": "keys"}, *tables]}]})
    )
    theirs = {
        result["unique_id"].split(".")[2]: (result["status"], result["failures"])
        for result in dbt(dbt_environment, "test", "--project-dir", str(project), folder=tmp_path)
    }
    rules = [dict(rule) for rule in BUILT_IN]
    rules[-1] = {**rules[-1], "arguments": {"values": [1, 2, 3]}}
    ours = {}
    for table in TABLES:
        outcome = engine.run(rule_set(f"plain.{table}", *rules))
        for number, result in enumerate(outcome.results):
            ours[f"{table}_{number}"] = (result.status, result.failures)
    assert len(theirs) == len(TABLES) * len(BUILT_IN)
    assert ours == theirs
    assert {status for status, _ in ours.values()} == {"pass", "warn", "fail"}


def test_our_project_runs_with_dbt_alone(
    postgres: EmbeddedPostgres, dbt_environment: dict[str, str], tmp_path: Path
) -> None:
    admin = postgres.url("postgres", "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("create database dbt_alone")
    with psycopg.connect(postgres.url("dbt_alone", "postgres")) as connection:
        connection.execute(
            """
            create schema flights;
            create table flights.airlines (carrier text, name text);
            insert into flights.airlines values ('AA', 'A'), ('BB', ' ');
            create table flights.airports (faa text, lat double precision);
            insert into flights.airports values ('JFK', 40.6), ('JFK', 91), ('LONG', 0);
            create table flights.planes (tailnum text);
            insert into flights.planes values ('N1'), ('X1');
            create table flights.weather (origin text, time_hour timestamptz);
            insert into flights.weather values ('EWR', null), ('EWR', null), ('XXX', now());
            create table flights.flights (carrier text, dep_time integer);
            insert into flights.flights values ('AA', 1), ('ZZ', null);
            grant usage on schema flights to stringx_reader;
            grant select on all tables in schema flights to stringx_reader;
            grant connect on database dbt_alone to stringx_reader;
            """
        )
    environment = {**dbt_environment, "STRINGX_TARGET_DBNAME": "dbt_alone"}
    results = dbt(environment, "test", "--project-dir", str(PROJECT / "stringx"), folder=tmp_path)
    found = sorted(
        (
            result["unique_id"].split(".")[2].split("_flights_")[0],
            result["status"],
            result["failures"],
        )
        for result in results
    )
    assert found == [
        ("source_accepted_range", "fail", 1),
        ("source_accepted_values", "fail", 1),
        ("source_match_regex", "fail", 1),
        ("source_not_empty_string", "fail", 1),
        ("source_not_null", "pass", 0),
        ("source_not_null", "warn", 1),
        ("source_not_null_proportion", "fail", 1),
        ("source_relationships", "fail", 1),
        ("source_row_count_between", "fail", 1),
        ("source_string_length_between", "fail", 1),
        ("source_unique", "fail", 1),
        ("source_unique", "pass", 0),
        ("source_unique_combination_of_columns", "fail", 1),
    ]
