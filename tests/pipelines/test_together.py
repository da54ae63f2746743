"""Many starts and ends in one statement come to what they come to one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DataError

from api.pipelines.executing import Executing
from api.store.database import Database
from api.store.pipelines import executions, pipelines, together
from quality.errors import Conflict, MalformedDocument, NotFound
from quality.pipelines.reports import EndReport, PipelineReport, StartReport
from quality.settings import ApiSettings
from tests.api.stores import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_ID = 10**12

# Everything but ids and the moment of writing, pipelines by the last word of their names.
EXECUTIONS = """
    select split_part(p.name, ' ', 2) as pipeline, e.start_date, e.hour_recorded, e.end_date,
        e.duration_seconds, e.completed_successfully, e.inserts, e.updates, e.soft_deletes,
        e.total_rows, e.watermark, e.next_watermark, e.execution_metadata, e.throughput,
        e.started_by, e.ended_by, f.execution_id is not null as is_followed,
        (select array_agg(a.start_date order by c.depth)
            from pipeline_execution_closure c
            join pipeline_execution a on a.id = c.parent_execution_id
            where c.child_execution_id = e.id) as ancestors,
        parent.start_date as parent
    from pipeline_execution e join pipeline p on p.id = e.pipeline_id
    left join pipeline_execution parent on parent.id = e.parent_id
    left join execution_follow_up f on f.execution_id = e.id
    where p.name like :name order by e.start_date
"""
PIPELINES = """
    select split_part(name, ' ', 2) as pipeline, watermark, next_watermark, load_lineage,
        last_target_insert, last_target_update, last_target_soft_delete
    from pipeline where name like :name order by name
