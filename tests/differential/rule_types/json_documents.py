"""Cases of the dimension validity: JSON documents."""

from __future__ import annotations

from typing import Any

from tests.differential.rule_types.case import TypeCase, bad, case, good


def _schema(schema: Any) -> dict[str, Any]:
    return {"json_schema": schema}


CASES: tuple[TypeCase, ...] = (
    case("json_keys", "doc", {"keys": ["a"]}, good(3), bad(4, 5), good(0), good(0)),
    case("json_keys", "doc", {"keys": ["a", "b"]}, bad(2, 3), bad(5, 5), good(0), good(0)),
    case(
        "json_keys",
        "doc",
        {"keys": ["a", "b"], "require_all": False},
        good(3),
        bad(3, 5),
        good(0),
        good(0),
    ),
    case(
        "json_keys",
        "name",
        {"keys": ["a"], "is_text": True},
        bad(3, 3),
        bad(5, 5),
        good(0),
        good(0),
    ),
    case(
        "json_schema",
        "doc",
        _schema({"type": "object", "required": ["a"]}),
        good(3),
        bad(4, 5),
        good(0),
        good(0),
    ),
    case(
        "json_schema",
        "doc",
        _schema({"properties": {"a": {"type": "integer"}}}),
        bad(2, 3),
        good(5),
        good(0),
        good(0),
    ),
    case(
        "json_schema",
        "doc",
        _schema(
            {
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": {"a": {}, "b": {"enum": [None, "x"]}},
            }
        ),
        bad(1, 3),
        bad(3, 5),
        good(0),
        good(0),
    ),
    case(
        "json_schema",
        "doc",
        _schema({"type": "array", "items": {"const": "a"}, "minItems": 1}),
        bad(3, 3),
        bad(4, 5),
        good(0),
        good(0),
    ),
    case(
        "json_schema",
        "name",
        {"json_schema": {"type": "string"}, "is_text": True},
        bad(3, 3),
        bad(5, 5),
        good(0),
        good(0),
    ),
)
