"""Profiles: what is known of a table before there are rules for it."""

from __future__ import annotations

from dataclasses import dataclass

PATTERNS = {
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "uuid": r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
    "url": r"^https?://[^\s]+$",
    "digits": r"^[0-9]+$",
    "capitals": r"^[A-Z]+$",
}
"""Shapes of text that are looked for, as PostgreSQL's regular expressions."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column: its type as the database spells it, what the catalogue proves, what was seen.

    `kind` is what can be done with its values: `text`, `integer`, `number`, `date`, `timestamp`,
    `boolean`, `uuid` or `other`. `seen` are the values that are not NULL among the rows looked at,
    `distinct` how many different ones; `low` and `high` are texts; `values` are all of them, where
    these are few; `patterns` are how many match each of `PATTERNS`. `lengths` are the shortest and
    the longest text, `blanks` how many have nothing but blanks.
    """

    name: str
    type: str
    kind: str = "other"
    is_not_null: bool = False
    seen: int = 0
    distinct: int = 0
    low: str | None = None
    high: str | None = None
    lengths: tuple[int, int] | None = None
    blanks: int = 0
    values: tuple[str, ...] = ()
    patterns: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of one column."""

    column: str
    to: str
    field: str


@dataclass(frozen=True, slots=True)
class TableProfile:
    """A table: its columns in their order, its keys, and how much of it was looked at.

    `rows` is the number of rows, exact only where `is_whole`: then all of them were `looked_at`.
    `unique_keys` are proved by indexes; `checks` are the table's CHECK constraints as SQL.
    `estimated_distinct` is what the database's statistics say of values in all rows, where they may
    be read: a number of values, or a negative share of the rows.
    """

    table: str
    rows: int
    looked_at: int
    is_whole: bool
    columns: tuple[ColumnProfile, ...] = ()
    key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()
    checks: tuple[str, ...] = ()
    estimated_distinct: dict[str, float] | None = None
