"""Tests of plain dbt projects: what dbt says of each, the engine must say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from quality.catalogue import RULE_TYPES
from tests.differential import (
    cases_config,
    cases_groups,
    cases_proofs,
    cases_rows,
    cases_singular,
    cases_types,
    cases_users,
)
from tests.differential.cases import BUILT_IN, topic_of
from tests.differential.comparing import JUDGED, Pair, pairs_of
from tests.differential.engine_side import EngineSide
from tests.differential.paths import FUSED, FUSED_AT_LEAST, OVERALL_AT_LEAST, Paths, ways
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
TOPICS = list(dict.fromkeys(topic_of(case.name) for case in CASES))


@pytest.fixture(scope="module")
def pairs(plain_dbt: PlainDbt, engine_side: EngineSide) -> dict[str, Pair]:
    """Both verdicts of every case."""
    found = pairs_of(CASES, plain_dbt, engine_side)
    assert len(found) == len(CASES)
    return found


@pytest.mark.parametrize("topic", TOPICS)
def test_the_engine_says_what_dbt_says(topic: str, pairs: Mapping[str, Pair], paths: Paths) -> None:
    disagreements = []
    for name, pair in pairs.items():
        if topic_of(name) == topic:
            paths.count(pair.case.kind, pair.said.status, pair.ours.again.path)
            found = pair.disagreement()
            disagreements += [f"{name}: {found}"] if found else []
    assert not disagreements, "\n\n".join(disagreements)


def test_built_in_tests_are_judged_by_the_way_that_is_meant_for_them(
    pairs: Mapping[str, Pair],
) -> None:
    unmeant = [
        f"{pair.case.name} {pair.case.config}: {path}, not {meant}"
        for pair in pairs.values()
        if pair.case.judged == "fused" and pair.said.status in JUDGED
        for path in [pair.ours.again.path]
        for meant in [
            ("constraint",)
            if cases_proofs.is_proved(pair.case)
            else ways(RULE_TYPES[pair.case.test], pair.case.arguments)
        ]
        if path not in meant
    ]
    assert not unmeant, "\n".join(unmeant)


def test_the_fused_share_of_users_tests_does_not_decay(pairs: Mapping[str, Pair]) -> None:
    judged: Counter[str] = Counter()
    fused: Counter[str] = Counter()
    for pair in pairs.values():
        if pair.said.status in JUDGED:
            for kind in (pair.case.kind, "in all"):
                judged[kind] += 1
                fused[kind] += pair.ours.again.path in FUSED
    assert fused["in all"] >= OVERALL_AT_LEAST * judged["in all"], (fused, judged)
    decayed = {
        kind: f"{fused[kind]} of {judged[kind]}, less than {share:.0%}"
        for kind, share in FUSED_AT_LEAST.items()
        if fused[kind] < share * judged[kind]
    }
    assert not decayed


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
