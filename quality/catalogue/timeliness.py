"""Timeliness: data is there when it is needed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quality.catalogue.types import Arguments, RuleType, in_order
from quality.names import Identifier

Datepart = Literal["minute", "hour", "day", "week", "month", "year"]
Count = Annotated[int, Field(gt=0, le=100_000)]
Seconds = Annotated[float, Field(ge=-1e10, le=1e10)]

# Of a month and a year the mean of the Gregorian calendar.
_SECONDS = {
    "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_629_746,
    "year": 31_556_952,
}  # fmt: skip
_OFF_THE_MEAN = 4 * 86_400
"""No number of months or years is that much longer or shorter than its mean."""


class Recency(Arguments):
    datepart: Datepart
    interval: Count
    ignore_time_component: bool = False


class Age(BaseModel):
    """`{count: 6, period: hour}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: Count
    period: Datepart

    def is_shorter_than(self, other: Age) -> bool:
        """Whenever they are counted back from, however long the months are there."""
        in_months = {age.period in ("month", "year") for age in (self, other)}
        tolerance = _OFF_THE_MEAN if len(in_months) > 1 else 0
        own, others = (age.count * _SECONDS[age.period] for age in (self, other))
        return own + tolerance < others


class Freshness(Arguments):
    warn_after: Age | None = None
    error_after: Age | None = None

    @model_validator(mode="after")
    def _limited(self) -> Freshness:
        if self.warn_after is None and self.error_after is None:
            raise ValueError("needs warn_after, error_after or both")
        warn, error = self.warn_after, self.error_after
        if warn is not None and error is not None and error.is_shorter_than(warn):
            raise ValueError(
                "error_after must not be shorter than warn_after: give it the longer time, "
                "or leave warn_after out"
            )
        return self

    def thresholds(self) -> dict[str, str]:
        if self.error_after is None:
            return {"severity": "warn"}
        return {} if self.warn_after is None else {"error_if": "> 1"}


class Arrival(Arguments):
    sla_time: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    timezone: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,62}$")] = "UTC"
    days_of_week: (
        Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1, max_length=7)] | None
    ) = None
    days_of_month: (
        Annotated[list[Annotated[int, Field(ge=1, le=31)]], Field(min_length=1, max_length=31)]
        | None
    ) = None


class EventLag(Arguments):
    load_column: Identifier
    min_value: Seconds | None = None
    max_value: Seconds | None = None
    percentile: Annotated[float, Field(gt=0, le=1)] = 1

    @model_validator(mode="after")
    def _ordered(self) -> EventLag:
        return in_order(self, self.min_value, self.max_value, "min_value", "max_value")

    def columns_by_path(self) -> dict[str, str]:
        return {"load_column": self.load_column}


class Windows(Arguments):
    window_minutes: Annotated[int, Field(ge=1, le=525_600)]
    min_records: Annotated[int, Field(ge=1, lt=2**63)] = 1
    lookback_windows: Annotated[int, Field(ge=1, le=10_000)] | None = None


class Retention(Arguments):
    datepart: Datepart
    interval: Count


_NEWEST_NULLS = "NULLs are no values; a column of nothing else fails."
_BOUND = "One failing row stands for the table."

TYPES = (
    RuleType(
        "recency",
        "timeliness",
        "The newest value of the column is at most interval dateparts old; with "
        f"ignore_time_component days are compared. {_BOUND}",
        Recency,
        {
            "type": "recency",
            "column": "time_hour",
            "arguments": {"datepart": "day", "interval": 1},
        },
        category="A",
        nulls=_NEWEST_NULLS,
        empty_table="An empty table fails.",
    ),
    RuleType(
        "freshness",
        "timeliness",
        "The newest value of the column is no older than warn_after and error_after. Counts the "
        "limits that it is older than: with both, one failing row warns and two fail, unless the "
        "rule has thresholds of its own; warn_after alone warns.",
        Freshness,
        {
            "type": "freshness",
            "column": "time_hour",
            "arguments": {
                "warn_after": {"count": 6, "period": "hour"},
                "error_after": {"count": 1, "period": "day"},
            },
        },
        category="A",
        nulls=_NEWEST_NULLS,
        empty_table="An empty table is older than every limit.",
        aliases=("latency",),
    ),
    RuleType(
        "arrival_sla",
        "timeliness",
        "By sla_time of each day in timezone, or of the days_of_week (1 is Monday) and "
        f"days_of_month, the column has a value of that day or a later one. {_BOUND}",
        Arrival,
        {
            "type": "arrival_sla",
            "column": "time_hour",
            "arguments": {"sla_time": "07:30", "timezone": "Europe/Berlin"},
        },
        category="A",
        nulls="NULLs are no values; a column of nothing else fails once the time has come.",
        empty_table="An empty table fails once the time has come.",
        aliases=("data_freshness_sla", "timeOfAvailability"),
    ),
    RuleType(
        "event_lag_between",
        "timeliness",
        "The seconds from the column to load_column lie from min_value to max_value, both included:"
        f" the longest of all rows, or the percentile (0 to 1) of them. {_BOUND}",
        EventLag,
        {
            "type": "event_lag_between",
            "column": "event_at",
            "arguments": {"load_column": "loaded_at", "max_value": 3600},
        },
        category="A",
        nulls="A row with NULL in either column is left out; without another nothing is violated.",
        aliases=("is_data_fresh",),
    ),
    RuleType(
        "rows_per_window",
        "timeliness",
        "Each window of window_minutes has min_records rows at least: the last lookback_windows "
        "that are over, or else each from the oldest value to the newest, whose own window is not "
        "over. Windows begin at multiples of their width since a Monday, midnight UTC. Counts "
        "windows.",
        Windows,
        {
            "type": "rows_per_window",
            "column": "time_hour",
            "arguments": {"window_minutes": 1440, "min_records": 100},
        },
        tested="none",
        category="G",
        nulls="NULLs are in no window.",
        empty_table="An empty table passes, but fails with lookback_windows.",
        aliases=("is_data_fresh_per_time_window",),
    ),
    RuleType(
        "retention",
        "timeliness",
        "No row is older than interval dateparts. Counts the rows that are.",
        Retention,
        {
            "type": "retention",
            "column": "time_hour",
            "arguments": {"datepart": "year", "interval": 7},
        },
    ),
)
