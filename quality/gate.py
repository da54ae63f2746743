"""The gate: what a verdict means for whoever waits to go on with a table.

A decision is made once, when the verdict is stored, by the policy of the table; it holds for a
while and is `unknown` afterwards, as it is where none was ever made. Nothing that was not judged
ever allows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field

from quality.checks import CheckOutcome, is_left_out
from quality.documents import canonical_json
from quality.predicates import Predicate

Decision = Literal["allow", "warn", "block", "unknown"]

Basis = Literal["pass", "warn", "fail", "error", "fail_and_error", "no_rules"]
"""What a decision is made of: the verdict, and whether a failure is known beside an error."""

LONGEST_VALID_S = 366 * 86_400
MAX_REASONS = 20

_STRICTEST_FIRST: tuple[Decision, ...] = ("block", "unknown", "warn", "allow")
_WORST_FIRST = ("fail", "error", "skipped", "warn")


class GatePolicy(BaseModel):
    """What each verdict decides. A failure never allows; what was not judged blocks or is unknown.

    `valid_for_s`: how long a decision holds (seconds); None: as the service's setting says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    on_pass: Literal["allow", "warn", "block"] = "allow"  # noqa: S105 a verdict
    on_warn: Literal["allow", "warn", "block"] = "warn"
    on_fail: Literal["warn", "block"] = "block"
    on_error: Literal["unknown", "block"] = Field(
        default="unknown", description="also for a check that left rules out"
    )
    on_no_rules: Literal["unknown", "block"] = "unknown"
    valid_for_s: Annotated[int, Field(ge=1, le=LONGEST_VALID_S)] | None = Field(
        default=None, description="null: as STRINGX_GATE_VALID_FOR_S says"
    )

    def decide(self, basis: Basis) -> Decision:
        """The decision; where a failure and an error came together, the stricter of theirs."""
        if basis == "fail_and_error":
            both = (self.on_fail, self.on_error)
            return next(decision for decision in _STRICTEST_FIRST if decision in both)
        decisions: dict[str, Decision] = {
            "pass": self.on_pass,
            "warn": self.on_warn,
            "fail": self.on_fail,
            "error": self.on_error,
            "no_rules": self.on_no_rules,
        }
        return decisions[basis]

    def decisions(self) -> dict[Basis, Decision]:
        """All of it at once: so the database can decide in the transaction of a verdict."""
        return {basis: self.decide(basis) for basis in get_args(Basis)}


@dataclass(frozen=True, slots=True)
class Standing:
    """A decision as it stands at some moment."""

    decision: Decision
    reasons: tuple[str, ...]


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The one that rules where several have to be heard; `allow` where there is none."""
    found = set(decisions)
    return next((decision for decision in _STRICTEST_FIRST if decision in found), "allow")


def basis_of(outcome: CheckOutcome) -> Basis:
    """What the outcome gives to decide on.

    A rule that failed is known to have failed, whatever became of the others.
    """
    status = outcome.status
    fails = any(result.status == "fail" for result in outcome.counted)
    errs = status == "error" or any(result.is_left_out for result in outcome.counted)
    if fails and errs:
        return "fail_and_error"
    return "error" if errs else status


class Cause(NamedTuple):
    """What one rule came to, as far as it is a reason."""

    rule: str
    status: str
    failures: int | None
    message: str | None


def reasons_of(outcome: CheckOutcome) -> tuple[str, ...]:
    """Why the outcome decides what it does; see `reasons`."""
    if outcome.status == "pass":
        return ()
    causes = [
        Cause(one.rule, one.status, one.failures, one.message)
        for one in outcome.counted
        if one.status != "pass"
    ]
    return reasons(outcome.status, outcome.error_code, causes)


def reasons(status: str, error_code: str | None, causes: Iterable[Cause]) -> tuple[str, ...]:
    """Why a check is no pass, the worst first, at most `MAX_REASONS`; no values of the data."""
    if error_code is not None:
        return (f"the check could not be made: {error_code}",)
    if status == "no_rules":
        return ("the check has no rules",)
    found = [cause for cause in causes if cause.status in _WORST_FIRST]
    found.sort(key=lambda cause: _WORST_FIRST.index(cause.status))
    more = len(found) - MAX_REASONS
    told = [_told(cause) for cause in found[:MAX_REASONS]]
    return (*told, f"and {more} more") if more > 0 else tuple(told)


def standing(
    decision: Decision | None, reasons: Iterable[str], expires_at: datetime | None, now: datetime
) -> Standing:
    """A decision at `now`: `unknown` where none was made, and where it no longer holds."""
    if decision is None or expires_at is None:
        return Standing("unknown", tuple(reasons) or ("no decision was made",))
    if expires_at <= now:
        words = f'"{decision}" held until {expires_at.isoformat()}'
        return Standing("unknown", (words, *reasons))
    return Standing(decision, tuple(reasons))


def scope_hash(scope: Iterable[Predicate]) -> str:
    """SHA-256 (hex) of a scope as it was asked for; empty for the whole table.

    Relative times stay as they are, so that "since yesterday" has one decision, the newest.
    """
    documents = [predicate.document() for predicate in scope]
    return hashlib.sha256(canonical_json(documents)).hexdigest() if documents else ""


def _told(cause: Cause) -> str:
    if is_left_out(cause.status, cause.message):
        return f"{cause.rule}: {cause.message}"
    count = f" ({cause.failures} failures)" if cause.failures else ""
    return f"{cause.rule}: {cause.status}{count}"
