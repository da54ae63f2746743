"""The shapes that the API answers with."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from quality.budgets import Budget
from quality.catalogue import Dimension
from quality.checks import (
    CheckState,
    CheckStatus,
    Group,
    Measure,
    RulePath,
    RuleStatus,
    Sample,
)
from quality.rules import Kind, Severity


class ConnectionView(BaseModel):
    """A connection: a named dbt target."""

    name: str
    target: str
    description: str
    budget: Budget | None = Field(description="of each check on it; null: as the settings say")
    created_at: AwareDatetime
    updated_at: AwareDatetime


class ConnectionPage(BaseModel):
    """Connections by name."""

    items: list[ConnectionView]
    next_cursor: str | None


class TableView(BaseModel):
    """A monitored table with the state of its newest check."""

    id: int
    connection: str
    name: str
    owner: str | None
    description: str
    rules: int
    active_rules: int
    rules_version: int = Field(description="0 where no rule was ever written")
    last_check_id: str | None
    last_status: CheckStatus | None
    last_finished_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class TablePage(BaseModel):
    """Monitored tables."""

    items: list[TableView]
    next_cursor: str | None


class ResultView(BaseModel):
    """What one rule found in one check."""

    id: int
    check_id: str
    rule: str
    type: str
    column: str | None
    dimension: Dimension
    kind: Kind
    severity: Severity
    status: RuleStatus
    failures: int | None = Field(description="dbt's count; 0 for a pass, null: not judged")
    failing_rows: int | None = Field(description="rows of the table that break the rule")
    rows_tested: int | None
    rows_estimated: bool = Field(description="rows_tested is the database's estimate")
    measured: dict[str, Measure] = Field(description="what the rule's SQL measured, by name")
    path: RulePath | None = Field(description="how the rule was judged")
    proof: str | None = Field(description="the constraint that proved the rule")
    duration_ms: float
    message: str | None
    sql: str | None
    groups: list[Group] = Field(description="of a rule with `group_by`, the worst first")
    groups_left_out: int
    is_shadow: bool
    weight: float
    rules_version: int | None
    rule_set_hash: str | None
    finished_at: AwareDatetime


class HistoryView(ResultView):
    """A result in the history, with the table that it is about."""

    connection: str
    table: str


class HistoryPage(BaseModel):
    """Results of rules over all checks, newest first."""

    items: list[HistoryView]
    next_cursor: str | None


class RuleSample(Sample):
    """Some rows that failed a rule, and the SQL that shows them again."""

    rule: str


class SampleList(BaseModel):
    """Samples of a check, in the order of its rules."""

    items: list[RuleSample]


class MeasurementView(BaseModel):
    """What one rule measured in one check."""

    id: int
    check_id: str
    at: AwareDatetime
    rule: str
    type: str
    status: RuleStatus
    failures: int | None
    failing_rows: int | None
    rows_tested: int | None
    measured: dict[str, Measure]


class MeasurementPage(BaseModel):
    """What the rules of a table measured, newest first."""

    items: list[MeasurementView]
    next_cursor: str | None


class ReplayedRule(BaseModel):
    rule: str
    before: RuleStatus | None
    after: RuleStatus | None = Field(description="null: the check has no result of the rule")
    failures: int | None
    reason: str | None = Field(description="why it was not judged again")


class ReplayedCheck(BaseModel):
    """The verdict of a check then and under the given rules, and the rules that make it another."""

    check_id: str
    at: AwareDatetime
    before: CheckStatus
    after: CheckStatus
    rules: list[ReplayedRule]


class ReplayPage(BaseModel):
    """Checks judged again, newest first."""

    items: list[ReplayedCheck]
    next_cursor: str | None


class CheckSummary(BaseModel):
    """A check without its results."""

    id: str
    connection: str
    table: str
    table_id: int | None
    state: CheckState
    status: CheckStatus | None = Field(description="null: there is no verdict yet")
    is_partial: bool = Field(
        description="the verdict is that of the deadline; the rules it left are still being judged"
    )
    partial_at: AwareDatetime | None = Field(
        description="when the verdict of the deadline was stored; null: there was none"
    )
    source: str
    request: dict[str, Any]
    received_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    duration_ms: float | None
    attempts: int
    counts: dict[str, int]
    failing_rows: int
    rule_set_hash: str | None
    rules_version: int | None = Field(description="of the table's rules, when it was claimed")
    scope: list[dict[str, Any]] = Field(description="with relative times resolved")
    error_code: str | None
    error: str | None


class CheckView(CheckSummary):
    """A check: where it stands and, once finished, its verdict with a result for each rule."""

    score: float | None
    results: list[ResultView]


class CheckPage(BaseModel):
    """Checks, newest first."""

    items: list[CheckSummary]
    next_cursor: str | None


class ClaimView(BaseModel):
    """The answer to one claimed request."""

    id: str
    outcome: str = Field(description="claimed, stored, done, busy or rejected")
    fence: int | None = None
    lease_s: float | None = None
    time_limit_s: float | None = None
    rule_set_hash: str | None = None
    rule_set: dict[str, Any] | None = None
    scope: list[dict[str, Any]] | None = None
    budget: Budget | None = None
    status: str | None = None
    retry_after_s: float | None = None
    code: str | None = None
    message: str | None = None


class ClaimList(BaseModel):
    """Answers in the order of the requests, and the rule sets that the worker did not know."""

    claims: list[ClaimView]
    rule_sets: dict[str, dict[str, Any]] = Field(description="by hash")


class StoredView(BaseModel):
    """What became of one posted outcome."""

    id: str
    result: str


class StoredList(BaseModel):
    """What became of the posted outcomes, in their order."""

    outcomes: list[StoredView]


class Renewed(BaseModel):
    """The claims whose leases last that long again."""

    renewed: list[str]
    lease_s: float


class Released(BaseModel):
    """How many claims were given back."""

    released: int
