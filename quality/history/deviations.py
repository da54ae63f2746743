"""Rules on one number or several, each of which must be about what it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from quality.catalogue.history import ColumnAnomaly, FreshnessAnomaly, Training, VolumeAnomaly
from quality.checks import Measure
from quality.history.expectation import Expectation, expectation
from quality.history.judged import Judged, brief, counted, not_enough, skipped
from quality.history.training import training_window
from quality.history.values import Earlier, number_of
from quality.rules import Rule


@dataclass(frozen=True, slots=True)
class Deviation:
    """A value beside what was expected of it."""

    value: float
    expected: Expectation
    is_anomaly: bool
    low: float
    high: float

    @property
    def score(self) -> float | None:
        return self.expected.score(self.value)

    def words(self, name: str) -> str:
        """One sentence with the numbers that were used."""
        expected = self.expected
        history = f"{brief(expected.center)} of {expected.count} earlier values"
        if self.score is None:
            return f"{name} is {brief(self.value)}, and was always {history}"
        return (
            f"{name} is {brief(self.value)}, expected {brief(self.low)} to {brief(self.high)} "
            f"(centre {history}, score {brief(self.score)})"
        )


def deviation(
    value: float, earlier: Sequence[tuple[datetime, float]], now: datetime, arguments: Training
) -> Deviation | int:
    """The value beside the earlier ones in the training window; the number of those where these
    are fewer than `min_history`."""
    training = training_window(
        earlier,
        now,
        bucket=arguments.bucket,
        days=arguments.days,
        seasonality=arguments.seasonality,
    )
    if len(training) < arguments.min_history:
        return len(training)
    expected = expectation(training, arguments.method)
    is_anomaly = expected.is_anomaly(
        value, arguments.sensitivity, arguments.direction, arguments.min_change_pct
    )
    return Deviation(value, expected, is_anomaly, *expected.bounds(arguments.sensitivity))


def judge_volume(
    rule: Rule,
    arguments: VolumeAnomaly,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`volume_anomaly`."""
    return _judge_one(rule, arguments, "row_count", measured, earlier, now)


def judge_freshness(
    rule: Rule,
    arguments: FreshnessAnomaly,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`freshness_anomaly`: its age in seconds, of which there is none in an empty table."""
    return _judge_one(rule, arguments, "age_s", measured, earlier, now, is_needed=True)


def judge_column(
    rule: Rule,
    arguments: ColumnAnomaly,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`column_anomaly`: each monitor for itself."""
    shown: dict[str, Measure] = {"n_rows": measured.get("n_rows")}
    found: list[Deviation] = []
    shortest: int | None = None
    words: list[str] = []
    for monitor in arguments.monitors:
        value = monitored(monitor, measured)
        shown[monitor] = value
        if value is None:
            continue
        points = _points(earlier, partial(monitored, monitor))
        outcome = deviation(value, points, now, arguments)
        if isinstance(outcome, int):
            shortest = outcome if shortest is None else min(shortest, outcome)
            continue
        found.append(outcome)
        shown |= {
            f"{monitor}_expected": outcome.expected.center,
            f"{monitor}_low": outcome.low,
            f"{monitor}_high": outcome.high,
        }
        if outcome.is_anomaly:
            words.append(outcome.words(monitor))
    if not found:
        if shortest is None:
            return skipped("no monitor has a value", shown)
        return not_enough(shortest, arguments.min_history, shown)
    shown["history"] = min(one.expected.count for one in found)
    return counted(rule, sum(one.is_anomaly for one in found), "; ".join(words), shown)


def monitored(monitor: str, measured: Mapping[str, object]) -> float | None:
    """The value of a monitor from what was measured; a share of nothing is none."""
    rows, values = (number_of(measured.get(name)) for name in ("n_rows", "n_values"))
    if monitor == "null_share":
        return (rows - values) / rows if rows and values is not None else None
    counts = {"distinct_share": "n_distinct", "zero_share": "n_zeros"}
    if monitor in counts:
        part = number_of(measured.get(counts[monitor]))
        return part / values if values and part is not None else None
    return number_of(measured.get(monitor))


def _judge_one(
    rule: Rule,
    arguments: Training,
    name: str,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
    *,
    is_needed: bool = False,
) -> Judged:
    """`is_needed`: having no value is a failure where others have been there before."""
    shown = dict(measured)
    value = number_of(measured.get(name))
    points = _points(earlier, lambda one: number_of(one.get(name)))
    outcome = deviation(value or 0.0, points, now, arguments)
    if isinstance(outcome, int):
        return not_enough(outcome, arguments.min_history, shown)
    shown |= {
        "expected": outcome.expected.center,
        "low": outcome.low,
        "high": outcome.high,
        "history": outcome.expected.count,
    }
    if value is None:
        if is_needed:
            return counted(rule, 1, f"there is no {name}: no row has a value", shown)
        return skipped(f"{name} is no number", shown)
    shown["score"] = outcome.score
    words = outcome.words(name) if outcome.is_anomaly else None
    return counted(rule, int(outcome.is_anomaly), words, shown)


def _points(
    earlier: Sequence[Earlier], value_of: Callable[[Mapping[str, object]], float | None]
) -> list[tuple[datetime, float]]:
    found = ((one.at, value_of(one.measured)) for one in earlier)
    return [(at, value) for at, value in found if value is not None]
