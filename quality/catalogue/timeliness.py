"""Timeliness: data is there when it is needed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quality.catalogue.types import Arguments, RuleType

Datepart = Literal["minute", "hour", "day", "week", "month", "year"]


class Recency(Arguments):
    datepart: Datepart
    interval: int = Field(gt=0, le=100_000)


TYPES = (
    RuleType(
        "recency",
        "timeliness",
        "The newest value of the column is at most interval dateparts old. One failing row "
        "stands for the table.",
        Recency,
        {
            "type": "recency",
            "column": "time_hour",
            "arguments": {"datepart": "day", "interval": 1},
        },
        category="A",
        nulls="NULLs are no values; a column of nothing else fails.",
        empty_table="An empty table fails.",
        aliases=("expect_row_values_to_have_recent_data",),
    ),
)
