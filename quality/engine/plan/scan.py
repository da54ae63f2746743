"""One scan of a relation for many tests: an aggregate query, built from their shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from quality.engine.plan.lexing import render
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.shapes import Aggregate, Duplicates, Rows, Subject, Values

MAX_EXPRESSIONS = 400
"""Of one query; PostgreSQL takes 1,664 and needs more time for each."""

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """Where in a scan's row a test finds its numbers.

    `rows`: failing rows, or a surplus that is zero where there is none. `exact`: dbt's count, where
    that is another. `tested`: how many rows or values. `measures`: by name. `condition`: whether an
    aggregate's condition holds.
    """

    place: int
    rows: int | None = None
    exact: int | None = None
    tested: int | None = None
    measures: tuple[tuple[str, int], ...] = ()
    condition: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """A query with one row, and what stands in it for which test."""

    statement: str
    counted: tuple[Counted, ...]


@dataclass(slots=True)
class _Columns:
    """The expressions of a scan, each once."""

    common: tuple[str, ...]
    expressions: dict[str, int] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)

    def add(self, expression: str) -> int:
        return self.expressions.setdefault(expression, len(self.expressions))

    def residue(self, subject: Subject) -> list[str]:
        """The subject's conditions, but those of the scan as a whole."""
        return [text for text in subject.conditions if text not in self.common]

    def filtered(self, call: str, subject: Subject, *more: str) -> int:
        """An aggregate over the subject's rows for which `more` holds as well."""
        conditions = conjunction([*self.residue(subject), *more])
        return self.add(f"{call} filter (where {conditions})" if conditions else call)


def conjunction(conditions: Sequence[str]) -> str:
    """All of them, each in parentheses; empty for none."""
    return " and ".join(f"({condition})" for condition in conditions)


def scans(tests: Sequence[tuple[int, PlannedTest]], *, with_sorting: bool) -> Iterator[Scan]:
    """Scans for the tests of one relation, each with its place in the check.

    A test without a shape that is counted here has only its tested rows counted. `with_sorting`
    also looks for duplicates and counts distinct values, which keeps the database from reading in
    parallel.
    """
    chunk: list[tuple[int, PlannedTest]] = []
    size = 0
    for place, planned in tests:
        shape = planned.shape
        more = 2 + (2 * len(shape.measures) if isinstance(shape, Aggregate) else 1)
        if chunk and size + more > MAX_EXPRESSIONS:
            yield _scan(chunk, with_sorting)
            chunk, size = [], 0
        chunk.append((place, planned))
        size += more
    if chunk:
        yield _scan(chunk, with_sorting)


def exact_values(tests: Sequence[PlannedTest]) -> str:
    """A query with two numbers for each test, whose shapes are Values: failing rows, and values.

    It reads only rows that fail some test.
    """
    shapes = [planned.shape for planned in tests if isinstance(planned.shape, Values)]
    failing = [conjunction([*shape.subject.conditions, shape.predicate]) for shape in shapes]
    counts = [
        f"count(*) filter (where {fails}), {_distinct(shape, shape.subject.conditions)}"
        for shape, fails in zip(shapes, failing, strict=True)
    ]
    any_fails = " or ".join(failing)
    return f"select {', '.join(counts)} from {shapes[0].subject.relation.sql} where {any_fails}"


def _distinct(shape: Values, conditions: Sequence[str]) -> str:
    """The number of distinct failing values. NULL is one of them here, as it is for GROUP BY."""
    fails = conjunction([*conditions, shape.predicate])
    return (
        f"count(distinct {shape.key}) filter (where {fails})"
        f" + (count(*) filter (where {shape.key} is null and {fails}) > 0)::int"
    )


def exact_duplicates(shape: Duplicates, *, mostly_unique: bool = False) -> str:
    """A query with the number of keys that stand more than once, and of their rows.

    `mostly_unique`: sorting is better than hashing, which would keep an entry for nearly each row.
    """
    keys = ", ".join(shape.keys)
    conditions = [*shape.subject.conditions]
    if not shape.with_nulls:
        conditions.append(f"{shape.keys[0]} is not null")
    where = f" where {conjunction(conditions)}" if conditions else ""
    source = f"{shape.subject.relation.sql}{where}"
    if mostly_unique:
        source = f"(select {keys} from {source} order by {keys}) sorted"
    return (
        "select count(*), coalesce(sum(n), 0)::bigint from (select count(*) as n "
        f"from {source} group by {keys} having count(*) > 1) duplicates"
    )


