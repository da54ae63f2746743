"""What a rule must find on four tables of `tables/rules.sql`: clean, dirty, nulls and empty; or on
one that is there for a few rules alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Expected = tuple[str, int | None, int | None]
"""Status, failing count, rows tested."""


@dataclass(frozen=True, slots=True)
class TypeCase:
    """A rule with what it finds on each table. `plain`: also run by dbt alone, with its arguments
    by name, as somebody without StringX writes them; a rule whose arguments would have to be
    quoted there is not."""

    type: str
    column: str | None
    arguments: dict[str, Any]
    clean: Expected
    dirty: Expected
    nulls: Expected
    empty: Expected
    plain: bool = True

    @property
    def rule(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": self.type, "arguments": self.arguments}
        return found if self.column is None else {**found, "column": self.column}

    def expected(self, table: str) -> Expected:
        found: Expected = getattr(self, table, self.clean)
        return found


def case(
    kind: str,
    column: str | None,
    arguments: dict[str, Any],
    clean: Expected,
    dirty: Expected,
    nulls: Expected,
    empty: Expected,
    *,
    plain: bool = True,
) -> TypeCase:
    return TypeCase(kind, column, arguments, clean, dirty, nulls, empty, plain)


def alone(
    table: str, kind: str, column: str | None, arguments: dict[str, Any], found: Expected
) -> tuple[str, TypeCase]:
    """A table of its own, and what must be found there."""
    return table, TypeCase(kind, column, arguments, found, found, found, found)


def good(tested: int | None) -> Expected:
    return ("pass", 0, tested)


def bad(failures: int, tested: int | None) -> Expected:
    return ("fail", failures, tested)
