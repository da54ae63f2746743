"""Rows that fail, for whoever has to mend them: from the snapshot of the verdict.

A sample is no part of a verdict: what goes wrong here leaves a result without one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from quality.checks import Sample
from quality.engine.cancellation import CheckCancelled
from quality.engine.plan.finding import Finding
from quality.engine.plan.grouping import identifiers, orphan
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import conjunction
from quality.engine.plan.shapes import Aggregate, Duplicates, Orphans, RelationName, Rows, Values
from quality.engine.settings import EngineSettings
from quality.engine.target.catalogue import Facts
from quality.engine.target.proofs import Readiness
from quality.engine.target.snapshot import Snapshot
from quality.engine.target.wire import Answer
from quality.errors import StringXError
from quality.rules import Rule

MASKED = "***"
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sample to be taken: of so many rows at most, with these columns, by this statement."""

    place: int
    columns: tuple[str, ...]
    most: int
    statement: str


def samples(
    rules: Sequence[Rule],
    tests: Sequence[PlannedTest],
    readiness: Sequence[Readiness],
    facts: Mapping[RelationName, Facts],
    found: Mapping[int, Finding],
    snapshot: Snapshot,
    settings: EngineSettings,
) -> dict[int, Sample]:
    """Samples of the tests that warn or fail, as far as there are any in the time there is."""
    places = [
        place
        for place, rule in enumerate(rules)
        if place in found
        and found[place].status in ("warn", "fail")
        and _limit(rule, found[place], settings) > 0
    ]
    if not places:
        return {}
    taken: dict[int, Sample] = {}
    own_deadline = snapshot.deadline
    snapshot.deadline = min(own_deadline, time.monotonic() + settings.sample_time_limit_s)
    left = settings.sample_bytes
    try:
        wanted = []
        for place in places:
            test, ready = tests[place], readiness[place]
            known = facts.get(test.subject.relation) if test.subject is not None else None
            if known is None:
                continue
            most = _limit(rules[place], found[place], settings)
            one = _wanted(rules[place], place, test, ready, known, most, snapshot, settings)
            if one is not None:
                wanted.append(one)
        at_once = settings.queries_per_check
        for start in range(0, len(wanted), at_once):
            few = wanted[start : start + at_once]
            answers = snapshot.run([one.statement for one in few])
            for one, answer in zip(few, answers, strict=True):
                sample = _taken(one, found[one.place], answer, settings.sample_cell_bytes, left)
                if sample is not None:
                    taken[one.place] = sample
                    left -= _size(sample)
    except CheckCancelled:
        raise
    except StringXError:  # too slow, or the target went away: the verdict stands
        return taken
    finally:
        snapshot.deadline = own_deadline
    return taken


def columns_of(rule: Rule, facts: Facts) -> tuple[str, ...]:
    """The columns that a sample of the rule shows."""
    wanted = rule.sample_columns or (*facts.key, *rule.columns(), *rule.group_by)
    return tuple(dict.fromkeys(column for column in wanted if column in facts.columns))


