"""SQL of the Open Data Contract Standard that returns one number, as rules of type `metric_sql`."""

from __future__ import annotations

import re
from typing import Any

from quality.catalogue import RULE_TYPES
from quality.errors import InvalidInput
from quality.exchange.odcs_metrics import Broken, broken_if
from quality.exchange.sql_predicates import identifier

_OBJECT = re.compile(r"\$?\{(?:object|table|model)\}")
_PROPERTY = re.compile(r"\$?\{(?:property|column|field)\}")
_TYPE = "metric_sql"


def rules_of(entry: dict[str, Any], column: str | None) -> list[dict[str, Any]]:
    """The rules, without names, that a SQL entry stands for.

    `{object}` becomes `checked`, the rows that a check looks at. Raises InvalidInput with the
    reason where there is no equal.
    """
    if _TYPE not in RULE_TYPES:
        raise InvalidInput("there is no rule type for SQL")
    query = entry.get("query")
    if not isinstance(query, str) or not query.strip():
        raise InvalidInput("has no query")
    if entry.get("unit") == "percent":
        raise InvalidInput("a percentage of what a query returns has no equal")
    text = _OBJECT.sub("checked", query.strip().rstrip(";").strip())
    if _PROPERTY.search(text):
        if column is None:
            raise InvalidInput("names {property}, and stands at the schema")
        named = identifier(column)
        text = _PROPERTY.sub(lambda _: named, text)
    return [
        {"type": _TYPE, "arguments": {"query": text, **_range(one)}} for one in broken_if(entry)
    ]


def _range(one: Broken) -> dict[str, Any]:
    """The range that a number must be in, or must not be in, for the contract to hold."""
    number = one.number
    found: dict[str, dict[str, Any]] = {
        "!=": {"min_value": number, "max_value": number},
        "=": {"min_value": number, "max_value": number, "negate": True},
        "<=": {"min_value": number, "inclusive": False},
        "<": {"min_value": number},
        ">=": {"max_value": number, "inclusive": False},
        ">": {"max_value": number},
        "between": {
            "min_value": number,
            "max_value": one.upper,
            "inclusive": False,
            "negate": True,
        },
    }
    return found[one.comparison]
