"""A case or more of every rule type that is judged on the spot."""

from __future__ import annotations

from tests.differential.rule_types import (
    accuracy,
    completeness,
    consistency,
    json_documents,
    structure,
    texts,
    timeliness,
    uniqueness,
    validity,
)
from tests.differential.rule_types.case import TypeCase

CASES: tuple[TypeCase, ...] = (
    *completeness.CASES,
    *uniqueness.CASES,
    *validity.CASES,
    *texts.CASES,
    *json_documents.CASES,
    *structure.CASES,
    *consistency.CASES,
    *accuracy.CASES,
    *timeliness.CASES,
)
CASES_ALONE: tuple[tuple[str, TypeCase], ...] = (
    *uniqueness.CASES_ALONE,
    *structure.CASES_ALONE,
    *consistency.CASES_ALONE,
    *accuracy.CASES_ALONE,
)
