"""Checks: what was asked, what came out, and how a verdict follows from its rules."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from quality.budgets import UNLIMITED, Budget
from quality.catalogue import Dimension
from quality.documents import canonical_json
from quality.names import ConnectionName, Owner, RequestId, RuleName, TableText, Tag, Text
from quality.predicates import Predicates
from quality.rules import MAX_SAMPLE_ROWS, Kind, Rule, Severity
from quality.scores import weighted_score

RuleStatus = Literal["pass", "warn", "fail", "error", "skipped"]
CheckStatus = Literal["pass", "warn", "fail", "error", "no_rules"]
CheckState = Literal["received", "running", "finished"]
RulePath = Literal["scan", "second_scan", "grouped", "constraint", "dbt_sql", "dbt"]
"""How a rule was judged: in the scan that rules share, with a second scan for the exact count, by a
query of its own that groups, by a constraint of the table, by dbt's own SQL, or by dbt itself."""

Measure = int | float | str | None
"""A number that JSON can carry, or text (a time, a number of arbitrary precision)."""

Measured = Annotated[dict[Annotated[Text, Field(max_length=63)], Measure], Field(max_length=40)]
"""What a rule's SQL measured, by name."""

_WORST_FIRST: tuple[CheckStatus, ...] = ("error", "fail", "warn", "pass")

OUT_OF_TIME = "deadline"
OVER_BUDGET = "over budget"
"""How the message of a skipped rule begins that should have been judged, and was not."""