"""


@pytest.fixture
def database(new_database: Callable[[], str]) -> Iterator[Database]:
    store = Store(new_database())
    yield store.database
    store.database.dispose()


def _at(moment: datetime) -> Any:
    """As a program reports it."""
    return moment.isoformat()


def made(database: Database, name: str, count: int = 4) -> list[int]:
    """New pipelines, whose every second one has followers."""
    ids = []
    with database.begin() as db:
        for number in range(count):
            report = PipelineReport(
                name=f"{name} {number}", pipeline_type_name="t", next_watermark=f"w{number}"
            )
            ids.append(pipelines.put(db, report)[0]["id"])
        followed = "update pipeline set has_followers = true where id = any(:ids)"
        db.execute(text(followed), {"ids": ids[::2]})
    return ids


def a_start(number: int, pipeline_id: int, parent_id: int | None, chance: random.Random) -> Any:
    return executions.start_values(
        StartReport(
            pipeline_id=pipeline_id,
            parent_id=parent_id,
            start_date=_at(NOON + timedelta(seconds=number)),  # by which it is known
            watermark=chance.choice([None, "7"]),
            next_watermark=chance.choice([None, "8"]),
        ),
        "somebody",
    )


def an_end(number: int, execution_id: int, chance: random.Random) -> Any:
    counts = {
        name: chance.choice([None, 0, 3, 2 * 10**9, 10**14])
        for name in ("inserts", "updates", "soft_deletes", "total_rows")
    }
    return executions.end_values(
        EndReport(
            id=execution_id,
            end_date=_at(NOON + timedelta(seconds=chance.randint(1, 10**6) + number)),
            completed_successfully=chance.random() < 0.8,
            execution_metadata=chance.choice([None, {"a": ["'", None, 1.5]}]),
            **counts,
        ),
        chance.choice(["somebody", "another"]),
    )


def played(database: Database, name: str, seed: int, *, is_together: bool) -> list[Any]:
    """Three rounds of starts below each other, and ends; what is stored then."""
    chance = random.Random(seed)
    ids, started = made(database, name), []
    for part in range(3):
        numbers = range(20 * part, 20 * part + 20)
        parents = [chance.choice([None, *started]) for _ in numbers]
        starts = [
            a_start(number, chance.choice(ids), parent, chance)
            for number, parent in zip(numbers, parents, strict=True)
        ]
        with database.connect() as db:
            found = (
                together.start(db, starts)
                if is_together
                else [executions.start(db, one) for one in starts]
            )
        new = [one["id"] for one in found if one is not None]
        assert len(set(new)) == 20
        ends = [an_end(number, one, chance) for number, one in zip(numbers, new, strict=True)]
        ends = ends[:15]
        with database.connect() as db:
            if is_together:
                assert together.end(db, ends) == [True] * 15
            else:
                for one in ends:
                    executions.end(db, one)
        started += new
    with database.connect() as db:
        return [
            [dict(row) for row in db.execute(text(query), {"name": f"{name} %"}).mappings()]
            for query in (EXECUTIONS, PIPELINES)
        ]


@pytest.mark.parametrize("seed", range(4))
def test_together_they_come_to_the_same(database: Database, seed: int) -> None:
    one_by_one = played(database, "single", seed, is_together=False)
    assert played(database, "grouped", seed, is_together=True) == one_by_one
    assert len(one_by_one[0]) == 60
    assert any(one["is_followed"] for one in one_by_one[0])


def test_what_is_no_plain_case_is_left_undone(database: Database) -> None:
    chance = random.Random(0)
    [pipeline_id] = made(database, "p", 1)
    with database.connect() as db:
        starts = [
            a_start(1, pipeline_id, None, chance),
            a_start(2, NO_ID, None, chance),
            a_start(3, pipeline_id, NO_ID, chance),
            a_start(4, pipeline_id, None, chance),
        ]
        found = together.start(db, starts)
        assert [one is not None for one in found] == [True, False, False, True]
        first, last = (one["id"] for one in found if one is not None)
        end = an_end(5, first, chance)
        early = {**an_end(6, last, chance), "end_date": NOON}
        twice = {**end, "total_rows": 99}
        assert together.end(db, [end, twice, early, {**end, "id": NO_ID}]) == [True, *[None] * 3]
        assert together.end(db, [end]) == [None]
        stored = db.execute(text("select total_rows from pipeline_execution order by id"))
        assert stored.scalars().all() == [end["total_rows"], None]


def test_nobody_waits_for_a_row_that_somebody_holds(database: Database) -> None:
    chance = random.Random(0)
    held, free = made(database, "p", 2)
    with database.connect() as db:
        starts = [a_start(number, one, None, chance) for number, one in enumerate((held, free))]
        of_held, of_free = (one["id"] for one in together.start(db, starts) if one is not None)
        ends = [an_end(9, of_held, chance), an_end(9, of_free, chance)]
        with database.begin() as other:
            other.execute(text("select 1 from pipeline where id = :id for update"), {"id": held})
            assert [one is None for one in together.start(db, starts)] == [True, False]
            assert together.end(db, ends) == [None, True]
        assert together.end(db, ends) == [True, None]


def test_nobody_waits_for_an_execution_that_somebody_holds(database: Database) -> None:
    chance = random.Random(0)
    [pipeline_id] = made(database, "p", 1)
    with database.connect() as db:
        starts = [a_start(number, pipeline_id, None, chance) for number in range(2)]
        held, free = (one["id"] for one in together.start(db, starts) if one is not None)
        below = [a_start(9, pipeline_id, parent, chance) for parent in (held, free)]
        ends = [an_end(9, one, chance) for one in (held, free)]
        with database.begin() as other:
            query = text("select 1 from pipeline_execution where id = :id for update")
            other.execute(query, {"id": held})
            assert [one is None for one in together.start(db, below)] == [True, False]
            assert together.end(db, ends) == [None, True]
        assert together.end(db, ends) == [True, None]


def test_who_cannot_be_stored_spoils_it_for_nobody(database: Database) -> None:
    executing = executing_of(database)
    [pipeline_id] = made(database, "p", 1)
    start = StartReport(pipeline_id=pipeline_id, start_date=_at(NOON))
    ids = [executing.start(start, "me")["id"] for _ in range(12)]

    def end(number: int) -> str:
        rows, seconds = (2**62, 1e-6) if number == 5 else (number, 60)  # too many a second
        ended = {"end_date": _at(NOON + timedelta(seconds=seconds)), "total_rows": rows}
        try:
            executing.end(EndReport(id=ids[number], completed_successfully=True, **ended), "me")
        except DataError:
            return "refused"
        return "ended"

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(end, range(12)))
    assert found == ["ended"] * 5 + ["refused"] + ["ended"] * 6


def executing_of(database: Database) -> Executing:
    settings = ApiSettings(database_url=SecretStr("postgresql://"), database_pool_timeout_s=30)
    return Executing(database, settings)


def test_those_who_come_at_the_same_time_have_their_own_answers(database: Database) -> None:
    executing = executing_of(database)
    [pipeline_id] = made(database, "p", 1)

    def start_and_end(number: int) -> int:
        began = NOON + timedelta(seconds=number)
        started = executing.start(StartReport(pipeline_id=pipeline_id, start_date=_at(began)), "me")
        assert started["start_date"] == began
        end = EndReport(
            id=started["id"],
            end_date=_at(began + timedelta(seconds=number + 1)),
            completed_successfully=True,
            inserts=number,
        )
        executing.end(end, "me")
        executing.end(end, "me")  # again: the same
        with pytest.raises(Conflict):
            executing.end(end.model_copy(update={"inserts": -1}), "me")
        with pytest.raises(MalformedDocument):
            unended = executing.start(
                StartReport(pipeline_id=pipeline_id, start_date=_at(began)), "me"
            )
            wrong = EndReport(id=unended["id"], end_date=_at(began), completed_successfully=True)
            executing.end(wrong, "me")
        with pytest.raises(NotFound):
            executing.start(StartReport(pipeline_id=NO_ID), "me")
        return int(started["id"])

    with ThreadPoolExecutor(12) as pool:
        ids = list(pool.map(start_and_end, range(120)))
    query = text("select inserts, duration_seconds from pipeline_execution where id = :id")
    with database.connect() as db:
        found = [tuple(db.execute(query, {"id": one}).one()) for one in ids]
    assert found == [(number, number + 1.0) for number in range(120)]
