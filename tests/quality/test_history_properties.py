"""What holds of every history, whatever its values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quality.history import Earlier, judge
from quality.history.distance import distance, shares
from quality.history.expectation import expectation
from quality.rules import Rule

START = datetime(2026, 1, 1, 7, tzinfo=UTC)
WHOLE = st.integers(-10_000, 10_000)
VALUES = st.lists(WHOLE, min_size=2, max_size=40)
METHODS = st.sampled_from(["zscore", "robust"])
MEASURED = st.one_of(WHOLE, st.none(), st.sampled_from(["NaN", "Infinity", "x", "12.5"]))


@st.composite
def volumes(draw: Any) -> Rule:
    """Any rule on the number of rows that is valid."""
    bucket = draw(st.sampled_from(["check", "hour", "day"]))
    seasonality = draw(st.sampled_from(["none", "day_of_week"]))
    return Rule.model_validate(
        {
            "type": "volume_anomaly",
            "arguments": {
                "bucket": bucket,
                "seasonality": seasonality,
                "min_history": draw(st.integers(2, 5)),
                "sensitivity": draw(st.sampled_from([0.5, 1.0, 3.0, 10.0])),
                "direction": draw(st.sampled_from(["up", "down", "both"])),
                "method": draw(METHODS),
                "min_change_pct": draw(st.sampled_from([0.0, 5.0])),
            },
        }
    )


@st.composite
def histories(draw: Any) -> list[Earlier]:
    """Measurements in the order in which they were made, not always in that of their moments."""
    moments = draw(st.lists(st.integers(0, 24 * 60), max_size=40))
    return [
        Earlier(START + timedelta(hours=hours), {"row_count": draw(MEASURED)}) for hours in moments
    ]


@settings(deadline=None)
@given(volumes(), histories(), MEASURED, st.integers(0, 24 * 60))
def test_a_value_among_the_earlier_ones_never_changes_its_own_judgement(
    rule: Rule, earlier: list[Earlier], value: Any, hours: int
) -> None:
    now = START + timedelta(hours=hours)
    own = Earlier(now, {"row_count": value})
    expected = judge(rule, own.measured, earlier, now)
    for place in range(0, len(earlier) + 1, 5):
        with_own = [*earlier[:place], own, *earlier[place:]]
        assert judge(rule, own.measured, with_own, now) == expected


@settings(deadline=None)
@given(volumes(), histories(), WHOLE, st.integers(0, 24 * 60), MEASURED)
def test_what_is_later_changes_nothing(
    rule: Rule, earlier: list[Earlier], value: int, hours: int, later: Any
) -> None:
    now = START + timedelta(hours=hours)
    measured = {"row_count": value}
    more = [*earlier, Earlier(now + timedelta(days=1), {"row_count": later})]
    assert judge(rule, measured, more, now) == judge(rule, measured, earlier, now)


@given(VALUES, WHOLE, WHOLE, METHODS, st.sampled_from([0.5, 3.0]), st.sampled_from([0.0, 10.0]))
def test_what_is_further_away_on_the_same_side_is_no_less_of_an_anomaly(
    values: list[int], near: int, far: int, method: Any, sensitivity: float, least: float
) -> None:
    found = expectation([float(value) for value in values], method)
    distances = [near - found.center, far - found.center]
    if distances[0] * distances[1] < 0 or abs(distances[0]) > abs(distances[1]):
        return
    is_near, is_far = (found.is_anomaly(value, sensitivity, "both", least) for value in (near, far))
    assert is_far or not is_near


@given(VALUES, WHOLE, st.integers(-(10**6), 10**6), METHODS)
def test_a_shift_of_everything_changes_no_score(
    values: list[int], value: int, shift: int, method: Any
) -> None:
    plain = expectation([float(one) for one in values], method)
    shifted = expectation([float(one + shift) for one in values], method)
    before, after = plain.score(value), shifted.score(value + shift)
    if before is None or after is None:
        assert before is after
    else:
        assert abs(before - after) <= 1e-6 * max(1.0, abs(before))


@given(VALUES, WHOLE, METHODS, st.floats(0.1, 10))
def test_more_sensitivity_finds_no_fewer(
    values: list[int], value: int, method: Any, sensitivity: float
) -> None:
    found = expectation([float(one) for one in values], method)
    wide = found.is_anomaly(value, 2 * sensitivity, "both")
    assert found.is_anomaly(value, sensitivity, "both") or not wide
    sides = [found.is_anomaly(value, sensitivity, side) for side in ("up", "down")]  # type: ignore[arg-type]
    assert found.is_anomaly(value, sensitivity, "both") == any(sides)


@given(VALUES, WHOLE, METHODS)
def test_the_order_of_the_past_does_not_matter(values: list[int], value: int, method: Any) -> None:
    numbers = [float(one) for one in values]
    there, back = expectation(numbers, method), expectation(numbers[::-1], method)
    assert there == replace(back, count=len(values))
    assert there.score(value) == back.score(value)


COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=18).filter(any)


@given(st.data(), COUNTS, st.sampled_from(["psi", "kl", "chi2"]))
def test_a_distance_is_zero_to_itself_and_never_negative(
    data: st.DataObject, counts: list[int], method: Any
) -> None:
    size = len(counts)
    others = data.draw(st.lists(st.integers(0, 1000), min_size=size, max_size=size).filter(any))
    one, other = shares(counts), shares(others)
    assert one is not None and other is not None
    assert abs(distance(one, one, method)) < 1e-12
    assert distance(one, other, method) >= 0
    if method == "psi":
        assert abs(distance(one, other, "psi") - distance(other, one, "psi")) < 1e-9
    twice = shares([2 * count for count in counts])
    assert twice is not None
    assert abs(distance(twice, other, method) - distance(one, other, method)) < 1e-9
