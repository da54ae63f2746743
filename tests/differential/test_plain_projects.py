"""Tests of plain dbt projects: what dbt says of each, the engine must say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.differential import (
    cases_config,
    cases_groups,
    cases_proofs,
    cases_rows,
    cases_singular,
    cases_types,
    cases_users,
)
from tests.differential.cases import Case
from tests.differential.comparing import Pair, pairs_of
from tests.differential.engine_side import EngineSide
from tests.differential.paths import Paths
from tests.differential.plain_dbt import PlainDbt

CASES = [
    *cases_types.cases(),
    *cases_proofs.cases(),
    *cases_config.cases(),
    *cases_rows.cases(),
    *cases_groups.cases(),
    *cases_users.cases(),
    *cases_singular.cases(),
]


@pytest.fixture(scope="module")
def pairs(plain_dbt: PlainDbt, engine_side: EngineSide) -> dict[str, Pair]:
    """Both verdicts of every case."""
    found = pairs_of(CASES, plain_dbt, engine_side)
    assert len(found) == len(CASES)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_says_what_dbt_says(case: Case, pairs: Mapping[str, Pair], paths: Paths) -> None:
    pair = pairs[case.name]
    paths.count(case.kind, pair.said.status, pair.ours.together.path)
    assert pair.disagreement() is None
