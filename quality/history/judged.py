"""What became of a rule that was measured, and how a count becomes a status."""

from __future__ import annotations

from dataclasses import dataclass, field

from quality.checks import Group, Measure, RuleStatus
from quality.rules import Rule
from quality.thresholds import limit_of


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement from history.

    `failures` is 0 for a pass and None where it is skipped. `measured` has what the engine measured
    and the numbers that it was compared with; `groups` one judgement each, the worst first.
    """

    status: RuleStatus
    failures: int | None
    message: str | None
    measured: dict[str, Measure] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    groups_left_out: int = 0


def status_of(rule: Rule, failing: int) -> RuleStatus:
    """dbt's status for a count, by the rule's severity and thresholds."""
    if rule.severity == "error" and limit_of(rule.error_if).holds(failing, None):
        return "fail"
    return "warn" if limit_of(rule.warn_if).holds(failing, None) else "pass"


def counted(rule: Rule, failing: int, message: str | None, measured: dict[str, Measure]) -> Judged:
    """The judgement on a count of anomalies; a pass has no failures, whatever was counted."""
    status = status_of(rule, failing)
    return Judged(status, 0 if status == "pass" else failing, message or None, measured)


def skipped(message: str, measured: dict[str, Measure]) -> Judged:
    """No judgement, and why."""
    return Judged("skipped", None, message, measured)


def not_enough(found: int, needed: int, measured: dict[str, Measure]) -> Judged:
    """No judgement yet."""
    return skipped(f"not enough history ({found} of {needed})", measured)


def brief(number: float) -> str:
    """A number as it stands in a message."""
    return f"{number:.6g}"
