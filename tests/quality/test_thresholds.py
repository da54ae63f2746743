"""Thresholds: counts, and shares of the rows tested."""

from __future__ import annotations

import pytest

from quality.thresholds import limit_of


@pytest.mark.parametrize(
    ("threshold", "failing", "tested", "holds"),
    [
        ("> 10", 10, None, False),
        ("> 10", 11, 5, True),
        ("> 5%", 5, 100, False),
        ("> 5%", 6, 100, True),
        (">= 33.3%", 333, 1000, True),
        (">= 33.3%", 332, 1000, False),
        ("= 33.333333333%", 1, 3, False),
        ("> 0%", 1, 10**15, True),
        ("> 0%", 0, 10, False),
        ("> 0%", 0, 0, False),
        (">= 0%", 0, 0, True),
        ("= 100%", 7, 7, True),
        ("!= 0%", 0, 0, False),
        ("< 0.1%", 1, 1000, False),
        ("< 0.1%", 999, 10**6, True),
    ],
)
def test_threshold_holds_exactly(
    threshold: str, failing: int, tested: int | None, holds: bool
) -> None:
    assert limit_of(threshold).holds(failing, tested) is holds


def test_percentage_of_an_unknown_number_is_refused() -> None:
    with pytest.raises(ValueError, match="how many"):
        limit_of("> 5%").holds(1, None)


@pytest.mark.parametrize("text", ["> 10", "!= 0", "<= 0.5%", "= 100%", "> 0%", "> 50%"])
def test_canonical_spelling_is_read_as_itself(text: str) -> None:
    assert str(limit_of(text)) == text
