"""Consistency: one place says what another one says."""

from __future__ import annotations

from quality.catalogue.types import Arguments, OtherTable, RuleType
from quality.names import Identifier, TableText


class Relationship(Arguments):
    to: TableText
    field: Identifier

    def tables_by_path(self) -> dict[str, OtherTable]:
        return {"to": OtherTable(self.to, {"field": self.field})}


TYPES = (
    RuleType(
        "relationships",
        "consistency",
        "Each value of the column stands in the field of the other table. Counts rows.",
        Relationship,
        {
            "type": "relationships",
            "column": "dest",
            "arguments": {"to": "flights.airports", "field": "faa"},
        },
        tested="values",
        category="X",
        aliases=("foreign_key", "ReferentialIntegrity", "valid_reference_data"),
    ),
)
