"""History: rules that compare what they measure with what was measured before.

The engine only measures; the service compares with the values that it kept (`quality.history`).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from quality.catalogue.types import Arguments, Dimension, RuleType
from quality.names import Identifier, Text
from quality.predicates import Scalar

Percent = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Edge = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Monitor = Literal[
    "null_share", "distinct_share", "min", "max", "avg", "stdev", "zero_share", "average_length"
]

JUDGED_WHEN_STORED = "judged when stored"
"""The message of a result that was measured and waits for its judgement."""

_DAYS = {"check": 0.0, "hour": 1 / 24, "day": 1.0, "week": 7.0}
MOST_DAYS = 400
"""How far back a rule may look; older values may have been deleted."""


class History(Arguments):
    """What all of these take. `measuring` are the arguments that change what is measured: with
    another value of them a rule begins a new history."""

    measuring: ClassVar[tuple[str, ...]] = ()

    def definition(self) -> dict[str, Any]:
        """Of the arguments those that decide what is measured."""
        document = self.model_dump(mode="json", exclude_none=True)
        return {name: document[name] for name in self.measuring if name in document}


class RowCount(History):
    """Counts all rows or, with `timestamp_column`, those of the last whole bucket (in UTC)."""

    timestamp_column: Identifier | None = None
    bucket: Literal["check", "hour", "day", "week"] = "day"

    def columns_by_path(self) -> dict[str, str]:
        return {"timestamp_column": self.timestamp_column} if self.timestamp_column else {}

    def definition(self) -> dict[str, Any]:
        if self.timestamp_column is None:
            return {}
        return {"timestamp_column": self.timestamp_column, "bucket": self.bucket}

    @model_validator(mode="after")
    def _counts_in_time(self) -> RowCount:
        if self.timestamp_column is not None and self.bucket == "check":
            raise ValueError("timestamp_column needs a bucket of hour, day or week")
        return self


class RowCountDelta(RowCount):
    bucket: Literal["check", "hour", "day", "week"] = "check"
    warn_pct: Percent | None = None
    error_pct: Percent | None = None
    direction: Literal["up", "down", "both"] = "both"
    days_back: int = Field(default=0, ge=0, le=MOST_DAYS)
    min_row_count: int = Field(default=1, ge=1, lt=2**63)

    @model_validator(mode="after")
    def _in_order(self) -> RowCountDelta:
        if self.warn_pct is None and self.error_pct is None:
            raise ValueError("needs warn_pct, error_pct or both")
        if self.warn_pct is not None and self.warn_pct > (self.error_pct or math.inf):
            raise ValueError("warn_pct must not be greater than error_pct")
        return self


class Window(History):
    """Which earlier values count: the last one of each bucket (in UTC), no older than that."""

    bucket: Literal["check", "hour", "day", "week"] = "day"
    training_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)
    min_history: int = Field(default=7, ge=1, le=1000)
    seasonality: Literal["none", "day_of_week"] = "none"

    @property
    def days(self) -> int:
        """How far the window goes back: 28 days, or twice what the history needs."""
        return self.training_days or min(MOST_DAYS, max(28, 2 * self._days_needed()))

    def _days_needed(self) -> int:
        weekly = 7 if self.seasonality == "day_of_week" else 1
        return math.ceil(_DAYS[self.bucket] * weekly * self.min_history)

    @model_validator(mode="after")
    def _can_be_enough(self) -> Window:
        if self.seasonality == "day_of_week" and self.bucket == "week":
            raise ValueError("seasonality day_of_week needs a bucket of check, hour or day")
        needed = self._days_needed()
        if needed > (self.training_days or MOST_DAYS):
            raise ValueError(
                f"min_history {self.min_history} needs {needed} training_days with this bucket "
                f"and seasonality, and {MOST_DAYS} are the most: ask for less history, or look "
                "back further"
            )
        return self


class Training(Window):
    """How far from the earlier values a value may be."""

    sensitivity: float = Field(default=3.0, gt=0, le=100, allow_inf_nan=False)
    direction: Literal["up", "down", "both"] = "both"
    method: Literal["zscore", "robust"] = "zscore"
    min_change_pct: float = Field(default=0.0, ge=0, le=1_000_000, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_spread(self) -> Training:
        if self.min_history < 2:
            raise ValueError("min_history must be 2 or more: one value has no spread")
        return self


class VolumeAnomaly(Training, RowCount):
    pass


class ColumnAnomaly(Training):
    monitors: Annotated[list[Monitor], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _each_once(self) -> ColumnAnomaly:
        if len(set(self.monitors)) < len(self.monitors):
            raise ValueError("monitors names one of them twice")
        return self


class FreshnessAnomaly(Training):
    direction: Literal["up", "down", "both"] = "up"


class GroupAnomaly(Training):
    group_columns: Annotated[list[Identifier], Field(min_length=1, max_length=3)]
    max_groups: int = Field(default=50, ge=1, le=100)
    measuring: ClassVar[tuple[str, ...]] = ("group_columns",)

    def columns_by_path(self) -> dict[str, str]:
        return {f"group_columns[{place}]": name for place, name in enumerate(self.group_columns)}


class DistributionDistance(Window):
    """The buckets are the ranges between `edges`, each with its lower end, or the `values` and all
    others together; NULLs are in none. `baseline` is their earlier mean, or one share for each."""

    edges: Annotated[list[Edge], Field(min_length=1, max_length=17)] | None = None
    values: Annotated[list[Scalar], Field(min_length=1, max_length=17)] | None = None
    baseline: Literal["history"] | Annotated[list[Share], Field(min_length=2, max_length=18)] = (
        "history"
    )
    method: Literal["psi", "kl", "chi2"] = "psi"
    max: float = Field(default=0.25, gt=0, le=1_000_000, allow_inf_nan=False)
    measuring: ClassVar[tuple[str, ...]] = ("edges", "values")

    @model_validator(mode="after")
    def _has_buckets(self) -> DistributionDistance:
        given = self.edges if self.edges is not None else self.values
        if given is None or (self.edges is not None and self.values is not None):
            raise ValueError("needs either edges (of numbers) or values")
        if self.edges is not None and sorted(set(self.edges)) != self.edges:
            raise ValueError("edges must each be greater than the one before")
        if self.baseline != "history":
            if len(self.baseline) != len(given) + 1:
                raise ValueError(
                    f"baseline needs {len(given) + 1} shares, one for each bucket, the last one "
                    "for all above the last edge or for all other values"
                )
            if not sum(self.baseline) > 0:
                raise ValueError("baseline has no share above 0")
        return self


class SchemaChange(History):
    baseline: Literal["previous", "declared"] = "previous"
    declared: (
        Annotated[
            dict[Identifier, Annotated[Text, Field(max_length=200)]],
            Field(min_length=1, max_length=1600),
        ]
        | None
    ) = None
    fail_on_added: bool = False
    enforce_types: bool = True

    @model_validator(mode="after")
    def _declares(self) -> SchemaChange:
        if (self.baseline == "declared") != (self.declared is not None):
            raise ValueError('declared ({"column": "type"}) and baseline "declared" go together')
        return self


_FIRST = "Skipped until there is enough history."


def _type(
    name: str,
    dimension: Dimension,
    summary: str,
    arguments: type[Arguments],
    example: dict[str, Any],
    *,
    nulls: str,
    empty_table: str,
    aliases: tuple[str, ...] = (),
    takes_column: bool = False,
) -> RuleType:
    return RuleType(
        name,
        dimension,
        f"{summary} {_FIRST}",
        arguments,
        {"type": name, **example},
        takes_column=takes_column,
        tested="none",
        category="H",
        nulls=nulls,
        empty_table=empty_table,
        aliases=aliases,
    )


TYPES = (
    _type(
        "row_count_delta",
        "completeness",
        "The number of rows has not changed by more than warn_pct or error_pct percent since the "
        "check before, or since the newest one that is days_back days old.",
        RowCountDelta,
        {"arguments": {"warn_pct": 10, "error_pct": 50}},
        nulls="Rows count whatever they hold; with timestamp_column those without a time do not.",
        empty_table="An empty table has 0 rows, which is a change of -100 %.",
        aliases=("volume_threshold",),
    ),
    _type(
        "volume_anomaly",
        "completeness",
        "The number of rows is no further than sensitivity standard deviations from what it was.",
        VolumeAnomaly,
        {"arguments": {"timestamp_column": "time_hour", "bucket": "day"}},
        nulls="Rows count whatever they hold; with timestamp_column those without a time do not.",
        empty_table="An empty table has 0 rows, and that is judged.",
        aliases=("volume_anomalies",),
    ),
    _type(
        "column_anomaly",
        "accuracy",
        "What the monitors measure of the column is no further than sensitivity standard "
        "deviations from what it was. Counts the monitors that are.",
        ColumnAnomaly,
        {"column": "dep_delay", "arguments": {"monitors": ["null_share", "avg"]}},
        takes_column=True,
        nulls="null_share counts them, the other monitors look at values only.",
        empty_table="Monitors without a value are not judged; without any the rule is skipped.",
        aliases=("column_anomalies",),
    ),
    _type(
        "freshness_anomaly",
        "timeliness",
        "The newest value of the column is not older than usual: its age at the check is no "
        "further than sensitivity standard deviations from what it was.",
        FreshnessAnomaly,
        {"column": "time_hour"},
        takes_column=True,
        nulls="NULLs are no values; a column of nothing else fails.",
        empty_table="An empty table fails, once there is enough history.",
        aliases=("freshness_anomalies",),
    ),
    _type(
        "group_anomaly",
        "accuracy",
        "The number of rows of each group is no further than sensitivity standard deviations from "
        "what it was; a group that is gone has 0. Counts groups, of which the max_groups largest "
        "are looked at.",
        GroupAnomaly,
        {"arguments": {"group_columns": ["origin"]}},
        nulls="NULLs are a group.",
        empty_table="An empty table has 0 rows of each group that there was.",
        aliases=("dimension_anomalies",),
    ),
    _type(
        "distribution_distance",
        "accuracy",
        "The share of values in each bucket has not moved further than max from the baseline, by "
        "the population stability index (psi) or another method.",
        DistributionDistance,
        {"column": "distance", "arguments": {"edges": [500, 1000, 2000]}},
        takes_column=True,
        nulls="NULLs are in no bucket.",
        empty_table="Skipped where there is no value.",
    ),
    _type(
        "schema_change",
        "validity",
        "The columns and their types are those of the check before, or those declared. Counts "
        "columns that are gone, of another type or, with fail_on_added, new.",
        SchemaChange,
        {"arguments": {"baseline": "previous", "fail_on_added": True}},
        nulls="Looks at no row.",
        empty_table="Looks at no row.",
        aliases=("schema_changes", "schema_changes_from_baseline"),
    ),
)
