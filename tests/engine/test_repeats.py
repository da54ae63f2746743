"""Scans that are asked again and again are prepared, and never say anything else for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from quality.engine.planned import PlannedEngine
from quality.engine.target.repeats import Repeats, is_steady
from quality.engine.target.wire import Wire
from tests.engine.conftest import Target, rule_set, said, where

SCAN = "select count(*) from t"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that go to targets."""
    messages: list[str] = []
    start = Wire.start

    def listening(wire: Wire, statements: str) -> None:
        messages.append(statements)
        start(wire, statements)

    monkeypatch.setattr(Wire, "start", listening)
    return messages


@pytest.fixture
def table(target: Target, request: pytest.FixtureRequest) -> str:
    """Three rows, one of them with a NULL, one value twice."""
    name = f"engine.repeated_{abs(hash(request.node.name)) % 10**9}"
    target.execute(
        f"drop table if exists {name} cascade",
        f"create table {name} (id integer, state text, day date)",
        f"insert into {name} values (1, 'new', current_date), (2, 'new', current_date), "
        "(null, 'old', current_date)",
    )
    return name


RULES: list[dict[str, Any]] = [
    {"type": "not_null", "column": "id"},
    {"type": "accepted_values", "column": "state", "arguments": {"values": ["new", "old"]}},
    {"type": "unique", "column": "state"},
]
FIRST = [("fail", 1, 3), ("pass", 0, 3), ("fail", 1, 3)]


def write(target: Target, *statements: str) -> None:
    """Change rows and nothing else: what is granted as well is a change of the catalogue."""
    with psycopg.connect(target.url) as connection:
        for statement in statements:
            connection.execute(statement)


def executed(messages: list[str]) -> int:
    return sum(message.count("execute stringx_") for message in messages) - sum(
        message.count("execute stringx_signature") for message in messages
    )


def prepared(messages: list[str]) -> int:
    return sum(message.count("prepare stringx_") for message in messages) - sum(
        message.count("prepare stringx_signature") for message in messages
    )


def test_what_was_asked_twice_is_prepared(
    new_engine: Callable[..., PlannedEngine], table: str, sent: list[str]
) -> None:
    engine, rules = new_engine(), rule_set(table, *RULES)
    # The first run teaches that there are duplicates, which are grouped at once from then on.
    outcomes = [engine.run(rules) for _ in range(3)]
    assert (prepared(sent), executed(sent)) == (2, 0)  # a scan, and a grouping
    sent.clear()
    outcomes += [engine.run(rules) for _ in range(3)]
    assert (prepared(sent), executed(sent)) == (0, 6)
    assert [said(outcome) for outcome in outcomes] == [FIRST] * 6


def test_rows_that_change_are_seen(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str, sent: list[str]
) -> None:
    engine, rules = new_engine(), rule_set(table, *RULES)
    for _ in range(4):
        assert said(engine.run(rules)) == FIRST
    write(target, f"insert into {table} values (null, 'odd', null), (5, 'old', null)")
    assert said(engine.run(rules)) == [("fail", 2, 5), ("fail", 1, 5), ("fail", 2, 5)]
    assert executed(sent) == 4


def test_duplicates_that_are_known_are_part_of_the_scan(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str, sent: list[str]
) -> None:
    write(target, f"insert into {table} values (1, 'new', null), (2, 'new', null)")
    engine, rules = new_engine(), rule_set(table, {"type": "unique", "column": "id"})
    for _ in range(6):
        assert said(engine.run(rules)) == [("fail", 2, 4)]
    sent.clear()
    assert said(engine.run(rules)) == [("fail", 2, 4)]
    (message,) = sent
    assert executed(sent) == 1
    assert message.endswith("; rollback"), "one scan, which ends the transaction"
    for rows, expected in (
        ("values (1, 'new', null)", [("fail", 2, 5)]),
        ("values (7, 'new', null), (7, 'new', null)", [("fail", 3, 7)]),
        ("values (null, 'new', null)", [("fail", 3, 7)]),
    ):
        write(target, f"insert into {table} {rows}")
        for _ in range(4):
            assert said(engine.run(rules)) == expected
    write(target, f"delete from {table} where id in (1, 7)")
    for _ in range(4):
        assert said(engine.run(rules)) == [("fail", 1, 2)]
    sent.clear()
    write(target, f"delete from {table} where id = 2")
    for _ in range(4):
        assert said(engine.run(rules)) == [("pass", 0, 0)]


@pytest.mark.parametrize(
    "change",
    [
        "alter table {0} alter column id type bigint",
        "alter table {0} alter column id type text; alter table {0} alter state type varchar(9)",
        "alter table {0} add more integer; alter table {0} drop day",
        "create table {0}_new as table {0}; drop table {0}; alter table {0}_new rename to {1}",
        "create index on {0} (id); analyze {0}",
        "alter table {0} rename to {1}_rows; create view {0} as table {0}_rows",
    ],
)
def test_tables_that_change_are_judged_as_they_are(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str, change: str
) -> None:
    engine, rules = new_engine(), rule_set(table, *RULES)
    for _ in range(4):
        assert said(engine.run(rules)) == FIRST
    target.execute(change.format(table, table.removeprefix("engine.")))
    for _ in range(4):
        assert said(engine.run(rules)) == FIRST


