"""Work: what is to be run for a claim."""

from __future__ import annotations

from dataclasses import dataclass, field

from quality.budgets import Budget
from quality.documents import canonical_json
from quality.predicates import Predicate
from quality.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Work:
    """Rules, rows and limits; `rule_set` is None where this version does not understand it."""

    rule_set: RuleSet | None
    rule_set_hash: str
    scope: tuple[Predicate, ...]
    """With fixed moments: a relative time is that of when the request was taken."""
    time_limit_s: float | None
    budget: Budget
    key: bytes = field(init=False)
    """What is equal has the same key, and can share a run."""

    def __post_init__(self) -> None:
        scope = [predicate.document() for predicate in self.scope]
        shared = [self.rule_set_hash, scope, self.time_limit_s, self.budget.document()]
        object.__setattr__(self, "key", canonical_json(shared))
