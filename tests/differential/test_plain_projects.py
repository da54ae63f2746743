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
from tests.differential.cases import BUILT_IN, Case
from tests.differential.comparing import JUDGED, Pair, pairs_of
from tests.differential.engine_side import EngineSide
from tests.differential.paths import EXPECTED, Paths
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


def test_built_in_tests_are_judged_by_the_way_that_is_meant_for_them(
    pairs: Mapping[str, Pair],
) -> None:
    unmeant = [
        f"{pair.case.name} {pair.case.config}: {path}, not {meant}"
        for pair in pairs.values()
        if pair.case.judged == "fused" and pair.said.status in JUDGED
        for path in [pair.ours.together.path]
        for meant in [
            ("constraint",) if cases_proofs.is_proved(pair.case) else EXPECTED[pair.case.test]
        ]
        if path not in meant
    ]
    assert not unmeant, "\n".join(unmeant)


def test_only_what_the_catalogue_proves_is_taken_as_proved(pairs: Mapping[str, Pair]) -> None:
    proved = {
        pair.case.name
        for pair in pairs.values()
        if pair.ours.together.path == "constraint" and pair.case.test in BUILT_IN
    }
    assert proved == {
        case.name
        for case in CASES
        if cases_proofs.is_proved(case) and pairs[case.name].said.status in JUDGED
    }