def test_a_column_that_goes_and_comes_back_is_an_error_in_between(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str
) -> None:
    engine, rules = new_engine(), rule_set(table, *RULES)
    for _ in range(4):
        engine.run(rules)
    target.execute(f"alter table {table} rename column state to condition")
    for _ in range(3):
        found = engine.run(rules)
        assert [one.status for one in found.results] == ["fail", "error", "error"]
    target.execute(f"alter table {table} rename column condition to state")
    for _ in range(3):
        assert said(engine.run(rules)) == FIRST


def test_moments_are_read_anew(
    new_engine: Callable[..., PlannedEngine], table: str, sent: list[str]
) -> None:
    engine = new_engine()
    literal = {"column": "day", "op": "<=", "value": {"literal": "today"}}
    rules = rule_set(table, {"type": "not_null", "column": "id", "where": [literal]})
    for _ in range(4):
        assert said(engine.run(rules)) == [("fail", 1, 3)]
    assert (prepared(sent), executed(sent)) == (0, 0)


def test_a_check_like_the_last_one_is_one_message(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str, sent: list[str]
) -> None:
    engine, rules = new_engine(), rule_set(table, *RULES)
    for _ in range(4):
        assert said(engine.run(rules)) == FIRST
    sent.clear()
    for _ in range(3):
        assert said(engine.run(rules)) == FIRST
    assert len(sent) == 3
    assert all(message.endswith("; rollback") for message in sent)
    with_open = "select count(*) from pg_stat_activity where state like 'idle in transaction%'"
    assert target.value(f"{with_open} and application_name = 'stringx'") == 0


def test_a_check_that_needs_more_than_the_last_one_begins_anew(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str, sent: list[str]
) -> None:
    write(target, f"update {table} set id = 3, state = 'new' || ctid")
    engine = new_engine()
    rules = rule_set(table, {"type": "unique", "column": "state"}, {**RULES[0], "sample_limit": 5})
    for _ in range(4):
        assert said(engine.run(rules)) == [("pass", 0, 3), ("pass", 0, 3)]
    sent.clear()
    write(target, f"insert into {table} select null, state, day from {table} limit 1")
    found = engine.run(rules)
    assert said(found) == [("fail", 1, 4), ("fail", 1, 4)]
    sample = found.results[1].sample
    assert sample is not None
    assert len(sample.rows) == 1
    assert [message.startswith("begin isolation") for message in sent].count(True) == 2
    for _ in range(3):  # now more is asked each time, in one transaction
        sent.clear()
        assert said(engine.run(rules)) == [("fail", 1, 4), ("fail", 1, 4)]
        assert [message.startswith("begin isolation") for message in sent].count(True) == 1
    write(target, f"delete from {table} where id is null")
    for _ in range(4):
        assert said(engine.run(rules)) == [("pass", 0, 3), ("pass", 0, 3)]


def test_an_error_that_comes_with_the_rows_is_that_of_its_rule(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str, sent: list[str]
) -> None:
    """What ended with its beginning has no way back from an error: it begins anew."""
    engine = new_engine(custom_sql=True)
    division = {
        "type": "expression_is_true",
        "arguments": {"expression": "1 / (coalesce(id, 0) + 1) >= 0"},
    }
    rules = rule_set(table, *RULES, division)
    for _ in range(4):
        assert said(engine.run(rules)) == [*FIRST, ("pass", 0, 3)]
    sent.clear()
    write(target, f"insert into {table} values (-1, 'new', null)")
    for number in range(4):
        found = engine.run(rules)
        if number == 0:  # on the same connection
            assert not [message for message in sent if "prepare stringx_signature" in message]
            assert [message.startswith("begin isolation") for message in sent].count(True) == 2
        assert found.error_code is None
        assert [one.status for one in found.results] == ["fail", "pass", "fail", "error"]
        assert "division by zero" in (found.results[3].message or "")
    write(target, f"delete from {table} where id = -1")
    for _ in range(4):
        assert said(engine.run(rules)) == [*FIRST, ("pass", 0, 3)]


def test_a_scope_of_its_own_each_time_is_not_prepared(
    new_engine: Callable[..., PlannedEngine], table: str, sent: list[str]
) -> None:
    engine, rules = new_engine(), rule_set(table, *RULES)
    for number in range(4):
        engine.run(rules, [where("id", ">=", -number)])
    assert (prepared(sent), executed(sent)) == (0, 0)


def test_none_are_kept_where_the_setting_says_so(
    new_engine: Callable[..., PlannedEngine], table: str, sent: list[str]
) -> None:
    engine, rules = new_engine(prepared_statements=0), rule_set(table, *RULES)
    for _ in range(4):
        assert said(engine.run(rules)) == FIRST
    assert (prepared(sent), executed(sent)) == (0, 0)


