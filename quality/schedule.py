"""When checks of a table are expected: a cadence or a cron expression, and the slots they make.

A slot is due at a moment and ends a grace later; whoever asks for a check between the end of the
slot before and its own end has kept it. So an event counts for one slot, early or late.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MOST_SLOTS = 1000
LONGEST_BACK = timedelta(days=7)
"""Slots that ended longer ago are not looked at any more."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([1-9][0-9]{0,7})([smhdw])")
_LONGEST_S = 366 * 86_400


def seconds_of(duration: str) -> int:
    """`90s`, `15m`, `1h`, `2d` or `1w` in seconds; ValueError for anything else."""
    match = _DURATION.fullmatch(duration)
    if match is None or int(match[1]) * _UNITS[match[2]] > _LONGEST_S:
        raise ValueError("must be a number and one of s, m, h, d, w, such as 15m or 1h")
    return int(match[1]) * _UNITS[match[2]]


def duration_of(seconds: int) -> str:
    """Seconds as the shortest duration that `seconds_of` reads back."""
    for unit, size in sorted(_UNITS.items(), key=lambda item: -item[1]):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _duration(value: str) -> str:
    return duration_of(seconds_of(value))


def _cadence(value: str) -> str:
    if seconds_of(value) < 60:
        raise ValueError("must be a minute (1m) or longer")
    return _duration(value)


def _cron(value: str) -> str:
    if len(value.split()) != 5:
        raise ValueError("must have five fields: minute, hour, day of the month, month, weekday")
    try:
        next(CronSim(value, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"is no cron expression that ever comes: {error}") from None
    return " ".join(value.split())


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown, or no name at all
        raise ValueError("is no time zone such as Europe/Amsterdam") from None
    return value


class Expectation(BaseModel):
    """When checks of a table are to be asked for: every so often, or by cron in a time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: Annotated[str, Field(max_length=16), AfterValidator(_cadence)] | None = Field(
        default=None, description="a cadence such as 15m, 1h or 1d, counted from when it was set"
    )
    cron: Annotated[str, Field(max_length=120), AfterValidator(_cron)] | None = Field(
        default=None, description="five fields: minute, hour, day of the month, month, weekday"
    )
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] | None = Field(
        default=None, description="of the cron expression; UTC where it is not given"
    )
    grace: Annotated[str, Field(max_length=16), AfterValidator(_duration)] = Field(
        default="15m", description="how late is not yet too late"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Expectation:
        if (self.every is None) == (self.cron is None):
            raise ValueError("give every or cron, one of them")
        if self.every is not None and self.time_zone is not None:
            raise ValueError("time_zone is of cron; a cadence needs none")
        return self


@dataclass(frozen=True, slots=True)
class Slot:
    """One time at which a check is expected; `begins` and `ends` are of the time that counts."""

    due: datetime
    begins: datetime
    ends: datetime


def slots(expectation: Expectation, since: datetime, after: datetime, now: datetime) -> list[Slot]:
    """The slots that ended after `after` and by `now`, in order; the newest `MOST_SLOTS` of them.

    Nothing before `since` counts: a cadence begins there.
    """
    grace = timedelta(seconds=seconds_of(expectation.grace))
    after = max(after, now - LONGEST_BACK)
    oldest = max(since, after - grace)
    found: list[Slot] = []
    before = None
    for due in _dues(expectation, since, oldest, now - grace):
        begins = since if before is None else before + grace
        if due + grace > after:
            found.append(Slot(due, begins, due + grace))
        before = due
        del found[:-MOST_SLOTS]
    return found


def next_due(expectation: Expectation, since: datetime, now: datetime) -> datetime:
    """The next moment at which a check is expected."""
    now = max(now, since)
    if expectation.every is not None:
        step = timedelta(seconds=seconds_of(expectation.every))
        return since + ((now - since) // step + 1) * step
    zone = ZoneInfo(expectation.time_zone or "UTC")
    return next(CronSim(str(expectation.cron), now.astimezone(zone))).astimezone(UTC)


def _dues(
    expectation: Expectation, since: datetime, oldest: datetime, newest: datetime
) -> Iterator[datetime]:
    """Moments after `since` up to `newest`, from one before `oldest` on where there is one."""
    if expectation.every is not None:
        step = timedelta(seconds=seconds_of(expectation.every))
        number = max(1, (oldest - since) // step - 1)
        number = max(number, (newest - since) // step - MOST_SLOTS)
        due = since + number * step
        while due <= newest:
            yield due
            due += step
        return
    cron = str(expectation.cron)
    zone = ZoneInfo(expectation.time_zone or "UTC")
    back = CronSim(cron, (oldest + timedelta(seconds=1)).astimezone(zone), reverse=True)
    start = oldest
    for _ in range(2):
        earlier = next(back, None)
        if earlier is not None and earlier.astimezone(UTC) > since:
            start = earlier.astimezone(UTC) - timedelta(seconds=1)
    for moment in CronSim(cron, max(start, since).astimezone(zone)):
        due = moment.astimezone(UTC)
        if due > newest:
            return
        yield due
