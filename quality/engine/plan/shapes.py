"""What a test can ask, in the forms that may share one scan of a table with other tests.

The count of failing rows is then the same that dbt gets by counting the rows of its query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quality.engine.plan.lexing import Token


@dataclass(frozen=True, slots=True)
class RelationName:
    """A relation as a query names it; a part that it leaves out is None."""

    database: str | None
    schema: str | None
    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The rows that a test looks at: those of a relation for which all conditions hold."""

    relation: RelationName
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """One failing row for each row of the subject for which the predicate holds.

    `selected` must be columns: as `o.name` they could be functions of the row otherwise, even such
    that make one row of many.
    """

    subject: Subject
    predicate: str
    selected: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Values:
    """One failing row for each distinct value of the key for which the predicate holds."""

    subject: Subject
    key: str
    predicate: str


@dataclass(frozen=True, slots=True)
class Digest:
    """How to make a number of keys that is the same for equal ones.

    By a hash `function` of PostgreSQL's, of a row where the keys are several; without one the key
    is an integer itself.
    """

    function: str = ""

    @property
    def is_key(self) -> bool:
        """Whether a number is the key itself; others are sorted faster than their keys."""
        return not self.function

    def of(self, keys: Sequence[str]) -> str:
        """The number of `keys` (SQL), as SQL."""
        if not self.function:
            return f"{keys[0]}::bigint"
        value = keys[0] if len(keys) == 1 else f"row({', '.join(keys)})"
        return f"{self.function}({value}, 0)"


@dataclass(frozen=True, slots=True)
class Duplicates:
    """One failing row for each combination of keys that stands more than once.

    `with_nulls`: NULLs are values, equal to each other. `bytewise` is an expression that is equal
    where a single key is, and faster to sort.
    """

    subject: Subject
    keys: tuple[str, ...]
    with_nulls: bool
    digest: Digest | None = None
    bytewise: str | None = None

    @property
    def number(self) -> str:
        """The number of a row's keys, as SQL; only where there is a digest."""
        return "null" if self.digest is None else self.digest.of(self.keys)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One failing row where the condition holds for aggregates over the subject.

    `measures` are the aggregate calls by the names that the condition has for them.
    """

    subject: Subject
    measures: tuple[tuple[str, str], ...]
    condition: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Orphans:
    """One failing row for each row whose key is not NULL and no value of the parent's field."""

    subject: Subject
    key: str
    parent: RelationName
    field: str


Shape = Rows | Values | Duplicates | Aggregate | Orphans
