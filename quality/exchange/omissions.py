"""What could not be carried over, and what could."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quality.exchange.table_rules import TableRules


@dataclass(frozen=True, slots=True)
class Omission:
    """`what` (a rule, a test, a quality entry) at `place` was left out, or a part of it was.

    `field` names that part; without one nothing of `what` was carried over.
    """

    place: str
    what: str
    reason: str
    field: str = ""

    def __str__(self) -> str:
        part = f", {self.field}" if self.field else ""
        return f"{self.place}: {self.what}{part}: {self.reason}"

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {
            "place": self.place,
            "what": self.what,
            "field": self.field,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Imported:
    """Rules read from another tool's file, and what was left out of it."""

    tables: Sequence[TableRules]
    omissions: Sequence[Omission]
