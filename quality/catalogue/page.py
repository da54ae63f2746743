"""The page that says what each rule type is, made from the catalogue and so never behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from quality.catalogue import RULE_TYPES
from quality.catalogue.types import RuleType

_DIMENSIONS = {
    "completeness": "What should be there is there.",
    "uniqueness": "Nothing is there twice.",
    "validity": "A value is one of those that it may be.",
    "consistency": "One place says what another one says.",
    "accuracy": "Values fit each other, and what is known of the world.",
    "timeliness": "Data is there when it is needed.",
}
_CATEGORIES = {
    "R": "row by row, in the one scan that the rules of a check share",
    "A": "by aggregates, in the one scan that the rules of a check share",
    "G": "by groups, sorting or windows, in a query of its own",
    "X": "against a second table, in a query of its own",
    "M": "by the database's own catalogue; no row is read",
    "S": "by the SQL that the rule brings",
    "H": "by what earlier checks have measured",
}
_TESTED = {
    "rows": "all rows",
    "values": "the column's values that are not NULL",
    "none": "none",
}
_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h2 { margin-top: 3rem; border-bottom: 1px solid #c8ccd1; }
h3 { margin-bottom: .2rem; }
nav a { margin-right: .7rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f3f4f6; border-radius: 3px; }
code { padding: 0 .2rem; }
pre { padding: .6rem; overflow-x: auto; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0; }
dt { float: left; clear: left; width: 9rem; color: #57606a; }
dd { margin-left: 9.5rem; }
"""


_INTRODUCTION = (
    "<p>{} types. Every rule also takes <code>where</code>, <code>severity</code>, "
    "<code>warn_if</code>, <code>error_if</code> and the other fields of a rule; what a type takes "
    "beside them stands below it.</p>\n"
)


def page() -> str:
    """A page of HTML, without scripts and without anything from elsewhere."""
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Rule types</title><style>{_STYLE}</style></head><body>\n",
            "<h1>Rule types</h1>\n",
            _INTRODUCTION.format(len(RULE_TYPES)),
            *_contents(),
            *(part for dimension in _DIMENSIONS for part in _chapter(dimension)),
            "</body></html>\n",
        ]
    )


def _of(dimension: str) -> list[RuleType]:
    return [entry for entry in RULE_TYPES.values() if entry.dimension == dimension]


def _contents() -> Iterator[str]:
    for dimension in _DIMENSIONS:
        links = " ".join(f'<a href="#{name}">{name}</a>' for name in map(_name, _of(dimension)))
        yield f"<nav><strong>{dimension.capitalize()}</strong><br>{links}</nav>\n"


def _chapter(dimension: str) -> Iterator[str]:
    yield f'<h2 id="{dimension}">{dimension.capitalize()}</h2>\n<p>{_DIMENSIONS[dimension]}</p>\n'
    for entry in _of(dimension):
        yield from _entry(entry)


def _name(entry: RuleType) -> str:
    return escape(entry.name)


def _entry(entry: RuleType) -> Iterator[str]:
    yield f'<section id="{_name(entry)}"><h3><code>{_name(entry)}</code></h3>\n'
    yield f"<p>{escape(entry.summary)}</p>\n"
    facts = {
        "Judged": _CATEGORIES[entry.category],
        "Column": "required" if entry.takes_column else "none",
        "Rows tested": _TESTED[entry.tested],
        "Thresholds": "" if entry.takes_percent else "whole numbers, no percentages",
        "NULL": entry.nulls,
        "Empty table": entry.empty_table,
        "Known as": ", ".join(entry.aliases),
    }
    rows = "".join(
        f"<dt>{name}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items() if fact
    )
    yield f"<dl>{rows}</dl>\n"
    yield from _arguments(entry.arguments.model_json_schema())
    example = json.dumps(entry.example, indent=2, ensure_ascii=False)
    yield f"<pre>{escape(example)}</pre></section>\n"


def _arguments(schema: dict[str, Any]) -> Iterator[str]:
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    if not properties:
        return
    yield "<table><tr><th>Argument</th><th>Takes</th><th>Without it</th></tr>\n"
    for name, said in properties.items():
        takes = _takes(said, schema.get("$defs", {}))
        described = f"{takes}; {said['description']}" if said.get("description") else takes
        default = "(required)" if name in schema.get("required", ()) else _default(said)
        yield (
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(described)}</td>"
            f"<td>{escape(default)}</td></tr>\n"
        )
    yield "</table>\n"


def _default(said: dict[str, Any]) -> str:
    default = said.get("default")
    return "nothing" if default in (None, [], "") else json.dumps(default, ensure_ascii=False)


def _takes(said: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What an argument may be, in words."""
    if "$ref" in said:
        said = definitions[said["$ref"].rsplit("/", 1)[1]]
    alternatives = [one for one in said.get("anyOf", ()) if one.get("type") != "null"]
    if alternatives:
        return " or ".join(_takes(one, definitions) for one in alternatives)
    if "enum" in said:
        return "one of " + ", ".join(str(value) for value in said["enum"])
    if "const" in said:
        return str(said["const"])
    kinds = said.get("type", "any value")
    if kinds == "array":
        return f"a list{_limits(said)} of: {_takes(said.get('items', {}), definitions)}"
    if kinds == "object":
        fields = said.get("properties", {})
        return "{" + ", ".join(fields) + "}" if fields else "an object"
    listed = kinds if isinstance(kinds, list) else [kinds]
    return " or ".join(_KINDS.get(kind, str(kind)) for kind in listed) + _limits(said)


def _limits(said: dict[str, Any]) -> str:
    found = []
    for key, words in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "greater than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("minItems", "at least"),
        ("maxItems", "at most"),
        ("maxLength", "characters: at most"),
    ):
        if key in said:
            found.append(f"{words} {said[key]}")
    return f" ({', '.join(found)})" if found else ""
