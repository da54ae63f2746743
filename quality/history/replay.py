"""Replay: stored measurements judged again under other rules, without asking the database.

What was counted and measured then is compared with thresholds, severities, sensitivities and bounds
as they are now. A rule that looks at other rows, or asks something else of them, cannot be judged
so; then its status stays as it was, and the reason is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quality.catalogue.history import History
from quality.checks import CheckStatus, Group, Measure, RuleResult, RuleStatus, verdict
from quality.history.judging import judge
from quality.history.measures import bounds_of, fails
from quality.history.series import definition_hash
from quality.history.values import Earlier
from quality.rules import Rule
from quality.thresholds import limit_of

_ANY_COUNT = ("!= 0", "> 0", ">= 1")
_STATUSES: tuple[RuleStatus, ...] = ("pass", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a rule on history measured in a check, and what had been measured before it."""

    at: datetime
    measured: Mapping[str, Measure]
    earlier: Sequence[Earlier] = ()


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """A finished check. `rules` are those of its version by name; `kept` those on history."""

    id: str
    at: datetime
    status: CheckStatus
    results: Sequence[RuleResult]
    rules: Mapping[str, Rule]
    kept: Mapping[str, Kept] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ReplayedRule:
    """`after` is None where the check has no result of the rule; `reason` says why a rule was not
    judged again."""

    rule: str
    before: RuleStatus | None
    after: RuleStatus | None
    failures: int | None = None
    reason: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule,
            "before": self.before,
            "after": self.after,
            "failures": self.failures,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class ReplayedCheck:
    """The verdict of a check before and after, with every rule whose status is another or that was
    not judged again."""

    check_id: str
    at: datetime
    before: CheckStatus
    after: CheckStatus
    rules: tuple[ReplayedRule, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "check_id": self.check_id,
            "at": self.at.isoformat(),
            "before": self.before,
            "after": self.after,
            "rules": [rule.document() for rule in self.rules],
        }


def replay(check: StoredCheck, rules: Sequence[Rule]) -> ReplayedCheck:
    """The check as these rules would have judged it.

    Inactive rules are left out, and so is a rule that was not part of the check: it is listed, and
    counts for nothing. A check that could not be made stays an `error`.
    """
    if check.error is not None:
        return ReplayedCheck(check.id, check.at, check.status, check.status, ())
    results = {result.rule: result for result in check.results}
    found: list[ReplayedRule] = []
    statuses: list[RuleStatus] = []
    is_partial = False
    for rule in rules:
        if not rule.is_in_force(check.at):
            continue
        result = results.get(rule.name)
        if result is None:
            reason = "not replayable: it was not part of the check"
            found.append(ReplayedRule(rule.name, None, None, reason=reason))
            continue
        one = _replayed(rule, check.rules.get(rule.name), result, check.kept.get(rule.name))
        if one.after is not None and not rule.is_shadow:
            statuses.append(one.after)
            is_partial = is_partial or result.is_left_out
        if one.reason is not None or one.after != one.before:
            found.append(one)
    after = verdict(statuses, is_partial=is_partial)
    return ReplayedCheck(check.id, check.at, check.status, after, tuple(found))


def _replayed(rule: Rule, was: Rule | None, result: RuleResult, kept: Kept | None) -> ReplayedRule:
    outcome = _judged(rule, was, result, kept)
    if isinstance(outcome, str):
        reason = f"not replayable: {outcome}"
        return ReplayedRule(rule.name, result.status, result.status, result.failures, reason)
    status, failures = outcome
    return ReplayedRule(rule.name, result.status, status, failures)


def _judged(
    rule: Rule, was: Rule | None, result: RuleResult, kept: Kept | None
) -> tuple[RuleStatus, int | None] | str:
    """Status and failures, or why there are none."""
    if was is None:
        return "how it was defined then is not known"
    changed = what_changed(was, rule)
    if changed is not None:
        return f"its {changed} changed"
    if result.status == "error":
        return "it could not be judged then"
    if rule.rule_type.category == "H":
        if kept is None:
            return "what it measured was not kept"
        found = judge(rule, kept.measured, kept.earlier, kept.at)
        return found.status, found.failures
    if result.status == "skipped":
        return "it was skipped then"
    return _judged_by_counts(rule, was, result)


def what_changed(was: Rule, rule: Rule) -> str | None:
    """What of a rule looks at other rows, or asks something else of them; None where nothing does:
    then it can be judged again from what was counted."""
    for name in ("type", "column", "where", "group_by"):
        if getattr(was, name) != getattr(rule, name):
            return name
    if isinstance(rule.typed_arguments(), History):
        return None if definition_hash(was) == definition_hash(rule) else "arguments"
    free = bounds_of(rule.type)
    names = sorted(set(was.arguments) | set(rule.arguments))
    changed = [
        name
        for name in names
        if name not in free and was.arguments.get(name) != rule.arguments.get(name)
    ]
    return f"argument {changed[0]}" if changed else None


def _judged_by_counts(
    rule: Rule, was: Rule, result: RuleResult
) -> tuple[RuleStatus, int | None] | str:
    parts: list[RuleResult | Group] = [result, *result.groups]
    levels: list[int] = []
    failures = 0
    for place, part in enumerate(parts):
        count = _count(rule, was, part)
        if isinstance(count, str):
            return count
        level = _level(rule, part, count)
        if isinstance(level, str):
            return level
        levels.append(level)
        if place == 0:
            failures = count if level else 0
    worst = max(levels)
    if result.groups_left_out and worst < 2:
        return "some of its groups were not kept"
    return _STATUSES[worst], failures


def _count(rule: Rule, was: Rule, part: RuleResult | Group) -> int | str:
    """How many failed, in dbt's count."""
    if bounds_of(rule.type) and rule.arguments != was.arguments:
        outside = fails(rule, part.measured)
        return int(outside) if outside is not None else "what it measured was not kept"
    counted = part.measured.get("failures")
    if isinstance(counted, int):
        return counted
    if part.status in ("warn", "fail") and part.failures is not None:
        return part.failures
    deciding = {was.warn_if, was.error_if} if was.severity == "error" else {was.warn_if}
    if part.status == "pass" and not deciding.isdisjoint(_ANY_COUNT):
        return 0
    return "how many failed was not kept"


def _level(rule: Rule, part: RuleResult | Group, count: int) -> int | str:
    """2 where it fails, 1 where it warns, otherwise 0."""
    deciding = [(2, rule.error_if)] if rule.severity == "error" else []
    for level, threshold in [*deciding, (1, rule.warn_if)]:
        limit = limit_of(threshold)
        if not limit.is_percent:
            holds = limit.holds(count, None)
        elif not count:
            holds = limit.holds(0, 0)
        elif part.failing_rows is None:
            return "how many rows failed was not kept"
        elif part.rows_tested is None or getattr(part, "rows_estimated", False):
            return "how many rows were tested was not kept"
        else:
            holds = limit.holds(part.failing_rows, part.rows_tested)
        if holds:
            return level
    return 0