def statement_of(
    rule: Rule, planned: PlannedTest, facts: Facts, most: int, cell_bytes: int
) -> str | None:
    """The query of failing rows, by the test's shape; None where that has no rows to show.

    A masked column is not read.
    """
    shape = planned.shape
    if shape is None or isinstance(shape, Aggregate):
        return None
    relation = shape.subject.relation.sql
    conditions = [*shape.subject.conditions]
    source, order = relation, [f"{relation}.{key}" for key in identifiers(facts.key)]
    if isinstance(shape, (Rows, Values)):
        conditions.append(shape.predicate)
    elif isinstance(shape, Orphans):
        conditions.append(orphan(shape))
    else:
        repeated, condition = _repeated(shape, (most + 1) // 2)
        source = f"{relation}, {repeated}" if shape.with_nulls else relation
        conditions.append(condition)
        order = [*(f"{relation}.{key}" for key in shape.keys), *order]
    cells = ", ".join(
        _cell(column, relation, rule, cell_bytes) for column in columns_of(rule, facts)
    )
    ordered = f" order by {', '.join(dict.fromkeys(order))}" if order else ""
    return f"select {cells} from {source} where {conjunction(conditions)}{ordered} limit {most}"


def _wanted(
    rule: Rule,
    place: int,
    planned: PlannedTest,
    ready: Readiness,
    facts: Facts,
    most: int,
    snapshot: Snapshot,
    settings: EngineSettings,
) -> Wanted | None:
    if planned.shape is not None and (isinstance(planned.shape, Orphans) or not ready.alone):
        statement = statement_of(rule, planned, facts, most, settings.sample_cell_bytes)
        columns = columns_of(rule, facts)
        return Wanted(place, columns, most, statement) if statement and columns else None
    return _of_own_rows(rule, place, planned, facts, most, snapshot, settings.sample_cell_bytes)


def _of_own_rows(
    rule: Rule,
    place: int,
    planned: PlannedTest,
    facts: Facts,
    most: int,
    snapshot: Snapshot,
    cell_bytes: int,
) -> Wanted | None:
    """From the rows of the test's own query, as far as its columns are those of the table.

    With masked columns only where none of them takes part in the query, and never from SQL that
    somebody wrote, in which any column can have any name.
    """
    category = rule.rule_type.category
    is_hidden = rule.mask and (category == "S" or not set(rule.mask).isdisjoint(rule.columns()))
    if category not in ("R", "G", "X", "S") or is_hidden or rule.type in _NUMBERS:
        return None
    rows = f"({planned.test.sql}\n) sx_rows"
    (shown,) = snapshot.ask([f"select * from {rows} limit 0"])
    if shown.failed or len(set(shown.columns)) != len(shown.columns):
        return None
    wanted = [column for column in shown.columns if column in facts.columns or category == "S"]
    if category == "G":  # what such a query works out may have the name of any column
        wanted = [column for column in wanted if column in rule.columns()]
    if rule.sample_columns:
        wanted = [column for column in wanted if column in rule.sample_columns]
    if not wanted:
        return None
    cells = ", ".join(_cell(column, "sx_rows", rule, cell_bytes) for column in wanted)
    return Wanted(place, tuple(wanted), most, f"select {cells} from {rows} limit {most}")


_NUMBERS = ("metric_sql",)


def _repeated(shape: Duplicates, most: int) -> tuple[str, str]:
    """Some keys that stand more than once, and the condition that a row has one of them."""
    relation, keys = shape.subject.relation.sql, ", ".join(shape.keys)
    conditions = [*shape.subject.conditions]
    if not shape.with_nulls:
        conditions.append(f"{shape.keys[0]} is not null")
    where = f" where {conjunction(conditions)}" if conditions else ""
    found = (
        f"select {keys} from {relation}{where} group by {keys} having count(*) > 1"
        f" order by {keys} limit {most}"
    )
    if not shape.with_nulls:
        return "", f"{relation}.{shape.keys[0]} in ({found})"
    names = [f"sx_q{place}" for place in range(len(shape.keys))]
    same = " and ".join(
        f"{relation}.{key} is not distinct from sx_repeated.{name}"
        for key, name in zip(shape.keys, names, strict=True)
    )
    return f"({found}) sx_repeated ({', '.join(names)})", same


def _cell(column: str, source: str, rule: Rule, cell_bytes: int) -> str:
    name = sql.Identifier(column).as_string(None)
    if column in rule.mask:
        return f"'{MASKED}' as {name}"
    return f"left({source}.{name}::text, {cell_bytes + 1}) as {name}"


def _limit(rule: Rule, finding: Finding, settings: EngineSettings) -> int:
    """Never more than what fails, and than what was tested."""
    limit = settings.sample_limit if rule.sample_limit is None else rule.sample_limit
    known = [limit, finding.failures if finding.failing_rows is None else finding.failing_rows]
    if not finding.rows_estimated:
        known.append(finding.rows_tested)
    return min(number for number in known if number is not None)


def _taken(
    wanted: Wanted, finding: Finding, answer: Answer, cell_bytes: int, left: int
) -> Sample | None:
    if answer.failed:
        return None
    rows: list[tuple[str | None, ...]] = []
    failing = finding.failures if finding.failing_rows is None else finding.failing_rows
    is_capped = len(answer.rows) < (failing or 0)
    for row in answer.rows:
        cells = tuple(_cut(cell, cell_bytes) for cell in row)
        left -= sum(len(cell.encode()) for cell in cells if cell is not None)
        if left < 0:
            is_capped = True
            break
        is_capped = is_capped or cells != row
        rows.append(cells)
    return Sample(
        columns=wanted.columns, rows=tuple(rows), sql=wanted.statement, is_capped=is_capped
    )


def _cut(cell: str | None, cell_bytes: int) -> str | None:
    """At most so many bytes of UTF-8, the mark of the cut among them."""
    if cell is None or len(cell.encode()) <= cell_bytes:
        return cell
    kept = cell.encode()[: cell_bytes - len(_CUT.encode())]
    return kept.decode("utf-8", "ignore") + _CUT


def _size(sample: Sample) -> int:
    return sum(len(cell.encode()) for row in sample.rows for cell in row if cell is not None)
