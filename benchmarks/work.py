"""What every contender is asked to do, and what it found. Standard library only.

A contender may run in an environment that has nothing of the product, so this module must not
import any of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["not_null", "accepted_values", "unique"]
Status = Literal["pass", "fail", "error"]


@dataclass(frozen=True)
class Check:
    """One check of one column; `values` for accepted_values only. NULL fails not_null alone."""

    name: str
    kind: Kind
    column: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """The checks of one table that make one run."""

    schema: str
    table: str
    checks: tuple[Check, ...]

    @property
    def name(self) -> str:
        """What it is called in a conversation with a contender; also fit for a folder."""
        return f"{self.table}_{len(self.checks)}"

    def document(self) -> dict[str, Any]:
        """As JSON carries it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Work:
        """Back from `document()`."""
        checks = tuple(
            Check(c["name"], c["kind"], c["column"], tuple(c["values"])) for c in document["checks"]
        )
        return cls(document["schema"], document["table"], checks)


@dataclass(frozen=True)
class Finding:
    """What a contender says of one check.

    Tools count differently, so each count has its own name and is None where a tool does not give
    it: `failures` is dbt's count (rows for not_null, distinct values for the others),
    `failing_rows` the rows that hold them, `surplus_rows` for unique the rows beyond the first of
    each value.
    """

    check: str
    status: Status
    failures: int | None = None
    failing_rows: int | None = None
    surplus_rows: int | None = None
    message: str | None = None


@dataclass(frozen=True)
class Target:
    """The database that holds the tables, reached by a role that may only read."""

    host: str
    port: int
    user: str
    password: str
    database: str