def holds_duplicates(tests: Sequence[tuple[int, PlannedTest]]) -> bool:
    """Whether some test looks for duplicates."""
    return any(isinstance(planned.shape, Duplicates) for _, planned in tests)


def spread(
    tests: Sequence[tuple[int, PlannedTest]], queries: int
) -> list[list[tuple[int, PlannedTest]]]:
    """The tests in at most so many parts, or two, to be asked at the same time.

    Sorting for duplicates takes longer than anything else and keeps the database from reading in
    parallel, so these are apart from the other tests, several in each of their parts.
    """
    together = [entry for entry in tests if not isinstance(entry[1].shape, Duplicates)]
    duplicates = [entry for entry in tests if isinstance(entry[1].shape, Duplicates)]
    width = max(1, queries - bool(together))
    parts = [together, *(duplicates[start::width] for start in range(width))]
    return [part for part in parts if part]


def _scan(tests: Sequence[tuple[int, PlannedTest]], with_sorting: bool) -> Scan:
    subjects = [
        planned.shape.subject if planned.shape is not None else planned.subject
        for _, planned in tests
    ]
    known = [subject for subject in subjects if subject is not None]
    common = tuple(
        condition
        for condition in known[0].conditions
        if all(condition in subject.conditions for subject in known)
    )
    columns = _Columns(common)
    counted = [_counted(place, planned, columns, with_sorting) for place, planned in tests]
    where = [conjunction(common)] if common else []
    residues = {
        conjunction([text for text in subject.conditions if text not in common])
        for subject in known
    }
    if "" not in residues:  # no test looks at all the rows
        where.append("(" + " or ".join(sorted(residues)) + ")")
    statement = f"select {', '.join(columns.expressions)} from {known[0].relation.sql}"
    if where:
        statement += f" where {' and '.join(where)}"
    if columns.conditions:
        names = ", ".join(f"a{place}" for place in range(len(columns.expressions)))
        statement = (
            f"select {', '.join(['scan.*', *columns.conditions])} from ({statement}) scan ({names})"
        )
    width = len(columns.expressions)
    return Scan(
        statement,
        tuple(
            found if found.condition is None else replace(found, condition=width + found.condition)
            for found in counted
        ),
    )


def _counted(place: int, planned: PlannedTest, columns: _Columns, with_sorting: bool) -> Counted:
    shape = planned.shape
    subject = shape.subject if shape is not None else planned.subject
    assert subject is not None  # noqa: S101 without one it is in no scan
    tested = columns.filtered(
        "count(*)" if planned.tested is None else f"count({planned.tested})",
        planned.subject or subject,
    )
    if isinstance(shape, (Rows, Values)):
        rows = columns.filtered("count(*)", subject, shape.predicate)
        exact = None
        if isinstance(shape, Values) and with_sorting:
            exact = columns.add(_distinct(shape, columns.residue(subject)))
        return Counted(place, rows, exact, tested)
    if isinstance(shape, Duplicates) and with_sorting and len(shape.keys) == 1:
        (key,) = shape.keys
        residue = conjunction(columns.residue(subject))
        only = f" filter (where {residue})" if residue else ""
        if shape.with_nulls:
            # The number of NULLs beyond the first is surplus as well.
            nulls = f"greatest(count(*){only} - count({key}){only} - 1, 0)"
            surplus = f"count({key}){only} - count(distinct {key}){only} + {nulls}"
        else:
            surplus = f"count({key}){only} - count(distinct {key}){only}"
        return Counted(place, columns.add(surplus), tested=tested)
    if isinstance(shape, Aggregate):
        measures = {name: columns.filtered(call, subject) for name, call in shape.measures}
        names = {name: f"a{number}" for name, number in measures.items()}
        columns.conditions.append(f"({render(shape.condition, names)})")
        return Counted(
            place,
            tested=tested,
            measures=tuple(measures.items()),
            condition=len(columns.conditions) - 1,
        )
    return Counted(place, tested=tested)
