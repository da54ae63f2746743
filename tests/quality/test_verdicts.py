"""How a verdict follows from rules."""

from __future__ import annotations

import itertools

import pytest

from quality.checks import verdict
from quality.names import TableName
from quality.scores import score, scores_by_dimension


def test_no_rule_is_never_a_pass() -> None:
    assert verdict([]) == "no_rules"
    assert verdict(["skipped"]) == "error"


def test_verdict_is_the_worst_whatever_the_order() -> None:
    worst_first = ["error", "fail", "warn", "pass"]
    for size in range(1, 5):
        for chosen in itertools.permutations(worst_first, size):
            assert verdict(chosen) == min(chosen, key=worst_first.index)


def test_score_counts_judged_rules_alone() -> None:
    assert score(["pass", "warn", "fail", "error"]) == pytest.approx(0.5)
    assert score(["error", "skipped"]) is None
    judged = [("validity", "pass"), ("validity", "fail"), ("accuracy", "error")]
    assert scores_by_dimension(judged) == {"validity": 0.5}


@pytest.mark.parametrize(
    ("text", "schema", "table"),
    [
        ("flights.flights", "flights", "flights"),
        ("flights", "public", "flights"),
        ('"my schema"."a.b"', "my schema", "a.b"),
        ('"say ""hi"""."t"', 'say "hi"', "t"),
        ("Über.Größe", "Über", "Größe"),
    ],
)
def test_table_name_survives_its_spelling(text: str, schema: str, table: str) -> None:
    name = TableName.parse(text)
    assert name == TableName(schema, table)
    assert TableName.parse(str(name)) == name


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", 'a."b', "a b", "x" * 64, "a.\x00"])
def test_what_is_no_table_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|longer"):
        TableName.parse(text)
