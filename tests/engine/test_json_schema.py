"""JSON Schema as SQL: what it accepts is what the reference implementation accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from quality.documents import strictly
from quality.engine.planned import PlannedEngine
from quality.rules import Rule
from tests.engine.conftest import Target, rule_set, said

DOCUMENTS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 1.0, -2, 2.5, 1e30, 7, "", "a", "ab", "naïve 😀", "a'b\\c"),
    *([], [1], [1, 1.0], [1, 2], ["a", "b"], [[1], [1]], [None], [{"a": 1}, {"a": 2}]),
    *({}, {"a": None}, {"a": 1}, {"a": 1.5, "b": "x"}, {"a": "1"}, {"b": []}, {"c": {"d": {}}}),
    *({"a": {"b": {"c": 3}}}, {"a": {"b": {"c": "3"}}}, {"a'b": 1, 'q"': 2}, {"list": [1, "x"]}),
)
SCHEMAS: tuple[Any, ...] = (
    *(True, False, {}, {"title": "any", "format": "date"}),
    *({"type": name} for name in ("null", "boolean", "object", "array", "number", "string")),
    *({"type": "integer"}, {"type": ["string", "null"]}, {"type": ["integer", "array"]}),
    *({"enum": [None, 1, "a", [1], {"a": 1}]}, {"const": None}, {"const": "a'b\\c"}),
    *({"minimum": 1}, {"maximum": 2.5}, {"exclusiveMinimum": 1, "exclusiveMaximum": 7}),
    *({"multipleOf": 0.5}, {"multipleOf": 7}, {"minLength": 1, "maxLength": 2}),
    *({"pattern": "^a"}, {"pattern": "[0-9'\\\\]"}, {"minItems": 2}, {"maxItems": 1}),
    *({"uniqueItems": True}, {"items": {"type": "integer"}}, {"contains": {"const": 1}}),
    *({"items": {"properties": {"a": {"maximum": 1}}}}, {"items": {"items": {"minimum": 2}}}),
    *({"required": ["a"]}, {"required": ["a'b", 'q"']}, {"properties": {"a": {"type": "number"}}}),
    *({"properties": {"a": False}}, {"additionalProperties": False}, {"minProperties": 2}),
    *({"maxProperties": 0}, {"additionalProperties": {"type": "integer"}}),
    {"properties": {"a": {}, "b": {}}, "additionalProperties": False},
    {"properties": {"a": {"properties": {"b": {"properties": {"c": {"type": "integer"}}}}}}},
    {
        "properties": {
            "list": {"items": {"type": ["integer", "string"]}, "contains": {"const": "x"}}
        }
    },
    {"allOf": [{"type": "object"}, {"required": ["a"]}]},
    {"anyOf": [{"type": "string"}, {"minimum": 2}]},
    {"oneOf": [{"type": "number"}, {"minimum": 2}, {"required": ["b"]}]},
    {"not": {"type": "object"}},
    {"not": {"not": {"anyOf": [{"const": 1}, {"items": {"not": {"const": 1}}}]}}},
)


@pytest.fixture(scope="module", autouse=True)
def documents(target: Target) -> None:
    target.execute(
        "create table engine.documents (id integer primary key, doc jsonb, plain json, t text)"
    )
    for place, document in enumerate((*DOCUMENTS, "no JSON")):
        text = json.dumps(document) if place < len(DOCUMENTS) else None
        quoted = "null" if text is None else "$json$" + text + "$json$"
        target.execute(
            f"insert into engine.documents values ({place}, {quoted}, {quoted}, "
            f"{quoted if text else '$json${no JSON$json$'})"
        )


@pytest.mark.parametrize(
    ("column", "is_text", "invalid"), [("doc", False, 0), ("plain", False, 0), ("t", True, 1)]
)
def test_what_is_refused_is_what_the_reference_refuses(
    engine: PlannedEngine, column: str, is_text: bool, invalid: int
) -> None:
    rules = [
        {
            "name": f"s{place}",
            "type": "json_schema",
            "column": column,
            "arguments": {"json_schema": schema, "is_text": is_text},
        }
        for place, schema in enumerate(SCHEMAS)
    ]
    outcome = engine.run(rule_set("engine.documents", *rules), time_limit_s=120)
    for schema, (status, failures, _) in zip(SCHEMAS, said(outcome), strict=True):
        validator = Draft202012Validator(schema)
        refused = sum(not validator.is_valid(document) for document in DOCUMENTS) + invalid
        assert (status, failures) == ("fail" if refused else "pass", refused), schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/$defs/x"}, "'\\$ref' is not supported"),
        ({"items": {"properties": {"a": {"if": {}}}}}, "at items.properties.a: 'if' is not"),
        ({"type": "date"}, "type must be one of null"),
        ({"minimum": "1"}, "minimum must be a number"),
        ({"multipleOf": 0}, "multipleOf must be a number above 0"),
        ({"properties": {"a": 1}}, "at properties.a: a schema is an object, true or false"),
        ({"anyOf": []}, "anyOf must be a list"),
        ({"const": "\x00"}, "NUL"),
        ("object", "a schema is an object, true or false"),
    ],
)
def test_what_could_not_be_checked_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        strictly(
            Rule, {"type": "json_schema", "column": "doc", "arguments": {"json_schema": schema}}
        )


def test_schemas_are_bounded() -> None:
    deep: Any = {}
    for _ in range(9):
        deep = {"items": deep}
    wide = {"anyOf": [{}] * 201}
    for schema, words in ((deep, "nested more than 8 deep"), (wide, "more than 200 schemas")):
        with pytest.raises(ValidationError, match=words):
            strictly(
                Rule, {"type": "json_schema", "column": "d", "arguments": {"json_schema": schema}}
            )
