"""How long something may take: a number of minutes, hours, days, weeks, months or years."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

DatePart = Literal["minute", "hour", "day", "week", "month", "year"]

MAX_NUMBER = 1_000_000

_FIXED = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Interval:
    """So many of a datepart; months and years are those of the calendar."""

    number: int
    datepart: DatePart

    def after(self, moment: datetime) -> datetime:
        """The moment that is this long after that one; the last one there is if it is later."""
        try:
            if self.datepart in _FIXED:
                return moment + self.number * _FIXED[self.datepart]
            months = self.number * (12 if self.datepart == "year" else 1)
            year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
            day = min(moment.day, calendar.monthrange(year, month + 1)[1])
            return moment.replace(year=year, month=month + 1, day=day)
        except (OverflowError, ValueError):
            return datetime.max.replace(tzinfo=moment.tzinfo)

    def __str__(self) -> str:
        return f"{self.number} {self.datepart}{'' if self.number == 1 else 's'}"


def interval(number: int | None, datepart: str | None) -> Interval | None:
    """The interval of a stored pair; None where there is none."""
    if number is None or datepart is None:
        return None
    return Interval(number, datepart)  # type: ignore[arg-type]