def test_the_last_used_are_kept_up_to_a_number() -> None:
    repeats = Repeats(2)
    for name in ("a", "b", "c"):
        for _ in range(2):
            repeats.answered(f"{SCAN}_{name}", failed=False)
        if name == "b":
            assert repeats.spelled(f"{SCAN}_a") == "execute stringx_1"
    assert repeats.changes() == [
        f"prepare stringx_1 as {SCAN}_a",
        f"prepare stringx_2 as {SCAN}_b",
        f"prepare stringx_3 as {SCAN}_c",
        "deallocate stringx_2",
    ]
    assert repeats.changes() == []
    assert [repeats.spelled(f"{SCAN}_{name}") for name in "abc"] == [
        "execute stringx_1",
        f"{SCAN}_b",
        "execute stringx_3",
    ]


def test_what_failed_is_forgotten() -> None:
    repeats = Repeats(2)
    for _ in range(2):
        repeats.answered(SCAN, failed=False)
    repeats.changes()
    repeats.answered(SCAN, failed=True)
    assert repeats.changes() == ["deallocate stringx_1"]
    assert repeats.spelled(SCAN) == SCAN
    repeats.answered(SCAN, failed=False)
    assert repeats.changes() == []


def test_what_came_once_is_forgotten_after_many_others() -> None:
    repeats = Repeats(2)
    for number in range(6):
        repeats.answered(f"{SCAN}_{'x' * number}", failed=False)
    repeats.answered(SCAN + "_", failed=False)
    assert repeats.changes() == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            ["create type engine.mood as enum ('fine', 'bad')"],
            [
                "alter type engine.mood rename value 'fine' to 'well'",
                "alter type engine.mood rename value 'bad' to 'fine'",
            ],
        ),
        (
            ["create domain engine.mood as text check (value in ('fine', 'bad'))"],
            ["update {table} set mood = 'bad'"],
        ),
    ],
)
def test_types_of_ones_own_are_read_anew(
    new_engine: Callable[..., PlannedEngine],
    target: Target,
    table: str,
    before: list[str],
    after: list[str],
) -> None:
    target.execute(*before, f"alter table {table} add mood engine.mood default 'fine'")
    try:
        accepted = {"column": "mood", "arguments": {"values": ["fine"]}}
        rules = rule_set(table, {"type": "accepted_values", **accepted})
        engine = new_engine()
        for _ in range(4):
            assert said(engine.run(rules)) == [("pass", 0, 3)]
        write(target, *(statement.format(table=table) for statement in after))
        for _ in range(4):
            assert said(engine.run(rules)) == [("fail", 1, 3)]
    finally:
        kind = "type" if before[0].startswith("create type") else "domain"
        target.execute(f"drop table {table}", f"drop {kind} engine.mood")


def test_a_table_that_is_locked_holds_no_other_check_up(
    new_engine: Callable[..., PlannedEngine], target: Target, table: str
) -> None:
    """What is to be prepared needs its table for a moment, after everything was answered."""
    engine = new_engine(target_connections=1)
    rules, others = rule_set(table, *RULES), rule_set("engine.elsewhere", RULES[0])
    target.execute(
        "drop table if exists engine.elsewhere", "create table engine.elsewhere (id int)"
    )
    for _ in range(4):
        assert said(engine.run(others)) == [("pass", 0, 0)]
    for _ in range(4):
        engine.run(rules)
        with psycopg.connect(target.url) as locking:
            locking.execute(f"lock table {table} in access exclusive mode")
            assert said(engine.run(others)) == [("pass", 0, 0)]
    assert said(engine.run(rules)) == FIRST


@pytest.mark.parametrize(
    ("statement", "steady"),
    [
        ('select count(*) filter (where ("id" is null)) from "a"."b"', True),
        ("""select count(*) from "it's" where state in ('paid', 'it''s', '')""", True),
        ("select count(*) from t where state in ('paid', 'sent')", True),
        ("select count(*) from t where day < 'today'", False),
        ("select count(*) from t where day < ' ToMorrow '", False),
        ("select count(*) from t where at < E'n\\157w'", False),
        ("select count(*) from t where day < '2026-01-01'", False),
        ("select count(*) from t where r = 'a.b'::regclass", False),
        ('select count(*) from t where r = cast(x as "regproc")', False),
        ("select count(*) from t where region is null", True),
        ("select count(*) from t where x = $$today$$", False),
        ("select count(*) from t where x > 10", True),
        ("select count(*) from t where fine(x)", False),
        ("select count(*) from t where lower(x) = 'a'", False),
        ('select count(*) from t where "Fine" (x)', False),
        ("select count(*) from (select x from t order by x) keys (k0) group by k0", True),
        (f"select count(*) from t where x in ({', '.join(['17'] * 9_000)})", False),
        ("select pg_catalog.array_agg(x) filter (where x in (7, 8)) from t", True),
        ('select "pg_catalog".hashtextextended(x, 0) from t', True),
        ("select mine.count(x) from t", False),
        ("select array_agg(x) from t", False),
    ],
)
def test_only_what_means_the_same_each_time_is_prepared(statement: str, steady: bool) -> None:
    assert is_steady(statement) is steady
