"""Statements at the driver behave as SQLAlchemy's do."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import literal_column, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from api.store.schema import monitored_table
from api.store.statement import Statement
from tests.api.stores import Store


def test_parameters_have_names_and_may_stand_twice(store: Store) -> None:
    asked = Statement("select :a as a, cast(:b as text) || cast(:a as text) as both, '1'::int as c")
    with store.database.connect() as db:
        [row] = asked.rows(db, {"a": "x", "b": "10%", "more": "is not looked at"})
        assert (row.a, row.both, row.c) == ("x", "10%x", 1)
        assert asked.first(db, {"a": "'", "b": None}).a == "'"
        assert Statement("select 1 where false").first(db, {}) is None


def test_a_query_of_sqlalchemys_can_be_one(store: Store) -> None:
    known = Statement.of(
        select(monitored_table.c.name.label("table")).where(
            monitored_table.c.id == literal_column(":id")
        )
    )
    with store.database.connect() as db:
        found = [known.first(db, {"id": number}) for number in (1, 2, 3)]
    assert sorted(row.table for row in found if row is not None) == ["shop.a", "shop.b"]


def test_it_is_part_of_the_transaction_of_its_connection(store: Store) -> None:
    put = Statement("insert into pipeline_type (name) values (:name)")
    counted = Statement("select count(*) from pipeline_type")
    with pytest.raises(LookupError), store.database.begin() as db:
        put.run(db, {"name": "kept by nobody"})
        assert counted.first(db, {}).count == 1
        raise LookupError
    with store.database.connect() as db:
        assert counted.first(db, {}).count == 0
        put.run(db, {"name": "kept"})
    with store.database.connect() as db:
        assert counted.first(db, {}).count == 1


def test_a_refusal_is_of_sqlalchemys_class_and_says_no_values(store: Store) -> None:
    put = Statement("insert into pipeline_type (name) values (:name)")
    with store.database.connect() as db:
        put.run(db, {"name": "once"})
        with pytest.raises(IntegrityError) as refused:
            put.run(db, {"name": "once"})
        assert isinstance(refused.value.orig, psycopg.errors.UniqueViolation)
        assert not refused.value.connection_invalidated
        assert Statement("select 1 as one").first(db, {}).one == 1


def test_lost_connections_are_found_lost_once(store: Store) -> None:
    """All of the pool are as old as the first one that is found to be lost."""
    alive = Statement("select pg_backend_pid() as pid")

    def pids(count: int) -> set[Any]:
        connections = [store.database.connect() for _ in range(count)]
        found = {alive.first(db, {}).pid for db in connections}
        for db in connections:
            db.close()
        return found

    lost = pids(5)
    with store.database.connect() as db:
        others = "select pg_terminate_backend(pid) from pg_stat_activity where pid = any(:pids)"
        mine = alive.first(db, {}).pid
        db.execute(text(others), {"pids": list(lost - {mine})})
        with store.database.connect() as other, pytest.raises(OperationalError) as found:
            alive.first(other, {})
        assert found.value.connection_invalidated
    assert not pids(5) & lost
