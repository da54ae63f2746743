"""Migrations: they make the schema that the code knows, and old and new versions can share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

import api.store
from api.store import (  # noqa: F401 their tables are part of the schema
    access_schema,
    dead_letter_schema,
    expectation_schema,
    gate_schema,
    ownership_schema,
    pipeline_schema,
    results,
    task_schema,
)
from api.store.database import Database, migrate, open_database
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
OLD_TABLE = text("insert into monitored_table (connection, name) values ('demo', :name)")
OLD_RULE = text(
    "insert into rule (table_id, name, is_active, definition) values (1, :name, true, :definition)"
)
MADE = text("select table_id, number, reason, rules from rule_version order by table_id, number")


@pytest.fixture
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    database = open_database(ApiSettings(database_url=new_database()))
    yield database
    database.dispose()


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(api.store.__file__).parent / "migrations"))
    return config


def migrate_to(database: Database, revision: str) -> None:
    config = configuration()
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


def test_rules_of_the_version_before_become_version_1(database: Database) -> None:
    """And what an old API that still runs, or a hand, changes afterwards makes versions too."""
    migrate_to(database, "0003")
    with database.begin() as db:
        db.execute(text("insert into connection (name, target) values ('demo', 'demo')"))
        for name in ("shop.orders", "shop.empty"):
            db.execute(OLD_TABLE, {"name": name})
        for rule in ("b", "a"):
            db.execute(OLD_RULE, {"name": rule, "definition": json.dumps({"name": rule})})
    migrate(database)
    with database.begin() as db:
        db.execute(text("update rule set is_active = false where name = 'a'"))
        db.execute(text("update rule set is_active = false where name = 'b'"))
    with database.connect() as db:
        made = db.execute(MADE).all()
        numbers = db.execute(text("select version_number from monitored_table order by id")).all()
    first = [{"name": "b", "is_active": True}, {"name": "a", "is_active": True}]
    assert made == [
        (1, 1, "as it stood when versions began", first),
        (1, 2, None, [{**rule, "is_active": False} for rule in first]),
        (2, 1, "as it stood when versions began", []),
    ]
    assert numbers == [(2,), (1,)]


def test_versions_can_be_taken_back(database: Database) -> None:
    """With what stands on them, and made again; rules stay."""
    migrate(database)
    with database.begin() as db:
        db.execute(text("insert into connection (name, target) values ('demo', 'demo')"))
        db.execute(OLD_TABLE, {"name": "shop.orders"})
        db.execute(OLD_RULE, {"name": "a", "definition": "{}"})
    config = configuration()
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    with database.begin() as db:
        db.execute(OLD_RULE, {"name": "b", "definition": "{}"})
    migrate(database)
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        [(_, number, _, rules)] = connection.execute(MADE).all()
    assert (number, len(rules)) == (1, 2)
