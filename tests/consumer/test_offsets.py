"""Which offsets may be committed."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.offsets import OffsetTracker

TOPIC = "t"


def test_commits_up_to_the_first_unfinished_offset() -> None:
    tracker = OffsetTracker()
    first, second, third = (tracker.open(TOPIC, 0, offset) for offset in (4, 5, 6))
    tracker.finish(third)
    tracker.finish(first)
    assert tracker.committable() == {(TOPIC, 0): 5}
    tracker.finish(second)
    assert tracker.committable() == {(TOPIC, 0): 7}


def test_nothing_is_committable_before_the_first_is_done() -> None:
    tracker = OffsetTracker()
    tracker.open(TOPIC, 0, 0)
    tracker.finish(tracker.open(TOPIC, 0, 1))
    assert tracker.committable() == {}


def test_gaps_in_the_log_are_passed() -> None:
    tracker = OffsetTracker()
    for offset in (3, 10, 11):
        tracker.finish(tracker.open(TOPIC, 1, offset))
    assert tracker.committable() == {(TOPIC, 1): 12}


def test_what_is_committed_is_not_committed_again_until_it_moves() -> None:
    tracker = OffsetTracker()
    tracker.finish(tracker.open(TOPIC, 0, 0))
    tracker.committed(TOPIC, 0, 1)
    assert tracker.committable() == {}
    assert tracker.uncommitted() == 0
    tracker.finish(tracker.open(TOPIC, 0, 1))
    assert tracker.committable() == {(TOPIC, 0): 2}
    assert tracker.uncommitted() == 1


def test_a_revoked_partition_is_committed_no_more() -> None:
    tracker = OffsetTracker()
    ticket = tracker.open(TOPIC, 0, 0)
    other = tracker.open(TOPIC, 1, 0)
    tracker.forget([(TOPIC, 0)])
    tracker.finish(ticket)
    tracker.finish(other)
    assert tracker.committable() == {(TOPIC, 1): 1}


def test_a_ticket_of_an_ended_assignment_does_not_finish_the_same_offset_of_the_new_one() -> None:
    tracker = OffsetTracker()
    old = tracker.open(TOPIC, 0, 5)
    tracker.forget([(TOPIC, 0)])
    new = tracker.open(TOPIC, 0, 5)
    tracker.finish(old)
    assert tracker.committable() == {}
    tracker.finish(new)
    assert tracker.committable() == {(TOPIC, 0): 6}


def test_a_log_that_begins_anew_is_followed_from_its_start() -> None:
    tracker = OffsetTracker()
    lost = tracker.open(TOPIC, 0, 900)
    first = tracker.open(TOPIC, 0, 0)
    tracker.finish(lost)
    assert tracker.committable() == {}
    tracker.finish(first)
    assert tracker.committable() == {(TOPIC, 0): 1}


def test_the_position_is_the_first_unfinished_offset() -> None:
    tracker = OffsetTracker()
    tracker.finish(tracker.open(TOPIC, 0, 7))
    assert tracker.positions() == {(TOPIC, 0): 8}
    tracker.open(TOPIC, 0, 20)
    assert tracker.positions() == {(TOPIC, 0): 20}


@given(st.sets(st.integers(0, 200), min_size=1, max_size=40), st.randoms())
def test_in_any_order_of_finishing_nothing_unfinished_is_passed(
    offsets: set[int], chance: object
) -> None:
    tracker = OffsetTracker()
    tickets = [tracker.open(TOPIC, 0, offset) for offset in sorted(offsets)]
    shuffled = list(tickets)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    for ticket in shuffled:
        tracker.finish(ticket)
        position = tracker.committable().get((TOPIC, 0), 0)
        assert all(one.done for one in tickets if one.offset < position)
    assert tracker.committable() == {(TOPIC, 0): max(offsets) + 1}
