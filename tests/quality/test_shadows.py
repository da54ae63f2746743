"""Shadow rules are recorded, and count for nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from quality.checks import CheckOutcome, RuleResult


def result(status: Any, is_shadow: bool = False, weight: float = 1.0) -> RuleResult:
    return RuleResult(
        rule="r",
        type="not_null",
        dimension="completeness",
        kind="business",
        severity="error",
        status=status,
        failures=3,
        failing_rows=3,
        is_shadow=is_shadow,
        weight=weight,
    )


def outcome(*results: RuleResult) -> CheckOutcome:
    now = datetime.now(UTC)
    return CheckOutcome(
        rule_set_hash="0" * 64,
        started_at=now,
        finished_at=now,
        duration_ms=1,
        results=results,
    )


@pytest.mark.parametrize("shadow", ["fail", "error", "warn"])
def test_shadow_rule_changes_nothing(shadow: str) -> None:
    found = outcome(result("pass"), result(shadow, is_shadow=True))
    assert (found.status, found.counts, found.failing_rows) == ("pass", {"pass": 1}, 0)
    assert found.score == 1.0
    assert len(found.results) == 2


def test_nothing_but_shadows_is_never_a_pass() -> None:
    found = outcome(result("pass", is_shadow=True))
    assert (found.status, found.counts, found.score) == ("no_rules", {}, None)


def test_score_is_weighted() -> None:
    found = outcome(result("pass", weight=3), result("fail"), result("error", weight=100))
    assert found.score == pytest.approx(0.75)


def test_outcome_survives_its_json() -> None:
    found = outcome(result("fail"))
    assert CheckOutcome.model_validate_json(found.model_dump_json(), strict=True) == found
