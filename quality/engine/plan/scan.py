"""One scan of a relation for many tests: an aggregate query, built from their shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from quality.engine.plan.duplicates import Known, remembered, surplus
from quality.engine.plan.lexing import render
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.shapes import Aggregate, Duplicates, Rows, Subject, Values

MAX_EXPRESSIONS = 400
"""Of one query; PostgreSQL takes 1,664 and needs more time for each."""

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A test in a scan, by its place in the check.

    `counted`: only the rows that it is about are counted, it is judged elsewhere. `exactly`: dbt's
    count is wanted, not only whether there is anything to count. `looked`: one count for all such
    tests says whether any of them has failing rows, which takes less time than a count for each.
    `known` are the keys that stood more than once the last times.
    """

    place: int
    planned: PlannedTest
    counted: bool = False
    exactly: bool = False
    looked: bool = False
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Where in a scan's row a test finds its numbers.

    `rows`: failing rows, or a surplus that is zero where there is none. `exact`: dbt's count, where
    that is another. `tested`: how many rows or values. `measures`: by name. `condition`: whether an
    aggregate's condition holds. `known`: what `remembered` asks of known duplicates.
    """

    place: int
    rows: int | None = None
    exact: int | None = None
    tested: int | None = None
    measures: tuple[tuple[str, int], ...] = ()
    condition: int | None = None
    known: tuple[int, ...] = ()

    @property
    def judges(self) -> bool:
        """Whether the test is judged by this scan, not only its rows counted."""
        return self.rows is not None or self.condition is not None


@dataclass(frozen=True, slots=True)
class Scan:
    """A query with one row, and what stands in it for which test.

    `look` is the column of the rows that fail some test of those that are looked at together; their
    own rows are in that column too, which says how many only where it says none.
    """

    statement: str
    counted: tuple[Counted, ...]
    look: int | None = None


@dataclass(slots=True)
class _Columns:
    """The expressions of a scan, each once."""

    common: tuple[str, ...]
    expressions: dict[str, int] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)

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


def scans(entries: Sequence[Entry]) -> Iterator[Scan]:
    """Scans for tests of one relation.

    Looking for duplicates and counting distinct values keeps the database from reading in parallel.
    """
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        shape = entry.planned.shape
        more = 2 + (2 * len(shape.measures) if isinstance(shape, Aggregate) else 1)
        if chunk and size + more > MAX_EXPRESSIONS:
            yield _scan(chunk)
            chunk, size = [], 0
        chunk.append(entry)
        size += more
    if chunk:
        yield _scan(chunk)


def exact_values(tests: Sequence[PlannedTest]) -> str:
    """A query with two numbers for each test, whose shapes are Values: failing rows, and values.

    It reads only rows that fail some test.
    """
    shapes = [planned.shape for planned in tests if isinstance(planned.shape, Values)]
    failing = [conjunction([*shape.subject.conditions, shape.predicate]) for shape in shapes]
    counts = [
        f"count(*) filter (where {fails}), {distinct_failing(shape, shape.subject.conditions)}"
        for shape, fails in zip(shapes, failing, strict=True)
    ]
    any_fails = " or ".join(failing)
    return f"select {', '.join(counts)} from {shapes[0].subject.relation.sql} where {any_fails}"


def distinct_failing(shape: Values, conditions: Sequence[str]) -> str:
    """The number of distinct failing values. NULL is one of them here, as it is for GROUP BY."""
    fails = conjunction([*conditions, shape.predicate])
    return (
        f"count(distinct {shape.key}) filter (where {fails})"
        f" + (count(*) filter (where {shape.key} is null and {fails}) > 0)::int"
    )


def spread(entries: Sequence[Entry], queries: int) -> list[list[Entry]]:
    """The tests in at most so many parts, or two, to be asked at the same time.

    Sorting for duplicates takes longer than anything else and keeps the database from reading in
    parallel, so these are apart from the other tests, several in each of their parts.
    """
    together = [entry for entry in entries if not _sorts(entry)]
    duplicates = [entry for entry in entries if _sorts(entry)]
    width = max(1, queries - bool(together))
    parts = [together, *(duplicates[start::width] for start in range(width))]
    return [part for part in parts if part]


def _sorts(entry: Entry) -> bool:
    return isinstance(entry.planned.shape, Duplicates) and not entry.counted


def _subject(entry: Entry) -> Subject:
    shape = None if entry.counted else entry.planned.shape
    subject = shape.subject if shape is not None else entry.planned.subject
    assert subject is not None  # noqa: S101 without one it is in no scan
    return subject


def _scan(entries: Sequence[Entry]) -> Scan:
    known = [_subject(entry) for entry in entries]
    common = tuple(
        condition
        for condition in known[0].conditions
        if all(condition in subject.conditions for subject in known)
    )
    columns = _Columns(common)
    counted = [_counted(entry, columns) for entry in entries]
    look = columns.add(_any_of(columns.looks)) if columns.looks else None
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
            _completed(found, entry, width, look)
            for found, entry in zip(counted, entries, strict=True)
        ),
        look,
    )


def _any_of(conditions: Sequence[str]) -> str:
    return f"count(*) filter (where {' or '.join(conditions)})"


def _completed(found: Counted, entry: Entry, width: int, look: int | None) -> Counted:
    """With the places that are known only when all expressions are."""
    if entry.looked:
        return replace(found, rows=look)
    return found if found.condition is None else replace(found, condition=width + found.condition)


def _counted(entry: Entry, columns: _Columns) -> Counted:
    place, planned = entry.place, entry.planned
    shape = None if entry.counted else planned.shape
    subject = _subject(entry)
    tested = columns.filtered(
        "count(*)" if planned.tested is None else f"count({planned.tested})",
        planned.subject or subject,
    )
    if isinstance(shape, (Rows, Values)) and entry.looked:
        columns.looks.append(f"({conjunction([*columns.residue(subject), shape.predicate])})")
        return Counted(place, tested=tested)
    if isinstance(shape, (Rows, Values)):
        rows = columns.filtered("count(*)", subject, shape.predicate)
        exact = None
        if isinstance(shape, Values) and entry.exactly:
            exact = columns.add(distinct_failing(shape, columns.residue(subject)))
        return Counted(place, rows, exact, tested)
    if isinstance(shape, Duplicates):
        conditions = conjunction(columns.residue(subject))
        over = columns.add(surplus(shape, conditions))
        if entry.known is None:
            return Counted(place, over, tested=tested)
        asked = tuple(map(columns.add, remembered(shape, entry.known, conditions)))
        return Counted(place, over, tested=tested, known=asked)
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
