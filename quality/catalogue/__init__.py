"""The rule types: what a rule can be, with which arguments, in which dimension.

One entry here and one dbt generic test of the same name in `stringx/macros` make a rule type.
Names and semantics are those of dbt and dbt_utils where these have the test. NULL never violates a
rule unless its entry says so; the count of failing rows is dbt's.
"""

from __future__ import annotations

from quality.catalogue import (
    accuracy,
    aggregates,
    completeness,
    consistency,
    history,
    json_documents,
    structure,
    texts,
    timeliness,
    uniqueness,
    validity,
)
from quality.catalogue.types import Arguments, Category, Dimension, RuleType

__all__ = ["RULE_TYPES", "Arguments", "Category", "Dimension", "RuleType"]

RULE_TYPES: dict[str, RuleType] = {
    entry.name: entry
    for module in (
        completeness,
        uniqueness,
        validity,
        texts,
        json_documents,
        aggregates,
        structure,
        consistency,
        accuracy,
        timeliness,
        history,
    )
    for entry in module.TYPES
}
