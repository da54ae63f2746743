"""The shapes in which the API shows rules, their versions and what became of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from quality.catalogue import Dimension
from quality.catalogue.types import Category, Tested
from quality.checks import CheckStatus, RuleResult
from quality.rules import Rule


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


class SuggestedRule(Rule):
    because: str = Field(description="what speaks for the rule")


class SuggestionList(BaseModel):
    """Rules to start from."""

    rules: list[SuggestedRule]


class RuleTypeView(BaseModel):
    """A rule type: what it means, what it takes, and an example to start from."""

    name: str
    dimension: Dimension
    category: Category = Field(description="how it asks the database")
    summary: str
    takes_column: bool
    tested: Tested = Field(description="the denominator of percentages")
    takes_percent: bool = Field(
        description="thresholds may be percentages, unless its arguments have it count no rows"
    )
    nulls: str
    empty_table: str
    aliases: list[str] = Field(description="names elsewhere, understood here")
    arguments: dict[str, Any] = Field(description="JSON Schema of `arguments`")
    example: dict[str, Any]


class RuleTypeList(BaseModel):
    """The catalogue of rule types."""

    items: list[RuleTypeView]
