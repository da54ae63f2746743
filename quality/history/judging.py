"""Judges what a rule measured by what it measured before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from quality.checks import Measure
from quality.history.deltas import judge_delta
from quality.history.deviations import judge_column, judge_freshness, judge_volume
from quality.history.distributions import judge_distribution
from quality.history.groups import judge_groups
from quality.history.judged import Judged
from quality.history.schemas import judge_schema
from quality.history.values import Earlier
from quality.rules import Rule

_JUDGES: dict[str, Callable[..., Judged]] = {
    "row_count_delta": judge_delta,
    "volume_anomaly": judge_volume,
    "column_anomaly": judge_column,
    "freshness_anomaly": judge_freshness,
    "group_anomaly": judge_groups,
    "distribution_distance": judge_distribution,
    "schema_change": judge_schema,
}


def judge(
    rule: Rule, measured: Mapping[str, Measure], earlier: Sequence[Earlier], now: datetime
) -> Judged:
    """The judgement of a rule of category H.

    `now` is the moment that `measured` is about, `earlier` what the rule measured before, in that
    order. What is about `now` or later, or about the same bucket of time, is not compared with: a
    value never helps to judge itself, whether or not it is among `earlier`.
    """
    return _JUDGES[rule.type](rule, rule.typed_arguments(), measured, earlier, now)
