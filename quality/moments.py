"""Moments: relative times such as `now-1d`, and what they are once a request is taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from quality.names import clean_text

MAX_DAYS = 36_525
MAX_TEXT = 1024
_RELATIVE = re.compile(r"(now|today)(?:([+-])(\d{1,9})([mhdw]))?", re.A)
_MISSPELT = re.compile(r"\s*(now|today)\s*[+-]\s*\d+\s*[a-z]+\s*", re.A | re.I)
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}


@dataclass(frozen=True, slots=True)
class Relative:
    """`now` or `today`, and how far from it: minutes of `now`, days of `today`.

    A day of `now` has 24 hours, whatever the clocks do.
    """

    base: Literal["now", "today"]
    offset: int = 0

    def at(self, now: datetime) -> dict[str, str]:
        """The moment it is at `now`, as a predicate has it; `today` is the day of `now`'s zone."""
        if self.base == "today":
            return {"date": (now.date() + timedelta(days=self.offset)).isoformat()}
        moment = now.astimezone(UTC) + timedelta(minutes=self.offset)
        return {"timestamp": moment.isoformat()}

    @property
    def sql(self) -> str:
        """The moment of the transaction that asks, as a constant that an index can serve.

        The same as the macro `sx_moment` writes.
        """
        base = "current_date" if self.base == "today" else "current_timestamp"
        if not self.offset:
            return base
        sign, number = "-" if self.offset < 0 else "+", abs(self.offset)
        return f"{base} {sign} " + (
            str(number) if self.base == "today" else f"interval '{number} minutes'"
        )


def relative(text: str) -> Relative | None:
    """What a text such as `today-7d` means; None for a text that means itself.

    Raises ValueError for what was meant to be one and is not.
    """
    match = _RELATIVE.fullmatch(text)
    if match is None:
        if _MISSPELT.fullmatch(text):
            raise ValueError(
                "is no relative time: write now-30m, now+2h, now-1d, today or today-1w, "
                'or {"literal": …} for a text that means itself'
            )
        return None
    base, sign, number, unit = match.groups()
    is_today = base == "today"
    if unit is None:
        return Relative("today" if is_today else "now")
    if is_today and unit not in "dw":
        raise ValueError("counts from today in days (d) or weeks (w); now takes m and h as well")
    minutes = int(number) * _MINUTES[unit]
    if minutes > MAX_DAYS * _MINUTES["d"]:
        raise ValueError("is more than 100 years from now")
    minutes = -minutes if sign == "-" else minutes
    return Relative("today", minutes // _MINUTES["d"]) if is_today else Relative("now", minutes)


def marked(value: dict[str, Any]) -> dict[str, str] | str:
    """`{"literal": text}`, `{"timestamp": …}` or `{"date": …}`, checked, in its one spelling.

    A literal that could mean nothing but itself is the text alone. ValueError says what is wrong.
    """
    kinds = ("literal", "timestamp", "date")
    if len(value) != 1 or (kind := next(iter(value))) not in kinds:
        raise ValueError('must be {"literal": text}, {"timestamp": text} or {"date": text}')
    text = value[kind]
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError(f"needs a text of at most {MAX_TEXT} characters as its {kind}")
    if kind == "literal":
        text = clean_text(text)
        is_plain = not _RELATIVE.fullmatch(text) and not _MISSPELT.fullmatch(text)
        return text if is_plain else {"literal": text}
    try:
        if kind == "date":
            return {"date": date.fromisoformat(text).isoformat()}
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"has a {kind} that is none of ISO 8601") from None
    if moment.tzinfo is None:
        raise ValueError("has a timestamp without a time zone: add Z or +01:00")
    return {"timestamp": moment.astimezone(UTC).isoformat()}
