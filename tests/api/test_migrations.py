"""Migrations: they make the schema that the code knows, and old and new versions can share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine as Database
from sqlalchemy import text

import api.store
from api.store import results
from api.store.database import migrate, open_database
from api.store.schema import metadata
from quality.settings import ApiSettings

OLD_CHECK = """
insert into check_run (id, connection, table_name, request, payload_hash, source, state, status)
values (:id, 'demo', 'shop.orders', '{}', 'x', 'http', 'finished', 'fail')
"""
OLD_RESULT = """
insert into rule_result (check_id, position, rule, type, dimension, kind, severity, status,
    failures, rows_tested, duration_ms, finished_at)
values (:id, 0, 'id_known', 'not_null', 'completeness', 'business', 'error', 'fail', 2, 4, 1, now())
"""


@pytest.fixture
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    database, _ = open_database(ApiSettings(database_url=new_database()))
    yield database
    database.dispose()


def migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(api.store.__file__).parent / "migrations"))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_migrations_make_the_schema_that_the_code_knows(database: Database) -> None:
    migrate(database)
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_results_of_the_version_before_are_shown(database: Database) -> None:
    """Those that stand there already, and those of an old API that still runs."""
    migrate_to(database, "0001")
    for check_id in ("written-before", "written-after"):
        with database.begin() as db:
            db.execute(text(OLD_CHECK), {"id": check_id})
            db.execute(text(OLD_RESULT), {"id": check_id})
        migrate(database)
    with database.connect() as db:
        for check_id in ("written-before", "written-after"):
            [found] = results.check(db, check_id)["results"]
            assert (found["failures"], found["rows_tested"]) == (2, 4)
            assert (found["failing_rows"], found["path"], found["proof"]) == (None, None, None)
            assert (found["rows_estimated"], found["measured"]) == (False, {})
