"""The number of rows of each group against what it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quality.catalogue.history import GroupAnomaly
from quality.checks import Group, Measure
from quality.history.deviations import Deviation, deviation
from quality.history.judged import Judged, counted, not_enough, status_of
from quality.history.values import Earlier, number_of
from quality.rules import Rule

Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by group. `is_complete`: there are no other groups."""

    rows: dict[Key, float]
    is_complete: bool

    def of(self, key: Key) -> float | None:
        """0 for a group that is not there; None where it may only have been left out."""
        return self.rows.get(key, 0.0 if self.is_complete else None)


def judge_groups(
    rule: Rule,
    arguments: GroupAnomaly,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`group_anomaly`: groups that are there, or were there in the training window."""
    shown = {name: value for name, value in measured.items() if name != "groups"}
    counts = counts_of(measured)
    known = [(one.at, counts_of(one.measured)) for one in earlier]
    presence = deviation(0.0, [(at, 0.0) for at, _ in known], now, arguments)
    if isinstance(presence, int):
        return not_enough(presence, arguments.min_history, shown)
    keys = dict.fromkeys(counts.rows)
    for _, before in reversed(known):
        keys |= dict.fromkeys(before.rows)
    found: list[tuple[Key, Deviation]] = []
    for key in keys:
        value = counts.of(key)
        points = [(at, rows) for at, before in known if (rows := before.of(key)) is not None]
        outcome = deviation(value or 0.0, points, now, arguments)
        if value is not None and isinstance(outcome, Deviation):
            found.append((key, outcome))
    found.sort(key=lambda one: (not one[1].is_anomaly, -abs(one[1].value - one[1].expected.center)))
    failing = [one for one in found if one[1].is_anomaly]
    shown |= {"history": presence.expected.count, "groups_judged": len(found)}
    words = [outcome.words(_label(key)) for key, outcome in failing[:5]]
    if len(failing) > 5:
        words.append(f"and {len(failing) - 5} more")
    judged = counted(rule, len(failing), "; ".join(words), shown)
    listed = found[: arguments.max_groups]
    left_out = len(found) - len(listed)
    if not counts.is_complete:
        left_out += int(number_of(measured.get("n_groups")) or 0) - len(counts.rows)
    groups = tuple(_group(rule, arguments, key, outcome) for key, outcome in listed)
    return Judged(judged.status, judged.failures, judged.message, judged.measured, groups, left_out)


def counts_of(measured: Mapping[str, object]) -> Counts:
    """Rows by group from what was measured: `groups` is JSON of [value, …, rows] each."""
    text = measured.get("groups")
    found = json.loads(text) if isinstance(text, str) else []
    rows = {tuple(key): float(count) for *key, count in found}
    return Counts(rows, is_complete=number_of(measured.get("n_groups")) == len(rows))


def _group(rule: Rule, arguments: GroupAnomaly, key: Key, outcome: Deviation) -> Group:
    failing = int(outcome.is_anomaly)
    return Group(
        group=dict(zip(arguments.group_columns, key, strict=True)),
        status=status_of(rule, failing),
        failures=failing,
        measured={
            "row_count": outcome.value,
            "expected": outcome.expected.center,
            "low": outcome.low,
            "high": outcome.high,
            "score": outcome.score,
            "history": outcome.expected.count,
        },
    )


def _label(key: Key) -> str:
    return " / ".join("NULL" if value is None else value[:60] for value in key)
