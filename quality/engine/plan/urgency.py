"""Checks with a deadline: what matters most is judged first, what is left is said to be left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from quality.engine.plan.execution import Execution
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.shapes import Duplicates, Orphans
from quality.engine.target.proofs import Readiness
from quality.engine.target.snapshot import Snapshot
from quality.rules import Rule

LATE = "deadline"
"""The cause of a finding that there was no time for."""

NOT_IN_TIME = Finding("error", cause=LATE)

_JUST_S = 0.1


@dataclass(frozen=True, slots=True)
class End:
    """When a check ends (time.monotonic), and what for: a soft end keeps what is known by then."""

    at: float
    is_soft: bool = False
    is_deadline: bool = False

    def has_come(self, now: float) -> bool:
        """Whether it is over, or so nearly that what gave up at it may say so already."""
        return now >= self.at - _JUST_S


def first_end(
    started: float, limit_s: float, deadline_s: float | None, budget_s: float | None
) -> End:
    """The first of the time limit, the deadline of who asked, and the budget of the operator."""
    ends = [End(started + limit_s)]
    if deadline_s is not None:
        ends.append(End(started + deadline_s, is_soft=True, is_deadline=True))
    if budget_s is not None:
        ends.append(End(started + budget_s, is_soft=True))
    return min(ends, key=lambda end: end.at)


def in_stages(
    rules: Sequence[Rule],
    tests: Sequence[PlannedTest],
    readiness: Sequence[Readiness],
    snapshot: Snapshot,
    execution: Callable[..., Execution],
    left_out: Collection[int] = (),
) -> dict[int, Finding]:
    """The findings of all tests but those for dbt, one stage after the other.

    `execution(only=…)` makes one of the tests at some places. Of a stage that begins too late all
    is late.
    """
    snapshot.spread(len(tests))
    found: dict[int, Finding] = {}
    for places in stages(rules, tests, readiness):
        found |= execution(only=places.difference(left_out)).findings(snapshot, ())
    return found


def stages(
    rules: Sequence[Rule], tests: Sequence[PlannedTest], readiness: Sequence[Readiness]
) -> list[frozenset[int]]:
    """The places of the tests, those to be judged first in front.

    Rules that can fail come before those that only warn, and shadow rules last; among each, those
    that share a scan or are proved come before those that sort, join or run as dbt wrote them.
    """
    ranked: dict[tuple[int, bool], set[int]] = {}
    for place, (rule, planned) in enumerate(zip(rules, tests, strict=True)):
        if planned.test.dbt_only is None:
            rank = 2 if rule.is_shadow else int(rule.severity != "error")
            ranked.setdefault((rank, _is_dear(planned, readiness[place])), set()).add(place)
    return [frozenset(ranked[rank]) for rank in sorted(ranked)]


def as_late(
    found: dict[int, Finding], whole: dict[int, Finding], snapshot: Snapshot
) -> dict[int, Finding]:
    """The completed findings, of which those that time ran out for on the way are late."""
    if snapshot.time_left_s > 0:
        return whole
    return {
        place: NOT_IN_TIME
        if finding.status == "error" and found[place].status != "error"
        else finding
        for place, finding in whole.items()
    }


def _is_dear(planned: PlannedTest, ready: Readiness) -> bool:
    if ready.proof is not None:
        return False
    return planned.shape is None or ready.alone or isinstance(planned.shape, (Duplicates, Orphans))
