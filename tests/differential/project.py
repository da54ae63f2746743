"""Writes a dbt project as a user would have it, without a macro of ours, from cases."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.differential.cases import Case, Relation, plain

MACROS = Path(__file__).parent / "macros"
SCHEMA = "marts"
PROFILE = {
    "plain": {
        "target": "it",
        "outputs": {
            "it": {
                "type": "postgres",
                "host": "{{ env_var('STRINGX_TARGET_HOST') }}",
                "port": "{{ env_var('STRINGX_TARGET_PORT') | as_number }}",
                "user": "{{ env_var('STRINGX_TARGET_USER') }}",
                "password": "{{ env_var('DBT_ENV_SECRET_TARGET_PASSWORD') }}",
                "dbname": "{{ env_var('STRINGX_TARGET_DBNAME') }}",
                "schema": SCHEMA,
                "threads": 4,
            }
        },
    }
}


def write_project(
    folder: Path,
    cases: Sequence[Case],
    flags: dict[str, Any] | None = None,
    macros: Path = MACROS,
) -> None:
    """A project with these tests in a new folder; `flags` go to dbt_project.yml."""
    (folder / "models").mkdir(parents=True)
    (folder / "tests").mkdir()
    shutil.copytree(macros, folder / "macros")
    _write(folder / "profiles.yml", PROFILE)
    _write(
        folder / "dbt_project.yml",
        {
            "name": "plain",
            "profile": "plain",
            "flags": {
                "send_anonymous_usage_stats": False,
                "require_generic_test_arguments_property": True,
                **(flags or {}),
            },
        },
    )
    known: dict[Relation, None] = {}
    for case in cases:
        named = [case.relation, *case.arguments.values()]
        known |= dict.fromkeys(one for one in named if isinstance(one, Relation))
    sources: dict[str, dict[str, Any]] = {}
    models: list[dict[str, Any]] = []
    for relation in known:
        tests = [case for case in cases if case.relation == relation]
        if relation.kind == "model":
            models.append({"name": relation.key, **_properties(tests)})
            config = "{{ config(materialized='%s', alias='%s', schema=none) }}"
            sort = "ephemeral" if relation.sql else "view"
            text = config % (sort, relation.name) + "\n" + (relation.sql or "select 1 as id")
            (folder / "models" / f"{relation.key}.sql").write_text(text)
        else:
            source = sources.setdefault(
                relation.schema,
                {"name": plain(relation.schema), "schema": relation.schema, "tables": []},
            )
            source["tables"].append(
                {"name": plain(relation.name), "identifier": relation.name, **_properties(tests)}
            )
    _write(folder / "models" / "all.yml", {"sources": list(sources.values()), "models": models})
    for case in cases:
        if case.sql is not None:
            settings = "".join(f", {name}={value!r}" for name, value in case.config.items())
            header = f"{{{{ config({settings[2:]}) }}}}\n" if settings else ""
            (folder / "tests" / f"{case.name}.sql").write_text(header + case.sql)


def _properties(cases: Sequence[Case]) -> dict[str, Any]:
    columns: dict[tuple[str, bool], dict[str, Any]] = {}
    of_table = []
    for case in cases:
        test = {
            case.test: {
                "name": case.name,
                "arguments": {
                    name: value.reference if isinstance(value, Relation) else value
                    for name, value in case.arguments.items()
                },
                "config": dict(case.config),
            }
        }
        if case.column is None:
            of_table.append(test)
            continue
        column = columns.setdefault(
            (case.column, case.quoted),
            {"name": case.column, "quote": case.quoted, "data_tests": []},
        )
        column["data_tests"].append(test)
    return {"data_tests": of_table, "columns": list(columns.values())}


def _write(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
