"""What a check would cost, and what a table looks like, without rules that run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from quality.engine.planned import PlannedEngine
from quality.errors import InvalidInput, NotFound
from quality.names import TableName
from quality.profiles import Reference
from quality.suggestions import suggest
from tests.engine.conftest import Target, rule_set, where


@pytest.fixture(scope="module")
def orders(target: Target) -> str:
    target.execute(
        "create table engine.shops (code text primary key, opened date)",
        "insert into engine.shops values ('S1', null), ('S2', null)",
        "create table engine.orders (id bigint primary key, shop text not null references"
        " engine.shops, mail text, state text, amount numeric check (amount >= 0), note text,"
        ' "Odd ""name" integer, at timestamptz, tags text[], extra json)',
        "insert into engine.orders select i, 'S' || 1 + i % 2, 'm' || i || '@example.org',"
        " case i % 3 when 0 then 'open' when 1 then 'done' else 'late' end, i * 1.5,"
        " case when i % 50 = 0 then null else 'n' || i % 77 end, i % 7 - 3,"
        " now() - i * interval '1 minute' from generate_series(1, 3000) i",
        "create index on engine.orders (at)",
        "analyze engine.orders",
    )
    return "engine.orders"


def test_estimate_follows_the_scope_and_the_proofs(engine: PlannedEngine, orders: str) -> None:
    rules = rule_set(orders, {"type": "not_null", "column": "note"})
    whole = engine.estimate(rules)
    assert 2000 < whole.rows < 4000
    assert whole.bytes > 8192
    assert whole.cost > 0
    narrow = engine.estimate(rules, (where("at", ">=", "now-10m"),))
    assert narrow.rows < 100
    assert narrow.cost < whole.cost
    proved = engine.estimate(rule_set(orders, {"type": "not_null", "column": "id"}))
    assert (proved.cost, proved.bytes) == (0, 0)
    assert engine.estimate(rule_set(orders)).cost == 0
    with pytest.raises(InvalidInput, match="of type numeric"):
        engine.estimate(rules, (where("amount", "=", "x"),))
    with pytest.raises(InvalidInput, match="has not"):
        engine.estimate(rules, (where("nope", "=", "x"),))


def test_estimate_grows_with_groups(engine: PlannedEngine, orders: str) -> None:
    rule = {"type": "not_null", "column": "note"}
    plain = engine.estimate(rule_set(orders, rule))
    grouped = engine.estimate(rule_set(orders, {**rule, "group_by": ["shop"]}))
    assert grouped.cost > plain.cost


def test_profile_is_what_the_table_is(engine: PlannedEngine, orders: str) -> None:
    found = engine.explore("demo", TableName.parse(orders))
    assert (found.rows, found.looked_at, found.is_whole) == (3000, 3000, True)
    assert found.key == ("id",)
    assert found.unique_keys == (("id",),)
    assert found.references == (Reference("shop", "engine.shops", "code"),)
    assert len(found.checks) == 1
    columns = {column.name: column for column in found.columns}
    assert list(columns)[:3] == ["id", "shop", "mail"]
    assert columns["state"].values == ("done", "late", "open")
    assert columns["mail"].patterns is not None
    assert columns["mail"].patterns["email"] == 3000
    assert (columns["note"].seen, columns["note"].distinct) == (2940, 77)
    assert (columns['Odd "name'].low, columns['Odd "name'].high) == ("-3", "3")
    assert columns["extra"].kind == "other"
    assert found.estimated_distinct is not None
    assert found.estimated_distinct["shop"] == 2


def test_look_at_a_large_table_is_bounded(
    new_engine: Callable[..., PlannedEngine], orders: str
) -> None:
    found = new_engine(explored_rows=1000).explore("demo", TableName.parse(orders))
    assert not found.is_whole
    assert 0 < found.looked_at <= 1000
    assert found.rows == 3000


def test_suggestions_are_rules_that_the_table_keeps(engine: PlannedEngine, orders: str) -> None:
    suggested = suggest(engine.explore("demo", TableName.parse(orders)), datetime.now(UTC))
    documents: list[dict[str, Any]] = [one.rule.document() for one in suggested]
    by_name = {one.rule.name: one for one in suggested}
    assert by_name["unique_id"].rule.severity == "error"
    assert by_name["unique_mail"].rule.severity == "warn"
    assert by_name["accepted_values_state"].rule.arguments["values"] == ["done", "late", "open"]
    assert by_name["recency_at"].rule.arguments["interval"] == 1
    assert by_name["not_null_proportion_note"].rule.arguments["at_least"] == 0.97
    assert by_name["relationships_shop"].because == "a foreign key says so"
    rules = rule_set(orders, *documents)
    engine.compile(rules)
    outcome = engine.run(rules)
    assert outcome.status == "pass", [r for r in outcome.results if r.status != "pass"]


def test_empty_table_and_no_table(engine: PlannedEngine, target: Target) -> None:
    target.execute("create table engine.void (id integer not null, t text)")
    found = engine.explore("demo", TableName("engine", "void"))
    assert (found.rows, found.looked_at, found.is_whole) == (0, 0, True)
    assert [one.rule.type for one in suggest(found, datetime.now(UTC))] == ["not_null"]
    with pytest.raises(NotFound, match="no table"):
        engine.explore("demo", TableName("engine", "nowhere"))
