"""Queries that judge tests group by group: one row for each group, the worst of each test first.

Tests on rows and aggregates share one query; values and duplicates take one of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import sql

from quality.engine.plan.lexing import render
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import conjunction
from quality.engine.plan.shapes import Aggregate, Duplicates, Orphans, Rows, Subject, Values
from quality.rules import Rule
from quality.thresholds import limit_of


@dataclass(frozen=True, slots=True)
class Member:
    """A test to be judged by groups, at its place in the check, by the thresholds of its rule."""

    place: int
    rule: Rule
    planned: PlannedTest


@dataclass(frozen=True, slots=True)
class Places:
    """Where in a row of a grouped query a test finds its numbers.

    `present`: rows of the group that the test is about; `count`: dbt's number; `rank`: its place
    among the groups, the worst is 1; `total`: groups that it is about.
    """

    present: int
    count: int
    tested: int
    rank: int
    total: int
    rows: int | None = None
    measures: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GroupedQuery:
    """A query, and where its tests find their numbers; the group's values come first, as texts."""

    statement: str
    members: tuple[tuple[Member, Places], ...]


@dataclass(slots=True)
class _Expressions:
    """Of the inner query, named a0, a1, …; each stands there once."""

    common: tuple[str, ...]
    known: dict[str, str] = field(default_factory=dict)

    def add(self, expression: str) -> str:
        return self.known.setdefault(expression, f"a{len(self.known)}")

    def filtered(self, call: str, subject: Subject, *more: str) -> str:
        conditions = conjunction([*self.residue(subject), *more])
        return self.add(f"{call} filter (where {conditions})" if conditions else call)

    def residue(self, subject: Subject) -> list[str]:
        return [text for text in subject.conditions if text not in self.common]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The names of a test's numbers in the inner query, or SQL on such names."""

    present: str
    count: str
    tested: str
    rows: str | None = None
    measures: tuple[tuple[str, str], ...] = ()


def identifiers(columns: Sequence[str]) -> list[str]:
    """Names of columns as SQL."""
    return [sql.Identifier(column).as_string(None) for column in columns]


def shared_query(members: Sequence[Member], most: int) -> GroupedQuery:
    """For tests of one relation with the same groups, on rows or aggregates."""
    subjects = [one for member in members for one in _subjects(member.planned)]
    common = _common(subjects)
    expressions = _Expressions(common)
    numbers = [_numbers(member.planned, expressions) for member in members]
    keys = identifiers(members[0].rule.group_by)
    selected = [f"{key} as k{place}" for place, key in enumerate(keys)]
    selected += [f"{text} as {name}" for text, name in expressions.known.items()]
    where = f" where {conjunction(common)}" if common else ""
    inner = (
        f"select {', '.join(selected)} from {subjects[0].relation.sql}{where}"
        f" group by {', '.join(keys)}"
    )
    return _ranked(inner, list(zip(members, numbers, strict=True)), most)


def keyed_query(member: Member, most: int) -> GroupedQuery:
    """For a test whose shape is Values or Duplicates: its keys are counted within each group.

    Grouping twice is a matter of hashes, where counting distinct values would sort all rows.
    """
    shape = member.planned.shape
    if not isinstance(shape, (Values, Duplicates)):
        raise ValueError("not a shape with keys")
    groups = identifiers(member.rule.group_by)
    own = [shape.key] if isinstance(shape, Values) else list(shape.keys)
    selected = [f"{key} as k{place}" for place, key in enumerate(groups)]
    selected += [f"{key} as q{place}" for place, key in enumerate(own)]
    positions = ", ".join(str(place + 1) for place in range(len(selected)))
    whole, subject = _subjects(member.planned)
    expressions = _Expressions(_common([whole, subject]))
    tested = "*" if member.planned.tested is None else member.planned.tested
    present = expressions.filtered("count(*)", whole)
    counted = expressions.filtered(f"count({tested})", whole)
    if isinstance(shape, Values):
        failing = expressions.filtered("count(*)", subject, shape.predicate)
        fails = f"{failing} > 0"
    else:
        failing = expressions.filtered("count(*)", subject)
        fails = f"{failing} > 1" if shape.with_nulls else f"{failing} > 1 and q0 is not null"
    counts = [f"{text} as {name}" for text, name in expressions.known.items()]
    where = f" where {conjunction(expressions.common)}" if expressions.common else ""
    keys = (
        f"select {', '.join([*selected, *counts])}"
        f" from {subject.relation.sql}{where} group by {positions}"
    )
    names = ", ".join(f"k{place}" for place in range(len(groups)))
    inner = (
        f"select {names}, sum({present})::bigint as b0, count(*) filter (where {fails}) as b1,"
        f" coalesce(sum({failing}) filter (where {fails}), 0)::bigint as b2,"
        f" sum({counted})::bigint as b3"
        f" from ({keys}) keys group by {names}"
    )
    return _ranked(inner, [(member, _Numbers("b0", "b1", "b3", "b2"))], most)


