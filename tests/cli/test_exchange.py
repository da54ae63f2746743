"""Exports and imports with real dbt: the same tests, the same verdicts, and back again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres
from tests.cli.conftest import Run
from tests.conftest import PROJECT, clean_environment

RULES = """\
table: trade.sales
owner: sales
description: What was sold.
rules:
  - {name: id_known, type: not_null, column: id}
  - {name: id_once, type: unique, column: id, severity: warn}
  - name: few_without_region
    type: not_null
    column: region
    warn_if: "> 0"
    error_if: "> 5"
    owner: "007"
    tags: [a, "2024"]
    description: '"At most" five \\\\ {{ 7 * 7 }}.'
    business_impact: 'none \\\\'
    kind: business
    dimension: accuracy
    where: [{column: id, op: "<=", value: 100}, {column: sold, op: ">=", value: today-36500d}]
  - name: regions
    type: accepted_values
    column: region
    arguments: {values: [north, "it's south"]}
  - name: numbers
    type: accepted_values
    column: id
    arguments: {values: [1, 2, 3]}
  - name: calls
    type: not_accepted_values
    column: region
    arguments: {values: ["ref('x')", "{{ 1 }}", north]}
  - name: contained
    type: distinct_values_contain_set
    column: id
    arguments: {values: [1, 9]}
  - name: amounts
    type: sum_between
    column: id
    arguments: {min_value: 1, max_value: 8.5}
  - name: given
    type: not_missing
    column: Upper
    arguments: {missing_values: ["", "it's"], missing_regex: '^\\s*$'}
  - name: shape
    type: columns_contain_set
    arguments: {columns: [id, Upper, 'Odd "col" {{ 7 * 7 }}']}
  - name: matching
    type: relationships_where
    column: region
    arguments:
      to: 'trade."Regions 1"'
      field: name
      to_where: [{column: name, op: "!=", value: x}]
  - name: ordered
    type: column_greater_than
    column: order
    arguments: {other_column: id, or_equal: true}
  - name: known_region
    type: relationships
    column: region
    arguments: {to: 'trade."Regions 1"', field: name}
  - name: odd_known
    type: not_null
    column: 'Odd "col" {{ 7 * 7 }}'
  - name: odd_matches
    type: match_regex
    column: region
    arguments: {regex: '^[a-z {{ 7 * 7 }}''\\\\]+$'}
  - name: pairs
    type: unique_combination_of_columns
    arguments: {columns: [id, region]}
  - {name: switched_off, type: not_null, column: region, is_active: false}
  - {name: enough, type: row_count_between, arguments: {min_value: 1}}
  - name: quoted_where
    type: not_null
    column: Upper
    where: [{column: region, op: in, value: ["it's south", 'a\\b']}]
"""
BEYOND = """\
table: trade."Regions 1"
rules:
  - {name: share, type: not_null, column: name, error_if: "> 1%"}
  - {name: shadow, type: not_null, column: name, is_shadow: true}
  - {name: later, type: not_null, column: name, valid_from: "2026-01-01T00:00:00Z"}
  - {name: by_name, type: not_null, column: name, group_by: [name]}
"""


@pytest.fixture(scope="module", autouse=True)
def trade(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url("demo", "postgres")) as connection:
        connection.execute(
            """
            create schema trade;
            create table trade.sales (
                id integer, region text, sold date, "order" integer, "Upper" text,
                "Odd ""col"" {{ 7 * 7 }}" text
            );
            insert into trade.sales values
                (1, 'north', '2026-01-01', 1, 'x', 'x'), (2, 'it''s south', '2026-01-02', 1, null,
                'x'), (2, null, '2026-01-03', 5, null, null), (4, 'west', null, null, 'x', 'x');
            create table trade."Regions 1" (name text);
            insert into trade."Regions 1" values ('north'), ('it''s south');
            grant usage on schema trade to stringx_reader;
            grant select on all tables in schema trade to stringx_reader;
            """
        )


def dbt(
    project: Path, environment: dict[str, str], *command: str
) -> tuple[dict[str, Any], dict[str, tuple[str, int | None]]]:
    """Run dbt in a project; its manifest, and status and count of each test by name."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--no-use-colors"),
            *command,
            *("--project-dir", str(project), "--profiles-dir", str(PROJECT / "stringx")),
        ],
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    target = project / "target"
    manifest = json.loads((target / "manifest.json").read_text())
    results: dict[str, tuple[str, int | None]] = {}
    if (target / "run_results.json").is_file():
        for result in json.loads((target / "run_results.json").read_text())["results"]:
            node = manifest["nodes"][result["unique_id"]]
            results[node["name"]] = (result["status"], result["failures"])
    return manifest, results


def test_dbt_alone_gives_the_verdicts_of_the_exported_rules(
    run: Run, tmp_path: Path, target_environment: dict[str, str]
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "sales.yaml").write_text(RULES)
    assert run("rules", "apply", str(rules), "--yes").code == 0
    project = tmp_path / "stringx"
    shutil.copytree(PROJECT / "stringx", project, ignore=shutil.ignore_patterns("target", "logs"))
    file = project / "models" / "rules.yml"
    exported = run("export", "dbt", "--into", str(file))
    assert (exported.code, exported.out) == (0, ""), exported.err

    _, theirs = dbt(project, target_environment, "test", "--select", "source:demo_trade")
    check = run("check", "run", "trade.sales", "--output", "json").json
    ours = {item["rule"]: (item["status"], item["failures"]) for item in check["results"]}
    assert ours == theirs
    assert len(ours) == 18
    assert {status for status, _ in ours.values()} == {"pass", "warn", "fail"}

    # And back: the tests of that project are the same rules again.
    back = tmp_path / "back"
    imported = run("import", "dbt", str(project / "target" / "manifest.json"), "--into", str(back))
    assert imported.code == 5, imported.err  # what is switched off is not in a manifest's nodes
    assert "switched_off: is switched off in dbt" in imported.err
    [ours_again] = [file for file in back.iterdir() if "trade" in file.name]
    same = run("rules", "diff", str(ours_again), "--prune", "--output", "json")
    [left] = same.json
    assert [rule["name"] for rule in left["removed"]] == ["switched_off"]
    assert not (left["added"] or left["changed"] or left["fields"]), same.out


def test_what_dbt_has_not_is_listed_and_the_exit_code_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "regions.yaml").write_text(BEYOND)
    assert run("rules", "apply", str(tmp_path / "regions.yaml"), "--yes").code == 0
    report = tmp_path / "report.json"
    exported = run("export", "dbt", "--report", str(report))
    assert exported.code == 5
    omissions = json.loads(report.read_text())["omissions"]
    assert {(item["what"], item["field"]) for item in omissions} == {
        ("share", ""),
        ("shadow", ""),
        ("later", ""),
        ("by_name", "group_by"),
    }
    assert len(exported.err.splitlines()) == 4
    assert all("not carried over: " in line for line in exported.err.splitlines())
    assert "by_name" in exported.out and "share" not in exported.out
    assert run("export", "dbt", "--allow-omissions").code == 0
