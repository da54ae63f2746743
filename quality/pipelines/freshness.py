"""Freshness and timeliness: is the data new enough, and did an execution end in time?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quality.pipelines.intervals import Interval

MIN_LOOKBACK_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the newest data of a pipeline is; stale from `due` on."""

    is_stale: bool
    newest: datetime
    due: datetime
    age_s: float
    threshold: Interval

    @property
    def sentence(self) -> str:
        state = "stale" if self.is_stale else "fresh"
        return (
            f"{state}: the newest data came at {_shown(self.newest)}, and is due every "
            f"{self.threshold}: by {_shown(self.due)}"
        )


def judge_freshness(
    writes: Iterable[datetime | None], threshold: Interval | None, now: datetime
) -> Freshness | None:
    """The newest of the last insert, update and soft delete against the threshold.

    None for a pipeline without a threshold, or one that never wrote anything.
    """
    newest = max((moment for moment in writes if moment is not None), default=None)
    if newest is None or threshold is None:
        return None
    due = threshold.after(newest)
    age_s = (now - newest).total_seconds()
    return Freshness(due < now, newest, due, age_s, threshold)


@dataclass(frozen=True, slots=True)
class Lateness:
    """An execution that took longer than it may: it still runs, or it has ended too late."""

    state: Literal["running", "completed"]
    seconds: float
    threshold: Interval

    @property
    def sentence(self) -> str:
        verb = "has been running for" if self.state == "running" else "took"
        return (
            f"late: the execution {verb} {self.seconds:.0f} s, where {self.threshold} are allowed"
        )


def judge_timeliness(
    start: datetime,
    end: datetime | None,
    completed_successfully: bool | None,
    threshold: Interval | None,
    now: datetime,
) -> Lateness | None:
    """None where the execution is in time, has failed, or no threshold is set."""
    if threshold is None or (end is not None and not completed_successfully):
        return None
    until = now if end is None else end
    if until <= threshold.after(start):
        return None
    state: Literal["running", "completed"] = "running" if end is None else "completed"
    return Lateness(state, (until - start).total_seconds(), threshold)


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
