"""Validity of JSON documents: their keys, their schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from quality.catalogue.json_schemas import checked, patterns
from quality.catalogue.types import Arguments, RuleType
from quality.names import Text

Key = Annotated[Text, Field(max_length=200)]
Schema = Annotated[Any, PlainValidator(checked), WithJsonSchema({"type": ["object", "boolean"]})]
IsText = Annotated[bool, Field(description="the column holds JSON as text; needs PostgreSQL 16")]


class JsonKeys(Arguments):
    keys: Annotated[list[Key], Field(min_length=1, max_length=100)]
    require_all: bool = True
    is_text: IsText = False


class JsonSchema(Arguments):
    json_schema: Schema
    is_text: IsText = False

    def regexes_by_path(self) -> dict[str, str]:
        return {f"json_schema.{path}": regex for path, regex in patterns(self.json_schema).items()}


TYPES = (
    RuleType(
        "json_keys",
        "validity",
        "JSON objects that have all of the keys, or any of them where require_all is false. The "
        "column is of type json or jsonb, or is_text is true and the server is PostgreSQL 16 or "
        "newer.",
        JsonKeys,
        {
            "type": "json_keys",
            "column": "payload",
            "arguments": {"keys": ["id", "sent_at"]},
        },
        tested="values",
        nulls="NULL never violates the rule; JSON's own null does, as it is no object.",
        aliases=("has_json_keys",),
    ),
    RuleType(
        "json_schema",
        "validity",
        "JSON documents that a JSON Schema (2020-12) accepts; $ref and the few other words that "
        "one row's SQL cannot decide are refused, and patterns are PostgreSQL's. The column is of "
        "type json or jsonb, or is_text is true and the server is PostgreSQL 16 or newer.",
        JsonSchema,
        {
            "type": "json_schema",
            "column": "payload",
            "arguments": {
                "json_schema": {
                    "type": "object",
                    "required": ["id"],
                    "properties": {"id": {"type": "integer", "minimum": 1}},
                }
            },
        },
        tested="values",
        nulls="NULL never violates the rule; what becomes of JSON's own null the schema says.",
        aliases=("expect_column_values_to_match_json_schema", "has_valid_json_schema"),
    ),
)
