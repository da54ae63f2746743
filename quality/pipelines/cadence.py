"""Cadence: when a pipeline has to run, and whether it did."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import ValidationError

from quality.schedule import LONGEST_BACK, Expectation, Slot, slots

_SOON = timedelta(days=1)


def expectation_of(cadence: str, grace_s: int) -> Expectation:
    """`15m`, `1h` or `1d`, or five fields of cron in UTC; ValueError where it is neither."""
    kind = "cron" if len(cadence.split()) > 1 else "every"
    try:
        return Expectation.model_validate({kind: cadence, "grace": f"{max(1, grace_s)}s"})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(reason) from None


def cadence_text(value: str) -> str:
    """The cadence, checked."""
    expectation_of(value, 1)
    return value


def newest_slot(cadence: str, grace_s: int, since: datetime, now: datetime) -> Slot | None:
    """The last time at which an execution was due, once it is too late for it; None where there
    was none since the cadence was declared."""
    expected = expectation_of(cadence, grace_s)
    for back in (_SOON, LONGEST_BACK):
        found = slots(expected, since, now - back, now)
        if found:
            return found[-1]
    return None