class Selection(BaseModel):
    """Which active rules of the table a check runs; what is left out does not narrow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[tuple[RuleName, ...], Field(max_length=200)] = ()
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()
    dimensions: Annotated[tuple[Dimension, ...], Field(max_length=6)] = ()
    kind: Kind | None = None

    def takes(self, rule: Rule) -> bool:
        """Whether the rule is one of those selected."""
        return (
            (not self.rules or rule.name in self.rules)
            and (not self.tags or not set(self.tags).isdisjoint(rule.tags))
            and (not self.dimensions or rule.dimension in self.dimensions)
            and (self.kind is None or rule.kind == self.kind)
        )


class CheckRequest(BaseModel):
    """ "This table has new data": the message of a producer, by whichever door it came."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: RequestId | None = None
    connection: ConnectionName = "demo"
    table: TableText
    select: Selection = Selection()
    scope: Predicates = ()
    deadline_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    budget: Budget = Field(
        default=UNLIMITED, description="less than its connection allows; more changes nothing"
    )
    requested_by: Owner | None = None
    pipeline_execution_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    labels: Annotated[
        dict[
            Annotated[Text, Field(min_length=1, max_length=63)],
            Annotated[Text, Field(max_length=255)],
        ],
        Field(max_length=32),
    ] = Field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As stored and sent, without what was left out."""
        document = self.model_dump(mode="json", exclude_defaults=True)
        document |= {"connection": self.connection, "table": self.table}
        if self.scope:
            document["scope"] = [predicate.document() for predicate in self.scope]
        return document

    @property
    def payload_hash(self) -> str:
        """SHA-256 (hex) of what decides the outcome: the same id with another hash is a misuse."""
        return hashlib.sha256(
            canonical_json(
                {
                    "connection": self.connection,
                    "table": self.table,
                    "select": self.select.model_dump(mode="json"),
                    "scope": [predicate.document() for predicate in self.scope],
                }
            )
        ).hexdigest()


class Sample(BaseModel):
    """Some of the rows that fail a rule, as texts, from the snapshot of its verdict.

    `sql` makes them again. `is_capped`: there are more such rows, or cells were cut off (`…`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Annotated[tuple[Annotated[Text, Field(max_length=63)], ...], Field(max_length=100)]
    rows: Annotated[
        tuple[tuple[Annotated[Text, Field(max_length=16_384)] | None, ...], ...],
        Field(max_length=MAX_SAMPLE_ROWS),
    ]
    sql: Annotated[Text, Field(max_length=1_000_000)]
    is_capped: bool = False


class Group(BaseModel):
    """What a rule found in the rows of one group; `group` has its columns' values, as texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: dict[
        Annotated[Text, Field(max_length=63)], Annotated[Text, Field(max_length=1024)] | None
    ]
    status: RuleStatus
    failures: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    failing_rows: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    rows_tested: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    measured: Measured = Field(default_factory=dict)


class RuleResult(BaseModel):
    """What one rule found.

    `failures` is dbt's count: 0 for a pass, whatever was counted; None where the rule could not be
    judged. `failing_rows` are rows of the table; `measured` holds what the rule's SQL measured, by
    name (`failures` is the count before thresholds). `rows_estimated`: `rows_tested` is the
    database's estimate, because a constraint proved the rule and nothing was read. `proof` names
    that constraint.

    `groups` are those of a rule with `group_by`, the worst first; `groups_left_out` is how many
    more there are, none of them worse. `status` is then the worst of total and groups. Whoever
    counts or judges leaves out results with `is_shadow`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: RuleName
    type: Annotated[Text, Field(max_length=63)]
    column: Annotated[Text, Field(max_length=63)] | None = None
    dimension: Dimension
    kind: Kind
    severity: Severity
    status: RuleStatus
    failures: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    failing_rows: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    rows_tested: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    rows_estimated: bool = False
    measured: Measured = Field(default_factory=dict)
    path: RulePath | None = None
    proof: Annotated[Text, Field(max_length=1024)] | None = None
    duration_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    message: Annotated[Text, Field(max_length=4096)] | None = None
    sql: Annotated[Text, Field(max_length=1_000_000)] | None = None
    sample: Sample | None = None
    groups: Annotated[tuple[Group, ...], Field(max_length=1000)] = ()
    groups_left_out: Annotated[int, Field(ge=0, lt=2**63)] = 0
    is_shadow: bool = False
    weight: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0

    @property
    def is_left_out(self) -> bool:
        """Whether time or budget did not suffice for it; other skipped rules had no history yet."""
        return is_left_out(self.status, self.message)

    @property
    def is_late(self) -> bool:
        """Whether the deadline of its check came before it: it is judged afterwards."""
        return self.status == "skipped" and (self.message or "").startswith(OUT_OF_TIME)


class CheckOutcome(BaseModel):
    """One finished run. `error` says why nothing could be judged; then the status is `error`.

    Shadow rules are among the results, and count for nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule_set_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    started_at: AwareDatetime
    finished_at: AwareDatetime
    duration_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    results: Annotated[tuple[RuleResult, ...], Field(max_length=1000)] = ()
    error_code: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,62}$")] | None = None
    error: Annotated[Text, Field(max_length=4096)] | None = None

    @property
    def counted(self) -> tuple[RuleResult, ...]:
        """The results that make the verdict: those of rules that are no shadows."""
        return tuple(result for result in self.results if not result.is_shadow)

    @property
    def late(self) -> tuple[int, ...]:
        """The places of the results that the deadline left, shadow rules among them."""
        return tuple(place for place, result in enumerate(self.results) if result.is_late)

    @property
    def status(self) -> CheckStatus:
        """The verdict."""
        if self.error_code:
            return "error"
        is_partial = any(result.is_left_out for result in self.counted)
        return verdict((result.status for result in self.counted), is_partial=is_partial)

    @property
    def score(self) -> float | None:
        """Mean of the judged rules by their weights, 0 to 1; None where none was judged."""
        return weighted_score((result.status, result.weight) for result in self.counted)

    @property
    def counts(self) -> dict[str, int]:
        """Rules by status."""
        return dict(Counter(result.status for result in self.counted))

    @property
    def failing_rows(self) -> int:
        """Sum over the rules that judged: of failing rows, or of dbt's count where only that is
        known."""
        return sum(
            (result.failures if result.failing_rows is None else result.failing_rows) or 0
            for result in self.counted
            if result.status in ("warn", "fail")
        )


def is_left_out(status: str, message: str | None) -> bool:
    """See `RuleResult.is_left_out`."""
    return status == "skipped" and (message or "").startswith((OUT_OF_TIME, OVER_BUDGET))


def verdict(statuses: Iterable[RuleStatus], *, is_partial: bool = False) -> CheckStatus:
    """The worst of the rules; `no_rules` where none ran, which is never a pass.

    A skipped rule was not judged, so a check of nothing but skipped rules is an `error`.
    `is_partial`: some were left out that should have been judged. Then it is `fail` where another
    rule failed, which is known whatever they would have said, and otherwise an `error`.
    """
    seen = set(statuses)
    if not seen:
        return "no_rules"
    worst: CheckStatus = next((status for status in _WORST_FIRST if status in seen), "error")
    return "error" if is_partial and worst in ("pass", "warn") else worst


def failed_outcome(
    rule_set_hash: str, code: str, message: str, started_at: datetime, now: datetime
) -> CheckOutcome:
    """The outcome of a check that could not be made."""
    return CheckOutcome(
        rule_set_hash=rule_set_hash,
        started_at=started_at,
        finished_at=now,
        duration_ms=max(0.0, (now - started_at).total_seconds() * 1000),
        error_code=code,
        error=message[:4096],
    )


def completed(first: CheckOutcome, rest: CheckOutcome) -> CheckOutcome:
    """The whole of a check: `first` with the results of `rest` for those that were late.

    Where the rest could not be judged at all, each of them is an `error` that says why.
    """
    results = list(first.results)
    why = f"{rest.error_code}: {rest.error}"[:4096]
    for number, place in enumerate(first.late):
        if rest.error_code is None:
            results[place] = rest.results[number]
        else:
            told = {"status": "error", "message": why}
            results[place] = results[place].model_copy(update=told)
    return first.model_copy(
        update={
            "finished_at": rest.finished_at,
            "duration_ms": first.duration_ms + rest.duration_ms,
            "results": tuple(results),
        }
    )
