"""Tables, constraints and tests that Hypothesis made up: dbt and the engine must agree on them.

STRINGX_DIFFERENTIAL_EXAMPLES is how many tables (8); STRINGX_DIFFERENTIAL_SEED another set of
them. Without a seed they are always the same ones, so that what failed once fails again.
"""

from __future__ import annotations

import os

import psycopg

from tests.differential.comparing import pairs_of
from tests.differential.engine_side import EngineSide
from tests.differential.generating import SCHEMA, World, worlds
from tests.differential.paths import Paths
from tests.differential.plain_dbt import PlainDbt


def test_the_engine_says_what_dbt_says_of_made_up_tables(
    database: str, plain_dbt: PlainDbt, engine_side: EngineSide, paths: Paths
) -> None:
    number = os.environ.get("STRINGX_DIFFERENTIAL_SEED")
    examples = int(os.environ.get("STRINGX_DIFFERENTIAL_EXAMPLES", "8"))
    made = worlds(examples, int(number) if number else None)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create schema {SCHEMA}")
        for world in made:
            _make(world, connection)
        connection.execute(
            f"grant usage on schema {SCHEMA} to stringx_reader; "
            f"grant select on all tables in schema {SCHEMA} to stringx_reader"
        )
    cases = [case for world in made for case in world.tests]
    pairs = pairs_of(cases, plain_dbt, engine_side)
    disagreements = {}
    for world in made:
        for case in world.tests:
            pair = pairs[case.name]
            paths.count("made up", pair.said.status, pair.ours.together.path)
            found = pair.disagreement()
            if found:
                disagreements[case.name] = (found, *world.statements, *world.hopeful)
    assert not disagreements, "\n".join(
        line for lines in disagreements.values() for line in (*lines, "")
    )
    judged = [pair for pair in pairs.values() if pair.said.status in ("pass", "warn", "fail")]
    assert len(judged) > len(pairs) / 2, "most tests must be ones that can be judged"


def _make(world: World, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for statement in world.statements:
        connection.execute(statement.encode())
    for statement in world.hopeful:
        try:  # a constraint that the rows break is one that is not there
            connection.execute(statement.encode())
        except psycopg.Error:
            if statement.startswith(("create view", "create materialized")):
                raise
