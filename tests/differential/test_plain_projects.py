"""Tests of plain dbt projects: what dbt says of each, the engine must say."""

from __future__ import annotations

import random
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
from tests.differential.comparing import Ours, Pair
from tests.differential.engine_side import EngineSide
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
    """Both verdicts of every case: one run of dbt; the engine with all tests, and with each."""
    said = plain_dbt.test(CASES)
    tests = [said[case.name].test for case in CASES if said[case.name].test.dbt_only is None]
    random.Random(3).shuffle(tests)
    together, again = engine_side.run(tests, times=2)
    alone = [engine_side.run([test])[0][0] for test in tests]
    found = zip(tests, together, again, alone, strict=True)
    ours = {test.name: Ours(*findings) for test, *findings in found}
    return {case.name: Pair(case, said[case.name], ours[case.name]) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_says_what_dbt_says(case: Case, pairs: Mapping[str, Pair]) -> None:
    assert pairs[case.name].disagreement() is None
