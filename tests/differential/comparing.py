"""Comparing what dbt said with what the engine found."""

from __future__ import annotations

from dataclasses import dataclass

from quality.engine.plan.finding import Finding
from tests.differential.cases import Case
from tests.differential.plain_dbt import Said

FUSED = ("scan", "second_scan", "grouped", "constraint")
JUDGED = ("pass", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Ours:
    """What the engine found: with all other tests, once more with the same plan, and alone."""

    together: Finding
    again: Finding
    alone: Finding


@dataclass(frozen=True, slots=True)
class Pair:
    """One test's verdicts."""

    case: Case
    said: Said
    ours: Ours

    def disagreement(self) -> str | None:
        """What differs, None where all agree."""
        theirs = _verdict(self.said.status, self.said.failures)
        for how in ("together", "again", "alone"):
            finding: Finding = getattr(self.ours, how)
            ours = _verdict(finding.status, finding.failures)
            if ours != theirs:
                return (
                    f"dbt {theirs}, the engine {how} {ours} by {finding.path} "
                    f"({finding.proof or finding.cause or '-'})\n"
                    f"dbt: {self.said.message}\nengine: {finding.message}\n{self.said.test}"
                )
        return None


def _verdict(status: str, failures: int | None) -> tuple[str, int | None]:
    # dbt says 0, or nothing, of a test that it could not run.
    return status, failures if status in JUDGED else None
