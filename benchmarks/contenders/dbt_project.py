"""A plain dbt project with dbt's own tests on a source: what dbt's users write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.work import Check, Target, Work

PASSWORD_VARIABLE = "DBT_ENV_SECRET_BENCHMARK_PASSWORD"  # noqa: S105 a name, not a password


def write_project(folder: Path, work: Work, target: Target) -> Path:
    """Write the project and its profile; answers its folder. JSON is valid YAML for dbt."""
    project = folder / work.name
    (project / "models").mkdir(parents=True, exist_ok=True)
    _write(
        project / "dbt_project.yml",
        {
            "name": "benchmark",
            "version": "1.0.0",
            "config-version": 2,
            "profile": "benchmark",
            "model-paths": ["models"],
            "flags": {"send_anonymous_usage_stats": False},
        },
    )
    output = {
        "type": "postgres",
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "password": "{{ env_var('" + PASSWORD_VARIABLE + "') }}",
        "dbname": target.database,
        "schema": work.schema,
        "sslmode": "disable",
        "threads": 4,
    }
    profile = {"target": "target", "outputs": {"target": output}}
    _write(project / "profiles.yml", {"benchmark": profile})
    columns: dict[str, list[dict[str, Any]]] = {}
    for check in work.checks:
        columns.setdefault(check.column, []).append(_test(check))
    table = {
        "name": work.table,
        "columns": [{"name": name, "data_tests": tests} for name, tests in columns.items()],
    }
    source = {"name": "benchmark", "schema": work.schema, "tables": [table]}
    _write(project / "models" / "sources.yml", {"version": 2, "sources": [source]})
    return project


def arguments(project: Path, threads: int) -> list[str]:
    """`dbt test` with everything left out that a resident caller does not need."""
    return [
        "test",
        f"--project-dir={project}",
        f"--profiles-dir={project}",
        f"--threads={threads}",
        "--quiet",
        "--no-use-colors",
        "--no-version-check",
        "--no-populate-cache",
        "--log-level-file=none",
    ]


def _test(check: Check) -> dict[str, Any]:
    config: dict[str, Any] = {"name": check.name}
    if check.values:
        config["arguments"] = {"values": list(check.values)}
    return {check.kind: config}


def _write(file: Path, document: Any) -> None:
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")
