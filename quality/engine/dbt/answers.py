"""From what dbt says of its tests to results of rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, get_args

from quality.checks import RuleResult, RuleStatus
from quality.engine.target.session import Relation
from quality.errors import EngineError
from quality.rules import Rule, RuleSet

_STATUSES = set(get_args(RuleStatus))
_FRAME = re.compile(
    r"^\s*((Database|Compilation|Runtime) Error( in test \S+( \([^)\n]*\))?)?|"
    r"compiled code at .*|> in macro .*|> called by .*)\s*$",
    re.M,
)
_CAUSES = (
    ("timeout", re.compile(r"canceling statement due to statement timeout")),
    ("target_busy", re.compile(r"canceling statement due to lock timeout|deadlock detected")),
    ("permission_denied", re.compile(r"permission denied for ")),
    ("table_missing", re.compile(r"relation .* does not exist")),
    ("column_missing", re.compile(r"column .* does not exist")),
    ("regex_invalid", re.compile(r"invalid regular expression")),
)
_LOST = re.compile(
    r"connection to server .* failed|could not connect to server|server closed the connection|"
    r"terminating connection|could not translate host name|the connection is closed|"
    r"connection already closed",
    re.S,
)


class Incomplete(EngineError):
    """dbt did not say something of every rule, or said it of others."""

    code = "engine_incomplete"


def results_of(
    rule_set: RuleSet,
    answer: list[dict[str, Any]],
    relation: Relation | None,
    redact: Callable[[str], str],
) -> list[RuleResult]:
    """One result for each rule, of dbt's answers in the rules' order."""
    return [
        _result(rule, said, relation, redact)
        for rule, said in zip(rule_set.rules, answer, strict=True)
    ]


def connection_lost(answer: list[dict[str, Any]]) -> str | None:
    """The database's words if the connection failed for some rule."""
    return next(
        (
            plain_message(result["message"])
            for result in answer
            if result["status"] == "error" and _LOST.search(result["message"] or "")
        ),
        None,
    )


def plain_message(message: str | None) -> str:
    """dbt's message without its frame and in characters that can be stored."""
    text = "\n".join(line for line in _FRAME.sub("", message or "").splitlines() if line.strip())
    return stored(text.strip(), 4000)


def stored(text: str, limit: int) -> str:
    """The text without NUL and lone surrogates, cut to the limit."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:limit]


def _result(
    rule: Rule, said: dict[str, Any], relation: Relation | None, redact: Callable[[str], str]
) -> RuleResult:
    status = said["status"] if said["status"] in _STATUSES else "error"
    failures = said["failures"]
    message = plain_message(said["message"])
    if status == "error":
        message = f"{_cause(rule, message, relation)}: {message or 'dbt gave no reason'}"
    if status in ("pass", "warn", "fail"):
        if failures is None or failures < 0:
            status, message = "error", "engine: dbt gave no count of failures"
            failures = None
    else:
        failures = None
    return RuleResult(
        rule=rule.name,
        type=rule.type,
        column=rule.column,
        dimension=rule.dimension or rule.rule_type.dimension,
        kind=rule.kind,
        severity=rule.severity,
        status=status,
        failures=failures,
        duration_ms=max(0.0, (said["seconds"] or 0.0) * 1000),
        message=redact(message)[:4096] or None,
        sql=stored(said["sql"].strip(), 1_000_000) if said["sql"] else None,
    )


def _cause(rule: Rule, message: str, relation: Relation | None) -> str:
    if relation is None:
        return "table_missing"
    if any(column not in relation.columns for column in rule.columns()):
        return "column_missing"
    return next((cause for cause, pattern in _CAUSES if pattern.search(message)), "database")