def values_query(member: Member, most: int) -> str:
    """The largest groups of a test that is to be asked group by group: their values as texts, the
    types of these, how many rows it tests in each, and how many groups there are."""
    planned, (subject, _) = member.planned, _subjects(member.planned)
    keys = identifiers(member.rule.group_by)
    texts = ", ".join(f"{key}::text" for key in keys)
    types = ", ".join(f"pg_catalog.pg_typeof({key})" for key in keys)
    tested = "*" if planned.tested is None else planned.tested
    where = f" where {conjunction(subject.conditions)}" if subject.conditions else ""
    return (
        f"select {texts}, {types}, count({tested}), count(*) over ()"
        f" from {subject.relation.sql}{where}"
        f" group by {', '.join(keys)} order by count(*) desc, {texts} limit {most}"
    )


def conditions_of(
    columns: Sequence[str], values: Sequence[str | None], types: Sequence[str | None]
) -> tuple[str, ...]:
    """What holds for the rows of one group, in SQL, from its values as texts and their types.

    Equal values are one group, be they written as 1.0 or as 1.00.
    """
    return tuple(
        f"{name} is null" if value is None else f"{name} = {_literal(value, type_ or '')}"
        for name, value, type_ in zip(identifiers(columns), values, types, strict=True)
    )


def _literal(value: str, type_: str) -> str:
    text = sql.Literal(value).as_string(None).strip()
    # As a name these are types of one character; the text takes the column's own type by itself,
    # which a composite's does not.
    if type_.startswith(("character", "bit")):
        return text
    return f"{text}::{type_}"


def _ranked(inner: str, wanted: list[tuple[Member, _Numbers]], most: int) -> GroupedQuery:
    """The groups of the inner query that are among the worst of some test."""
    width = len(wanted[0][0].rule.group_by)
    keys = [f"k{place}" for place in range(width)]
    texts = [f"{key}::text" for key in keys]
    columns = list(texts)
    members: list[tuple[Member, Places]] = []

    def add(expression: str) -> int:
        columns.append(expression)
        return len(columns) - 1

    ranks: list[str] = []
    for number, (member, names) in enumerate(wanted):
        worst = f"({names.present} > 0) desc, {_level(member.rule, names)} desc"
        most_failing = f"{names.rows or names.count} desc"
        order = ", ".join([worst, most_failing, *(f'{text} collate "C"' for text in texts)])
        places = Places(
            present=add(names.present),
            count=add(names.count),
            tested=add(names.tested),
            rank=add(f"row_number() over (order by {order}) as n{number}"),
            total=add(f"count(*) filter (where {names.present} > 0) over ()"),
            rows=None if names.rows is None else add(names.rows),
            measures=tuple((name, add(value)) for name, value in names.measures),
        )
        ranks.append(f"n{number} <= {most}")
        members.append((member, places))
    ranked = f"select {', '.join(columns)} from ({inner}) grouped"
    aliases = [f"c{place}" for place in range(len(columns))]
    for number, (_, places) in enumerate(members):
        aliases[places.rank] = f"n{number}"
    statement = f"select * from ({ranked}) ranked ({', '.join(aliases)}) where {' or '.join(ranks)}"
    return GroupedQuery(statement, tuple(members))


def _level(rule: Rule, names: _Numbers) -> str:
    """2, 1 or 0 in SQL, as `shares.level` has it."""

    def holds(threshold: str) -> str:
        limit = limit_of(threshold)
        if not limit.is_percent:
            return f"{names.count} {limit.operator} {int(limit.number)}"
        rows = names.rows or names.count
        return f"{rows} * 100 {limit.operator} {limit.number} * greatest({names.tested}, 1)"

    fails = f"when {holds(rule.error_if)} then 2 " if rule.severity == "error" else ""
    return f"case {fails}when {holds(rule.warn_if)} then 1 else 0 end"


def _numbers(planned: PlannedTest, expressions: _Expressions) -> _Numbers:
    shape, (whole, subject) = planned.shape, _subjects(planned)
    present = expressions.filtered("count(*)", whole)
    value = "count(*)" if planned.tested is None else f"count({planned.tested})"
    tested = expressions.filtered(value, whole)
    if isinstance(shape, Aggregate):
        measures = {name: expressions.filtered(call, subject) for name, call in shape.measures}
        fails = f"coalesce(({render(shape.condition, measures)})::int, 0)"
        return _Numbers(present, fails, tested, measures=tuple(measures.items()))
    if isinstance(shape, Orphans):
        shape = Rows(shape.subject, orphan(shape))
    if isinstance(shape, Rows):
        rows = expressions.filtered("count(*)", subject, shape.predicate)
        return _Numbers(present, rows, tested, rows)
    raise ValueError("not a shape that shares a query with others")


def orphan(shape: Orphans) -> str:
    """A predicate for rows of the unaliased subject whose key is there, and not in the parent."""
    key = f"{shape.subject.relation.sql}.{shape.key}"
    return (
        f"{shape.key} is not null and not exists (select from {shape.parent.sql} sx_parent"
        f" where {key} = sx_parent.{shape.field})"
    )


def _subjects(planned: PlannedTest) -> tuple[Subject, Subject]:
    """The rows that the rule is about, and those of them among which its test looks."""
    subject = planned.shape.subject if planned.shape is not None else planned.subject
    if subject is None:
        raise ValueError("a test without a subject has no groups")
    return planned.subject or subject, subject


def _common(subjects: Sequence[Subject]) -> tuple[str, ...]:
    return tuple(
        condition
        for condition in subjects[0].conditions
        if all(condition in subject.conditions for subject in subjects)
    )
