"""Tests of plain dbt projects: what dbt says of each, the engine must say."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from tests.differential import cases_config, cases_proofs, cases_types, engine_side
from tests.differential.cases import Case
from tests.differential.comparing import Pair
from tests.differential.plain_dbt import PlainDbt

CASES = [*cases_types.cases(), *cases_proofs.cases(), *cases_config.cases()]


@pytest.fixture(scope="module")
def pairs(plain_dbt: PlainDbt, environment: dict[str, str]) -> dict[str, Pair]:
    """Both verdicts of every case: one run of dbt, and the engine with all tests and with each."""
    said = plain_dbt.test(CASES)
    tests = [said[case.name].test for case in CASES]
    random.Random(3).shuffle(tests)
    together = engine_side.run(environment, tests)
    alone = [engine_side.run(environment, [test])[0] for test in tests]
    by_name = {t.name: (a, b) for t, a, b in zip(tests, together, alone, strict=True)}
    return {case.name: Pair(case, said[case.name], *by_name[case.name]) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_says_what_dbt_says(case: Case, pairs: Mapping[str, Pair]) -> None:
    assert pairs[case.name].disagreement() is None
