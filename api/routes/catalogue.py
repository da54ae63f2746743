"""The catalogue of rule types, for machines; people have its page below /docs."""

from __future__ import annotations

from api import rule_views as views
from api.operations import Answer, Operations
from quality.catalogue import RULE_TYPES

operations = Operations("rule types", __name__)
add = operations.add


@add("GET", "/rule-types", answers={200: views.RuleTypeList}, is_about_tables=False)
def list_rule_types() -> Answer:
    """The catalogue of rule types with the JSON Schema of their arguments."""
    return Answer(
        {
            "items": [
                {
                    "name": entry.name,
                    "dimension": entry.dimension,
                    "category": entry.category,
                    "summary": entry.summary,
                    "takes_column": entry.takes_column,
                    "tested": entry.tested,
                    "takes_percent": entry.takes_percent,
                    "nulls": entry.nulls,
                    "empty_table": entry.empty_table,
                    "aliases": list(entry.aliases),
                    "arguments": entry.arguments.model_json_schema(),
                    "example": entry.example,
                }
                for entry in RULE_TYPES.values()
            ]
        }
    )
