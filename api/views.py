"""The shapes that the API answers with."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from quality.catalogue import Dimension
from quality.checks import CheckState, CheckStatus, Measure, RulePath, RuleStatus
from quality.rules import Kind, Rule, Severity


class ConnectionView(BaseModel):
    """A connection: a named dbt target."""

    name: str
    target: str
    description: str
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
    last_check_id: str | None
    last_status: CheckStatus | None
    last_finished_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class TablePage(BaseModel):
    """Monitored tables."""

    items: list[TableView]
    next_cursor: str | None


class RuleView(Rule):
    """A stored rule, defaults and the dimension of its type filled in."""

    id: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class RulePage(BaseModel):
    """Rules of one table."""

    items: list[RuleView]
    next_cursor: str | None


class RuleTypeView(BaseModel):
    """A rule type: what it means, what it takes, and an example to start from."""

    name: str
    dimension: Dimension
    summary: str
    takes_column: bool
    arguments: dict[str, Any] = Field(description="JSON Schema of `arguments`")
    example: dict[str, Any]


class RuleTypeList(BaseModel):
    """The catalogue of rule types."""

    items: list[RuleTypeView]


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
    finished_at: AwareDatetime


class HistoryView(ResultView):
    """A result in the history, with the table that it is about."""

    connection: str
    table: str


class HistoryPage(BaseModel):
    """Results of rules over all checks, newest first."""

    items: list[HistoryView]
    next_cursor: str | None


class CheckSummary(BaseModel):
    """A check without its results."""

    id: str
    connection: str
    table: str
    table_id: int | None
    state: CheckState
    status: CheckStatus | None
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
    outcome: str
    fence: int | None = None
    lease_s: float | None = None
    time_limit_s: float | None = None
    rule_set_hash: str | None = None
    rule_set: dict[str, Any] | None = None
    scope: list[dict[str, Any]] | None = None
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
