"""From findings to results of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quality.catalogue.history import JUDGED_WHEN_STORED
from quality.checks import OUT_OF_TIME, OVER_BUDGET, RuleResult, RuleStatus
from quality.engine.dbt.answers import stored
from quality.engine.plan.budgets import OVER
from quality.engine.plan.finding import Finding
from quality.engine.plan.urgency import LATE
from quality.rules import Rule

_COUNTED = ("scan", "second_scan", "grouped")
_LATE_WORDS = "the time of the check was over before this rule was judged"


def blank_of(rule: Rule, sql: str = "") -> RuleResult:
    """What a result says of its rule, to be kept with the plan: `result_of` fills in the rest.

    `sql` is dbt's query of its failing rows.
    """
    return RuleResult(
        rule=rule.name,
        type=rule.type,
        column=rule.column,
        dimension=rule.dimension or rule.rule_type.dimension,
        kind=rule.kind,
        severity=rule.severity,
        status="skipped",
        is_shadow=rule.is_shadow,
        weight=rule.weight,
        sql=stored(sql.strip(), 1_000_000) or None,
    )


def result_of(
    blank: RuleResult,
    rule: Rule,
    finding: Finding,
    redact: Callable[[str], str],
    sql: str | None = None,
) -> RuleResult:
    """The rule's result; `sql` where it is another than that of the blank.

    What needs history is only measured here.
    """
    own = {} if sql is None else {"sql": stored(sql.strip(), 1_000_000) or None}
    if _is_counted(finding) and rule.rule_type.category != "H":
        return blank.model_copy(
            update={
                **own,
                "status": finding.status,
                "failures": finding.failures,
                "failing_rows": finding.failing_rows,
                "rows_tested": None if rule.rule_type.tested == "none" else finding.rows_tested,
                "measured": finding.measured,
                "path": finding.path,
                "duration_ms": max(0.0, finding.seconds * 1000),
                "message": finding.message,
            }
        )
    status: RuleStatus = finding.status
    failures, message = finding.failures, finding.message
    is_left_out = finding.cause in (LATE, OVER)
    if finding.cause == LATE:
        status, failures, message = "skipped", None, f"{OUT_OF_TIME}: {_LATE_WORDS}"
    elif finding.cause == OVER:
        status, failures, message = "skipped", None, f"{OVER_BUDGET}: {finding.message}"
    elif status == "error":
        message = f"{finding.cause or 'database'}: {message or 'no reason was given'}"
    elif failures is None or failures < 0:
        status, failures = "error", None
        message = "engine: a count of failing rows that is less than none"
    elif rule.rule_type.category == "H":
        status, failures, message = "skipped", None, JUDGED_WHEN_STORED
    counts_nothing = status == "error" or is_left_out or rule.rule_type.tested == "none"
    found: dict[str, Any] = {
        "status": status,
        "failures": failures,
        "failing_rows": finding.failing_rows if status not in ("error", "skipped") else None,
        "rows_tested": None if counts_nothing else finding.rows_tested,
        "rows_estimated": finding.rows_estimated and not counts_nothing,
        "measured": finding.measured if status != "error" and not is_left_out else {},
        "path": finding.path,
        "duration_ms": max(0.0, finding.seconds * 1000),
        "message": redact(stored(message, 4096)) if message else None,
        "proof": finding.proof,
        "sample": finding.sample,
        "groups": finding.groups if status != "error" else (),
        "groups_left_out": finding.groups_left_out if status != "error" else 0,
    }
    return RuleResult(**{**dict(blank), **found, **own})


def _is_counted(finding: Finding) -> bool:
    """Whether it has nothing but counts and our own words about them: there is nothing to be
    validated, nor anything of the database's that could hold a secret."""
    return (
        finding.path in _COUNTED
        and finding.status != "error"
        and finding.cause is None
        and finding.failures is not None
        and finding.failures >= 0
        and not finding.rows_estimated
        and len(finding.measured) == 1
        and finding.measured.get("failures") == finding.failures
        and not (finding.proof or finding.sample or finding.groups)
    )
