"""Percentages: rules whose thresholds are shares of the rows tested.

dbt knows counts alone. So such a test is counted as any other, and judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quality.engine.plan.duplicates import exact_duplicates
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.recognition import recognise
from quality.engine.plan.scan import conjunction
from quality.engine.plan.shapes import Duplicates, Shape, Values
from quality.engine.target.snapshot import Snapshot
from quality.rules import Rule
from quality.thresholds import limit_of


@dataclass(frozen=True, slots=True)
class Share:
    """How many rows of the table fail, of how many tested; None where that could not be counted.

    `by_count`: dbt's count is the number that fail.
    """

    tested: int | None
    rows: int | None = None
    by_count: bool = True


def is_by_share(rule: Rule) -> bool:
    """Whether a percentage decides; severity warn never looks at `error_if`."""
    deciding = [rule.warn_if, rule.error_if] if rule.severity == "error" else [rule.warn_if]
    return any(limit_of(text).is_percent for text in deciding)


def level(rule: Rule, count: int, rows: int, tested: int | None) -> int:
    """2 where the rule fails, 1 where it warns, else 0; `count` is dbt's, `rows` those failing."""

    def holds(threshold: str) -> bool:
        limit = limit_of(threshold)
        return limit.holds(rows if limit.is_percent else count, tested)

    if rule.severity == "error" and holds(rule.error_if):
        return 2
    return int(holds(rule.warn_if))


def judged_by_share(rule: Rule, finding: Finding, share: Share) -> Finding:
    """The finding with the status that the rule's percentages give it.

    What could not be counted is an error, unless nothing fails.
    """
    if finding.status == "error" or finding.failures is None:
        return finding
    measured = finding.measured.get("failures", finding.failures)
    count = measured if isinstance(measured, int) else finding.failures
    rows, tested = count if share.by_count else share.rows, share.tested
    if not count:
        rows, tested = 0, tested or 0
    if rows is None or tested is None:
        words = "the rows tested could not be counted, so that their share is not known"
        return replace(finding, status="error", failures=None, cause="engine", message=words)
    found = level(rule, count, rows, tested)
    if found == 0:
        return replace(finding, status="pass", failures=0, message=None)
    verb, deciding = ("fail", rule.error_if) if found == 2 else ("warn", rule.warn_if)
    percent = f" ({100 * rows / tested:.4g}%)" if tested else ""
    return replace(
        finding,
        status="fail" if found == 2 else "warn",
        failures=count,
        failing_rows=finding.failing_rows if share.by_count else rows,
        rows_tested=tested,
        rows_estimated=False,
        message=f"{rows} of {tested} tested{percent} fail, configured to {verb} if {deciding}",
    )


def shares(
    rules: Sequence[Rule],
    tests: Sequence[PlannedTest],
    found: Mapping[int, Finding],
    snapshot: Snapshot,
) -> dict[int, Share]:
    """The numbers behind the percentages, by the tests' places; counted where nobody has yet.

    Tests without a finding are those that only dbt can run.
    """
    known: dict[int, Share] = {}
    asked: dict[tuple[int, str], str] = {}
    for place, rule in enumerate(rules):
        if not is_by_share(rule):
            continue
        finding, planned = found.get(place), tests[place]
        if finding is None and planned.test.dbt_only is None:  # not asked for now
            continue
        shape = planned.shape or recognise(planned.test.sql)  # nobody looked, if dbt runs it
        by_count = not isinstance(shape, (Values, Duplicates))
        if finding is None:
            known[place] = Share(None, by_count=by_count)
        else:
            tested = None if finding.rows_estimated else finding.rows_tested
            known[place] = Share(tested, finding.failing_rows, by_count)
            if finding.status == "error" or not finding.measured.get("failures"):
                continue
        if known[place].tested is None and planned.subject is not None:
            asked[place, "tested"] = tested_query(planned)
        if known[place].rows is None and not by_count:
            asked[place, "rows"] = rows_query(shape)
    for (place, field), answer in zip(asked, snapshot.ask(list(asked.values())), strict=True):
        number = None if answer.failed else int(answer.rows[0][0] or 0)
        is_tested = field == "tested"
        known[place] = (
            replace(known[place], tested=number)
            if is_tested
            else replace(known[place], rows=number)
        )
    return known


def tested_query(planned: PlannedTest) -> str:
    """A query of how many rows or values a test with a subject looks at."""
    if planned.subject is None:
        raise ValueError("a test without a subject looks at no rows that are known")
    value = "*" if planned.tested is None else planned.tested
    conditions = conjunction(planned.subject.conditions)
    where = f" where {conditions}" if conditions else ""
    return f"select count({value}) from {planned.subject.relation.sql}{where}"


def rows_query(shape: Shape | None) -> str:
    """A query of how many rows fail, where dbt counts their values or keys."""
    if isinstance(shape, Duplicates):
        return f"select n_rows from ({exact_duplicates(shape)}) counts (n_keys, n_rows, numbers)"
    if isinstance(shape, Values):
        fails = conjunction([*shape.subject.conditions, shape.predicate])
        return f"select count(*) from {shape.subject.relation.sql} where {fails}"
    raise ValueError("dbt's count is that of the rows")
