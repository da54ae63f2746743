"""Counting duplicates by hashes and from memory: always the number that grouping the keys gives."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from quality.engine.plan import arranging, duplicates, execution
from quality.engine.plan.shapes import Digest
from quality.engine.planned import PlannedEngine
from quality.engine.target.wire import Answer, Wire
from tests.engine.conftest import Target, rule_set

TYPES = {
    "whole": ("bigint", "{}"),
    "small": ("smallint", "{}"),
    "word": ("text", "'word ' || {}"),
    "fixed": ("char(12)", "'f' || {}"),
    "exact": ("numeric", "{} / 7.0"),
    "uid": ("uuid", "md5({}::text)::uuid"),
    "moment": ("timestamptz", "timestamptz '2026-01-01Z' + {} * interval '1 minute'"),
    "document": ("jsonb", "jsonb_build_object('n', {})"),
    "ordered": ('text collate "POSIX"', "'é' || {}"),
    "domain": ("engine.code", "'d' || {}"),
}


@pytest.fixture(autouse=True)
def _large_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every table taken for a large one."""
    take_for(monkeypatch, "large")


def take_for(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    """Have every table taken for one of that size."""
    monkeypatch.setattr(arranging, "SMALL_BYTES", 0 if size == "large" else 2**40)
    monkeypatch.setattr(arranging, "TINY_BYTES", 2**40 if size == "tiny" else 0)


@pytest.fixture(params=["large", "small", "tiny"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    take_for(monkeypatch, request.param)


@pytest.fixture(params=["hashes", "hashes that often collide"])
def _hashing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "hashes":
        original = Digest.of

        def weak(self: Digest, keys: list[str]) -> str:
            number = original(self, keys)
            return number if self.is_key else f"({number} % 50)"

        monkeypatch.setattr(Digest, "of", weak)


@pytest.fixture
def table(target: Target) -> str:
    columns = [f"{name} {type_}" for name, (type_, _) in TYPES.items()]
    target.execute(
        "drop table if exists engine.repeated",
        "drop domain if exists engine.code",
        "create domain engine.code as text",
        f"create table engine.repeated (i integer, {', '.join(columns)})",
    )
    return "engine.repeated"


def insert(target: Target, numbers: str) -> None:
    values = ", ".join(value.format("i") for _, value in TYPES.values())
    change(target, f"insert into engine.repeated select i, {values} from ({numbers}) n (i)")


def change(target: Target, statement: str) -> None:
    """Without the grants of `Target.execute`, which are a change of the catalogue."""
    with psycopg.connect(target.url) as connection:
        connection.execute(statement)


def counted(target: Target) -> dict[str, tuple[int, int]]:
    """Keys that stand more than once and their rows, as PostgreSQL groups them."""
    found = {}
    with psycopg.connect(target.url) as connection:
        for name, keys, where in (
            *((name, name, f"where {name} is not null") for name in TYPES),
            ("pair", "whole, word", ""),
        ):
            row = connection.execute(
                f"select count(*), coalesce(sum(n), 0) from (select count(*) n from "
                f"engine.repeated {where} group by {keys} having count(*) > 1) d"
            ).fetchone()
            assert row is not None
            found[name] = (int(row[0]), int(row[1]))
    return found


def judged(engine: PlannedEngine, table: str) -> dict[str, tuple[int, int]]:
    rules: list[dict[str, Any]] = [{"type": "unique", "column": name} for name in TYPES]
    pair = {"columns": ["whole", "word"]}
    rules.append({"type": "unique_combination_of_columns", "arguments": pair})
    outcome = engine.run(rule_set(table, *rules))
    assert outcome.error_code is None, outcome.error
    assert all(result.status in ("pass", "fail") for result in outcome.results), outcome.results
    return {
        name: (result.failures or 0, result.failing_rows or 0)
        for name, result in zip([*TYPES, "pair"], outcome.results, strict=True)
    }


STEPS = (
    ("nothing stands twice", "select generate_series(1, 300)"),
    ("some do", "select unnest(array[3, 3, 5, 7, 1000, 1000])"),
    ("nothing changes", "select 1 where false"),
    ("nothing changes again", "select 1 where false"),
    ("a NULL, and another", "select null::integer from generate_series(1, 3)"),
    ("one more row of a known key", "select 3"),
    ("the same rows", "select 1 where false"),
    ("another key", "select 11"),
    ("the same again", "select 1 where false"),
    ("and again", "select 1 where false"),
)


@pytest.mark.usefixtures("_size", "_hashing")
def test_each_count_is_exact_whatever_was_there_before(
    engine: PlannedEngine, target: Target, table: str
) -> None:
    for what, numbers in STEPS:
        insert(target, numbers)
        for _ in range(2):
            assert judged(engine, table) == counted(target), what
    for what, condition in (
        (
            "a known key stands once now",
            "i = 5 and ctid = (select max(ctid) from engine.repeated where i = 5)",
        ),
        ("one key goes and another comes in its place", "i = 7"),
        ("all are gone", "true"),
    ):
        change(target, f"delete from engine.repeated where {condition}")
        if what.startswith("one key"):
            insert(target, "select unnest(array[13])")
        for _ in range(3):
            assert judged(engine, table) == counted(target), what


def test_what_is_known_is_not_counted_again(
    engine: PlannedEngine, target: Target, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(target, "select generate_series(1, 300) union all select generate_series(1, 9)")
    expected = counted(target)
    for _ in range(3):
        assert judged(engine, table) == expected
    asked: list[Any] = []
    grouped = execution.exact_duplicates

    def noted(shape: Any, **how: Any) -> str:
        asked.append(shape.keys)
        return grouped(shape, **how)

    monkeypatch.setattr(execution, "exact_duplicates", noted)
    assert judged(engine, table) == expected
    assert asked == [('"moment"',), ('"domain"',)], "those of types without a digest"
    insert(target, "select 20")
    assert judged(engine, table) == counted(target)
    assert len(asked) == len(set(asked)) == len(TYPES) + 1, "each was made once, and then kept"


def test_too_many_are_not_remembered(
    engine: PlannedEngine, target: Target, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arranging, "MOST_REMEMBERED", 3)
    insert(target, "select generate_series(1, 100) union all select generate_series(1, 4)")
    for _ in range(4):
        assert judged(engine, table) == counted(target)
    (entry,) = [
        one
        for one in engine._planner._entries._values.values()
        if len(one.plan.tests) == len(TYPES) + 1
    ]
    assert entry.prepared is not None
    assert entry.prepared.experience.known == {}


@pytest.mark.parametrize("before", ["large", "small"])
@pytest.mark.parametrize("after", ["small", "tiny"])
def test_what_is_known_of_a_table_that_shrinks_is_no_fault(
    engine: PlannedEngine,
    target: Target,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
) -> None:
    take_for(monkeypatch, before)
    insert(target, "select generate_series(1, 300) union all select generate_series(1, 9)")
    for _ in range(4):
        assert judged(engine, table) == counted(target)
    faults: list[str | None] = []
    answered = Wire._answer

    def noted(wire: Wire, result: Any, seconds: float) -> Answer:
        answer = answered(wire, result, seconds)
        faults.extend([answer.message] if answer.failed else [])
        return answer

    monkeypatch.setattr(Wire, "_answer", noted)
    take_for(monkeypatch, after)
    assert judged(engine, table) == counted(target)
    change(target, "delete from engine.repeated where i <= 9")
    for _ in range(3):
        assert judged(engine, table) == counted(target)
    assert faults == []


def test_many_keys_of_a_small_table_are_grouped_each_time(
    engine: PlannedEngine, target: Target, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_for(monkeypatch, "large")
    insert(target, "select generate_series(1, 300) union all select generate_series(1, 150)")
    for _ in range(3):
        assert judged(engine, table) == counted(target)
    take_for(monkeypatch, "small")
    for _ in range(3):
        assert judged(engine, table) == counted(target)
    change(target, "delete from engine.repeated where i = 7")
    for _ in range(3):
        assert judged(engine, table) == counted(target)


def test_rows_that_passed_are_looked_at_together_and_counted_when_some_fail(
    engine: PlannedEngine, target: Target
) -> None:
    names = [f"c{number}" for number in range(10)]
    values = ", ".join("i" for _ in names)
    target.execute(
        f"create table engine.looked ({', '.join(f'{name} integer' for name in names)})",
        f"insert into engine.looked select {values} from generate_series(1, 50) i",
    )
    rules = rule_set(
        "engine.looked",
        *({"type": "not_null", "column": name} for name in names[:9]),
        {"type": "accepted_range", "column": "c9", "arguments": {"min_value": 1}},
    )

    def failures() -> list[int | None]:
        outcome = engine.run(rules)
        assert outcome.error_code is None, outcome.error
        return [result.failing_rows for result in outcome.results]

    assert failures() == failures() == [0] * 10
    change(target, "update engine.looked set c3 = null, c9 = -1 where c0 <= 5")
    assert failures() == failures() == [0, 0, 0, 5, 0, 0, 0, 0, 0, 5]
    change(target, "update engine.looked set c4 = null where c0 = 1")
    assert failures() == failures() == [0, 0, 0, 5, 1, 0, 0, 0, 0, 5]
    change(target, "update engine.looked set c3 = 1, c4 = 1, c9 = 1")
    assert failures() == failures() == [0] * 10


@pytest.mark.parametrize(
    ("over", "keys", "numbers", "expected"),
    [
        (2, 2, "{7,7,8,8}", (2, 4)),
        (2, 2, "{7,7,7,8}", (1, 3)),
        (0, 2, "{7,8}", (0, 0)),
        (0, 0, None, (0, 0)),
        (3, 2, "{7,7,8,8}", None),
        (1, 0, None, None),
        (3, 2, "{7,7,7,7}", None),
        (2, None, "{-7,-7,8,8}", (2, 4)),
        (2, None, "{7,7,7}", (1, 3)),
        (3, None, "{7,7,8,8}", None),
        (1, None, None, None),
    ],
    ids=[
        "all there still",
        "one stands once now",
        "all stand once",
        "all are gone",
        "others came",
        "only others",
        "two keys with one number",
        "numbers that are keys",
        "one key of numbers that are keys",
        "others than the keys that were known",
        "only others than the keys that were known",
    ],
)
def test_what_a_look_at_known_keys_settles(
    over: int, keys: int | None, numbers: str | None, expected: tuple[int, int] | None
) -> None:
    assert duplicates.settled(over, numbers, keys) == expected
