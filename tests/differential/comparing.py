"""Comparing what dbt said with what the engine found."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from quality.engine.plan.finding import Finding
from tests.differential.cases import Case
from tests.differential.engine_side import EngineSide
from tests.differential.plain_dbt import PlainDbt, Said

SOME = 4
JUDGED = ("pass", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Ours:
    """What the engine found: with all other tests, once more with the same plan, as if the tables
    were large, and, some of them, alone."""

    together: Finding
    again: Finding
    large: Finding
    alone: Finding | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One test's verdicts."""

    case: Case
    said: Said
    ours: Ours

    def disagreement(self) -> str | None:
        """What differs, None where all agree."""
        theirs = verdict(self.said.status, self.said.failures)
        for how in ("together", "again", "large", "alone"):
            finding: Finding | None = getattr(self.ours, how)
            if finding is None:
                continue
            ours = verdict(finding.status, finding.failures)
            # An error of dbt's must not hide one of the engine's own.
            if ours != theirs or "came to no result" in (finding.message or ""):
                return (
                    f"dbt {theirs}, the engine {how} {ours} by {finding.path} "
                    f"({finding.proof or finding.cause or '-'})\n"
                    f"dbt: {self.said.message}\nengine: {finding.message}\n{self.said.test}"
                )
        return None


def pairs_of(
    cases: Sequence[Case], plain_dbt: PlainDbt, engine_side: EngineSide
) -> dict[str, Pair]:
    """Both sides of every case that does not need dbt itself, by its name.

    dbt runs them once; the engine all together in an order of its own, once more, as if the tables
    were large, and some of them alone.
    """
    said = plain_dbt.test(cases)
    tests = [said[case.name].test for case in cases if said[case.name].test.dbt_only is None]
    random.Random(3).shuffle(tests)
    together, again = engine_side.run(tests, times=2)
    (large,) = engine_side.run(tests, large=True)
    ours = {
        test.name: Ours(*findings)
        for test, *findings in zip(tests, together, again, large, strict=True)
    }
    for test in tests[::SOME]:
        ((alone,),) = engine_side.run([test])
        ours[test.name] = replace(ours[test.name], alone=alone)
    return {
        case.name: Pair(case, said[case.name], ours[case.name])
        for case in cases
        if case.name in ours
    }


def verdict(status: str, failures: int | None) -> tuple[str, int | None]:
    # dbt says 0, or nothing, of a test that it could not run.
    return status, failures if status in JUDGED else None
