"""Judges rules with `group_by`: for each group of rows, beside the total."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from quality.checks import Group, Measure
from quality.engine.plan.finding import Finding
from quality.engine.plan.grouping import (
    GroupedQuery,
    Member,
    Places,
    conditions_of,
    keyed_query,
    shared_query,
    values_query,
)
from quality.engine.plan.planning import Plan, PlannedTest
from quality.engine.plan.progress import measure
from quality.engine.plan.shapes import Aggregate, Duplicates, Orphans, Values
from quality.engine.plan.shares import is_by_share, level, rows_query
from quality.engine.target.proofs import Readiness, wrapped
from quality.engine.target.snapshot import Snapshot
from quality.engine.target.wire import Answer
from quality.rules import Rule

MAX_TEXT = 1024
_STATUS: tuple[Literal["pass", "warn", "fail"], ...] = ("pass", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Grouped:
    """What was found in the groups of a rule, or why nothing could be.

    `left_out` are not shown; of these `unseen` were not judged either.
    """

    groups: tuple[Group, ...] = ()
    left_out: int = 0
    unseen: int = 0
    error: str | None = None
    cause: str = "database"
    seconds: float = 0.0


def members_of(rules: Sequence[Rule], tests: Sequence[PlannedTest]) -> list[Member]:
    """The tests that are to be judged by groups."""
    return [Member(place, rule, tests[place]) for place, rule in enumerate(rules) if rule.group_by]


def queries_of(
    members: Sequence[Member], readiness: Sequence[Readiness], most: int
) -> tuple[list[GroupedQuery], list[Member]]:
    """The queries for the members, and those members that must be asked group by group."""
    queries: list[GroupedQuery] = []
    sharing: dict[tuple[object, ...], list[Member]] = defaultdict(list)
    others: list[Member] = []
    for member in members:
        shape = member.planned.shape
        if isinstance(shape, Orphans):
            is_known = not readiness[member.place].broken
        else:
            is_known = shape is not None and not readiness[member.place].alone
        if shape is None or not is_known:
            others.append(member)
        elif isinstance(shape, (Values, Duplicates)):
            queries.append(keyed_query(member, most))
        else:
            sharing[shape.subject.relation, member.rule.group_by].append(member)
    queries += [shared_query(sharers, most) for sharers in sharing.values()]
    return queries, others


def grouped(
    members: Sequence[Member],
    readiness: Sequence[Readiness],
    plan: Plan,
    scope: Sequence[str],
    snapshot: Snapshot,
    most: int,
) -> dict[int, Grouped]:
    """What is found in at most `most` groups of each member, by its place."""
    found: dict[int, Grouped] = {}
    queries, others = queries_of(members, readiness, most)
    for query, answer in zip(queries, snapshot.run([q.statement for q in queries]), strict=True):
        if answer.failed and len(query.members) > 1 and not answer.stops_all:
            alone = [shared_query([member], most) for member, _ in query.members]
            answers = snapshot.run([one.statement for one in alone])
            for one, own in zip(alone, answers, strict=True):
                found |= _found(one, own, most)
        else:
            found |= _found(query, answer, most)
    for member in others:
        found[member.place] = _one_by_one(member, plan, scope, snapshot, most)
    return found


def with_groups(rule: Rule, finding: Finding, known: Grouped) -> Finding:
    """The finding with its groups; its status is the worst of the total and of them."""
    if finding.status == "error":
        return finding
    if known.error is not None:
        words = f"group_by: {known.error}"
        return replace(finding, status="error", failures=None, cause=known.cause, message=words)
    seconds = finding.seconds + known.seconds
    finding = replace(finding, groups=known.groups, groups_left_out=known.left_out, seconds=seconds)
    worst = max((group for group in known.groups), key=_severity, default=None)
    if known.unseen and "fail" not in (finding.status, worst and worst.status):
        words = (
            f"group_by: {known.unseen} groups more than STRINGX_MAX_GROUPS were not looked at; "
            "raise it, or narrow the rule by `where`"
        )
        return replace(finding, status="error", failures=None, cause="engine", message=words)
    if worst is None or _severity(worst) <= _STATUS.index(finding.status):
        return finding
    count = finding.measured.get("failures", finding.failures)
    which = ", ".join(f"{name} = {value}" for name, value in worst.group.items())
    threshold = rule.error_if if worst.status == "fail" else rule.warn_if
    verb = "fail" if worst.status == "fail" else "warn"
    return replace(
        finding,
        status=_STATUS[_severity(worst)],
        failures=count if isinstance(count, int) else finding.failures,
        message=f"Got {worst.failures} in the group {which}, configured to {verb} if {threshold}",
    )


def _severity(group: Group) -> int:
    return {"fail": 2, "warn": 1}.get(group.status, 0)


def _found(query: GroupedQuery, answer: Answer, most: int) -> dict[int, Grouped]:
    if answer.failed:
        failed = Grouped(error=answer.message, cause=answer.cause, seconds=answer.seconds)
        return {member.place: failed for member, _ in query.members}
    seconds = answer.seconds / len(query.members)
    found: dict[int, Grouped] = {}
    for member, places in query.members:
        rows = [
            row
            for row in answer.rows
            if int(row[places.present] or 0) and int(row[places.rank] or 0) <= most
        ]
        rows.sort(key=lambda row, place=places.rank: int(row[place] or 0))  # type: ignore[misc]
        groups = tuple(_group(member, places, row) for row in rows)
        total = int(answer.rows[0][places.total] or 0) if answer.rows else 0
        found[member.place] = Grouped(groups, total - len(groups), seconds=seconds)
    return found


def _group(member: Member, places: Places, row: tuple[str | None, ...]) -> Group:
    count, tested = int(row[places.count] or 0), int(row[places.tested] or 0)
    rows = None if places.rows is None else int(row[places.rows] or 0)
    measured = {name: measure(row[place]) for name, place in places.measures}
    is_aggregate = isinstance(member.planned.shape, Aggregate)
    return _judged(
        member.rule, row, count, rows, tested, measured if is_aggregate else {"failures": count}
    )


def _judged(
    rule: Rule,
    values: Sequence[str | None],
    count: int,
    rows: int | None,
    tested: int,
    measured: Mapping[str, Measure],
) -> Group:
    status = _STATUS[level(rule, count, count if rows is None else rows, tested)]
    return Group(
        group={
            column: None if value is None else value[:MAX_TEXT]
            for column, value in zip(rule.group_by, values, strict=False)
        },
        status=status,
        failures=count if status != "pass" else 0,
        failing_rows=rows,
        rows_tested=tested,
        measured=dict(measured),
    )


def _one_by_one(
    member: Member, plan: Plan, scope: Sequence[str], snapshot: Snapshot, most: int
) -> Grouped:
    """A test that nobody knows the shape of, run on the rows of each group; the largest ones."""
    (listed,) = snapshot.run([values_query(member, most)])
    if listed.failed:
        return Grouped(error=listed.message, cause=listed.cause, seconds=listed.seconds)
    width = len(member.rule.group_by)
    narrowed = [
        plan.narrowed_test(
            member.place,
            [*scope, *conditions_of(member.rule.group_by, row[:width], row[width : 2 * width])],
        )
        for row in listed.rows
    ]
    statements = [wrapped(planned) for planned in narrowed]
    # dbt counts values or keys there, and a percentage is of the rows.
    if is_by_share(member.rule) and isinstance(member.planned.shape, (Values, Duplicates)):
        statements += [rows_query(planned.shape) for planned in narrowed]
    answers = snapshot.run(statements)
    seconds = sum(answer.seconds for answer in [listed, *answers])
    for answer in answers:
        if answer.failed:
            return Grouped(error=answer.message, cause=answer.cause, seconds=seconds)
    counts = [int(answer.rows[0][0] or 0) for answer in answers]
    groups: list[Group] = []
    for row, count, failing in zip_longest(
        listed.rows, counts[: len(narrowed)], counts[len(narrowed) :]
    ):
        tested = int(row[2 * width] or 0)
        judged = _judged(member.rule, row[:width], count, failing, tested, {"failures": count})
        groups.append(judged)
    groups.sort(key=lambda group: (-_severity(group), -(group.failures or 0)))
    total = int(listed.rows[0][2 * width + 1] or 0) if listed.rows else 0
    left_out = total - len(groups)
    return Grouped(tuple(groups), left_out, unseen=left_out, seconds=seconds)
