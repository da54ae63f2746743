"""A real engine on a real PostgreSQL, with secrets in its environment that must never come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from embedded.postgres import EmbeddedPostgres
from quality.checks import CheckOutcome
from quality.engine import EngineSettings
from quality.engine.planned import PlannedEngine
from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet
from tests.conftest import PROJECT, clean_environment

CANARIES = {
    "STRINGX_TARGET_CANARY": "canary-visible-to-dbt-1733",
    "CANARY": "canary-of-the-parent-2918",
}


@dataclass
class Target:
    """The database that is checked, as its owner sees it."""

    url: str
    schema: str

    def execute(self, *statements: Any) -> None:
        """Run statements; everything in the schema is then readable for the engine's role."""
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute(
                sql.SQL(
                    "grant usage on schema {0} to stringx_reader; "
                    "grant select on all tables in schema {0} to stringx_reader"
                ).format(sql.Identifier(self.schema))
            )

    def value(self, statement: str) -> Any:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(statement).fetchone()
        return row[0] if row else None


def rule_set(table: str, *rules: dict[str, Any], connection: str = "demo") -> RuleSet:
    """Rules of one table, named by their place."""
    return RuleSet(
        connection,
        TableName.parse(table),
        tuple(Rule.model_validate({"name": f"r{i}", **rule}) for i, rule in enumerate(rules)),
    )


def where(column: str, op: str, value: Any = None) -> Predicate:
    return Predicate(column=column, op=op, value=value)  # type: ignore[arg-type]


def said(outcome: CheckOutcome) -> list[tuple[str, int | None, int | None]]:
    """Status, failing count and rows tested of each rule."""
    assert outcome.error_code is None, outcome.error
    return [(found.status, found.failures, found.rows_tested) for found in outcome.results]


@pytest.fixture(scope="session")
def target(postgres: EmbeddedPostgres) -> Target:
    found = Target(postgres.url("demo", "postgres"), "engine")
    found.execute("create schema if not exists engine")
    return found


@pytest.fixture(scope="session")
def dbt_environment(target_environment: dict[str, str]) -> dict[str, str]:
    return {**clean_environment(), **target_environment, **CANARIES}


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="session")
def engine(
    target: Target, dbt_environment: dict[str, str], data_dir: Path
) -> Iterator[PlannedEngine]:
    """One engine for all tests that do not harm it."""
    settings = EngineSettings(project_dir=PROJECT / "stringx", data_dir=data_dir, custom_sql=True)
    opened = PlannedEngine(settings, dbt_environment)
    yield opened
    opened.close()


@pytest.fixture
def new_engine(
    target: Target, dbt_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., PlannedEngine]]:
    """Opens engines with settings of their own; `environment` adds variables."""
    opened: list[PlannedEngine] = []

    def make(environment: dict[str, str] | None = None, **settings: Any) -> PlannedEngine:
        found = PlannedEngine(
            EngineSettings(
                **{"project_dir": PROJECT / "stringx", "data_dir": tmp_path, **settings}
            ),
            {**dbt_environment, **(environment or {})},
        )
        opened.append(found)
        return found

    yield make
    for engine in opened:
        engine.close()
