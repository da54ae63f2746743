"""Slots: when checks are expected, in which time they count, and what no schedule is."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quality.schedule import Expectation, duration_of, next_due, seconds_of, slots

SINCE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    return SINCE + timedelta(hours=hours)


def test_a_cadence_counts_from_when_it_was_set() -> None:
    hourly = Expectation(every="1h", grace="10m")
    found = slots(hourly, SINCE, SINCE, at(3.2))
    assert [slot.due for slot in found] == [at(1), at(2), at(3)]
    assert found[0].begins == SINCE
    assert [slot.begins for slot in found[1:]] == [slot.ends for slot in found[:-1]]
    assert [slot.ends - slot.due for slot in found] == [timedelta(minutes=10)] * 3


def test_a_slot_is_there_once_its_grace_is_over_and_not_again() -> None:
    hourly = Expectation(every="1h", grace="10m")
    assert slots(hourly, SINCE, SINCE, at(1.1)) == []
    [slot] = slots(hourly, SINCE, SINCE, at(1.2))
    assert slots(hourly, SINCE, slot.ends, at(2.1)) == []
    [later] = slots(hourly, SINCE, slot.ends, at(2.2))
    assert later.begins == slot.ends


def test_cron_is_of_its_time_zone_whatever_the_clocks_do() -> None:
    """In Amsterdam the clocks go forward on 29 March 2026."""
    daily = Expectation(cron="30 6 * * *", time_zone="Europe/Amsterdam", grace="30m")
    since = datetime(2026, 3, 27, tzinfo=UTC)
    found = slots(daily, since, since, since + timedelta(days=4))
    hours = [slot.due.astimezone(ZoneInfo("Europe/Amsterdam")).hour for slot in found]
    assert hours == [6, 6, 6, 6]
    assert [slot.due.hour for slot in found] == [5, 5, 4, 4]


def test_the_next_one_is_due_within_a_step() -> None:
    for minutes in (1, 60):
        often = Expectation(every=f"{minutes}m")
        for hours in (-1.0, 0.0, 0.5, 1.0, 8760.0):
            due = next_due(often, SINCE, at(hours))
            assert timedelta(0) < due - max(at(hours), SINCE) <= timedelta(minutes=minutes)
            assert (due - SINCE) % timedelta(minutes=minutes) == timedelta(0)


def test_weekdays_leave_the_weekend_out() -> None:
    weekdays = Expectation(cron="0 6 * * 1-5", grace="1h")
    since = datetime(2026, 3, 6, 12, tzinfo=UTC)  # a Friday
    [slot] = slots(weekdays, since, since, since + timedelta(days=3))
    assert slot.due == datetime(2026, 3, 9, 6, tzinfo=UTC)
    assert slot.begins == since
    assert next_due(weekdays, since, slot.due) == slot.due + timedelta(days=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"every": "1h", "cron": "* * * * *"},
        {"every": "1h", "time_zone": "UTC"},
        {"every": "30s"},
        {"every": "0h"},
        {"every": "1 h"},
        {"every": "9999999w"},
        {"cron": "* * * *"},
        {"cron": "* * * * * *"},
        {"cron": "61 * * * *"},
        {"cron": "0 0 31 2 *"},
        {"cron": "0 6 * * *", "time_zone": "Mars/Olympus"},
        {"cron": "0 6 * * *", "time_zone": "../UTC"},
        {"every": "1h", "grace": "soon"},
    ],
)
def test_what_no_schedule_is_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Expectation.model_validate(wrong)


@given(
    step=st.integers(1, 500),
    grace=st.integers(1, 100_000),
    looks=st.lists(st.integers(1, 10_000), min_size=1, max_size=12),
    by_cron=st.booleans(),
)
def test_however_often_one_looks_each_slot_is_seen_once(
    step: int, grace: int, looks: list[int], by_cron: bool
) -> None:
    expected = (
        Expectation(cron=f"*/{step % 29 + 1} * * * *", grace=f"{grace}s")
        if by_cron
        else Expectation(every=f"{step}m", grace=f"{grace}s")
    )
    now = judged = SINCE
    seen = []
    for seconds in looks:
        now += timedelta(seconds=seconds)
        found = slots(expected, SINCE, judged, now)
        seen += found
        judged = found[-1].ends if found else judged
    assert seen == slots(expected, SINCE, SINCE, now)
    assert all(a.ends == b.begins for a, b in itertools.pairwise(seen))


@given(seconds=st.integers(1, 366 * 86_400))
def test_durations_are_read_back(seconds: int) -> None:
    assert seconds_of(duration_of(seconds)) == seconds
