"""A database of its own with the tables of the cases, plain dbt, and the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from embedded.postgres import EmbeddedPostgres
from tests.conftest import clean_environment
from tests.differential import typed_columns
from tests.differential.engine_side import EngineSide
from tests.differential.paths import Paths
from tests.differential.plain_dbt import PlainDbt

DATABASE = "differential"
TABLES = Path(__file__).parent / "tables"
READABLE = """
do $$
declare s text;
begin
    for s in select nspname from pg_namespace
        where nspname !~ '^pg_' and nspname <> 'information_schema' and nspname <> 'closed'
    loop
        execute format('grant usage on schema %I to stringx_reader', s);
        execute format('grant select on all tables in schema %I to stringx_reader', s);
    end loop;
end $$;
"""


@pytest.fixture(scope="session")
def database(postgres: EmbeddedPostgres) -> str:
    """The URL of the database with every fixed table, as its owner."""
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"create database {DATABASE}")
    url = postgres.url(DATABASE, "postgres")
    with psycopg.connect(url) as connection:
        _cheap_logins(connection, postgres.password("stringx_reader"))
        connection.execute((TABLES / "types.sql").read_text().encode())
        for statement in typed_columns.statements():
            connection.execute(statement.encode())
        for file in sorted(TABLES.glob("*.sql")):
            if file.stem not in ("types", "privileges"):
                connection.execute(file.read_text().encode())
        connection.execute(READABLE)
        connection.execute((TABLES / "privileges.sql").read_text().encode())
    return url


def _cheap_logins(connection: psycopg.Connection[Any], password: str) -> None:
    """dbt logs in anew for each test, and hashes the password 4,096 times for that."""
    connection.execute("set scram_iterations = 1")
    connection.execute(
        sql.SQL("alter role stringx_reader password {}").format(sql.Literal(password))
    )


@pytest.fixture(scope="session")
def environment(database: str, target_environment: dict[str, str]) -> dict[str, str]:
    """What both sides get to find the database."""
    return {
        **clean_environment(),
        **target_environment,
        "STRINGX_TARGET_DBNAME": DATABASE,
    }


@pytest.fixture(scope="session")
def plain_dbt(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlainDbt]:
    opened = PlainDbt(environment, tmp_path_factory.mktemp("plain"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def engine_side(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineSide]:
    opened = EngineSide(environment, tmp_path_factory.mktemp("engine"))
    yield opened
    opened.close()


@pytest.fixture
def paths(record_property: Callable[[str, object], None]) -> Paths:
    """Counts the ways that tests took; shown by `pytest_terminal_summary`."""
    return Paths(record_property)
