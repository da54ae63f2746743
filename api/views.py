"""The shapes that the API answers with."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from quality.catalogue import Dimension
from quality.catalogue.types import Category, Tested
from quality.checks import (
    CheckState,
    CheckStatus,
    Group,
    Measure,
    RulePath,
    RuleResult,
    RuleStatus,
    Sample,
)
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


class RuleView(Rule):
    """A stored rule, defaults and the dimension of its type filled in."""

    id: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class RulePage(BaseModel):
    """Rules of one table."""

    items: list[RuleView]
    next_cursor: str | None


class RuleSetView(BaseModel):
    """The whole rule set as it is now, and the number of its version."""

    items: list[RuleView]
    rules_version: int


class FieldDifference(BaseModel):
    before: Any
    after: Any


class ChangedRule(BaseModel):
    name: str
    fields: dict[str, FieldDifference]


class RuleDifference(BaseModel):
    """What differs between two rule sets; rules of the same name are the same rule."""

    added: list[Rule]
    removed: list[Rule]
    changed: list[ChangedRule]


class ReplacedView(RootModel[RuleSetView | RuleDifference]):
    """The rule set as it is now or, with `plan=true`, what would change."""


class VersionHead(BaseModel):
    number: int
    hash: str = Field(description="the same for the same rules")
    author: str | None
    reason: str | None
    created_at: AwareDatetime


class VersionSummary(VersionHead):
    """A version of a table's rules, without them."""

    rules: int = Field(description="how many")


class VersionPage(BaseModel):
    """Versions of a table's rules, newest first."""

    items: list[VersionSummary]
    next_cursor: str | None


class VersionView(VersionHead):
    """A version of a table's rules."""

    rules: list[Rule]


class VerdictChange(BaseModel):
    """A change of a table's verdict by a whole check."""

    id: int
    check_id: str
    at: AwareDatetime
    before: CheckStatus
    after: CheckStatus
    cause: Literal["data", "rules", "scope", "error"] = Field(
        description="what differs from the check before: the rules, only the rows that they look at"
        " (`where`), or, with the same rules, the data; error: one of both could not be made"
    )
    before_check_id: str | None
    before_at: AwareDatetime | None
    before_version: int | None
    after_version: int | None
    diff: RuleDifference | None = Field(description="of the rules in force, where they differ")


class VerdictChangePage(BaseModel):
    """Changes of a table's verdict, newest first."""

    items: list[VerdictChange]
    next_cursor: str | None


class Estimate(BaseModel):
    """What the target's planner expects a check to cost."""

    rows: float
    bytes: float
    cost: float


class DryRun(BaseModel):
    """What the rules would find; `status` is null where only the estimate was asked for."""

    estimate: Estimate | None
    scope: list[dict[str, Any]]
    status: CheckStatus | None
    score: float | None
    counts: dict[str, int]
    error_code: str | None
    error: str | None
    results: list[RuleResult]


class RuleTypeView(BaseModel):
    """A rule type: what it means, what it takes, and an example to start from."""

    name: str
    dimension: Dimension
    category: Category = Field(description="how it asks the database")
    summary: str
    takes_column: bool
    tested: Tested = Field(description="the denominator of percentages")
    nulls: str
    empty_table: str
    aliases: list[str] = Field(description="names elsewhere, understood here")
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
