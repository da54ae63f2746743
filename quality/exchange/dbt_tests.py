"""One test of a dbt manifest as a rule.

dbt pastes most arguments into SQL: a name without quotes is folded to lower case there, and an end
of a range is an expression. Both are read as what they mean, or the test is not carried over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from quality.documents import strictly
from quality.errors import InvalidInput, faults_of
from quality.exchange import naming, sql_predicates
from quality.names import TableName
from quality.rules import Rule

PACKAGES = ("dbt", "dbt_utils", "dbt_expectations", "stringx")
_TEMPLATE = re.compile(r"\{[{%#]")
_PASTED = ("min_value", "max_value", "value", "factor", "sum_total", "tolerance")
# Tests of dbt_utils whose SQL is read here, so that they are ours under the same name.
_READ_HERE = ("accepted_range", "relationships_where")
_OF_OURS = ("owner", "kind", "business_impact", "weight", "dimension", "description")
_DEFAULT_FAIL_CALC = "count(*)"

TableText = Callable[[dict[str, Any], str], str | None]
"""A test's node and a text to the table that the text names (`ref('x')`), None for another text."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A rule, and the parts of the test (name, reason) that it has not."""

    rule: Rule
    left_out: list[tuple[str, str]]


def rule_of(node: dict[str, Any], table_text: TableText) -> Carried:
    """The rule that a test stands for; InvalidInput with the reason where there is no equal."""
    metadata = node.get("test_metadata")
    if not isinstance(metadata, dict):
        raise InvalidInput("is SQL of its own (a singular test), which has no equal")
    config = node.get("config") or {}
    if str(config.get("fail_calc") or _DEFAULT_FAIL_CALC) != _DEFAULT_FAIL_CALC:
        raise InvalidInput("counts failures by a fail_calc of its own")
    left_out: list[tuple[str, str]] = []
    meta = dict(config.get("meta") or {})
    literal = meta.pop("stringx", None)
    if isinstance(literal, str):
        literal = json.loads(literal)
    if isinstance(literal, dict):
        document = _literally(str(metadata["name"]), literal)
    else:
        document = _translated(node, metadata, config, table_text)
    document |= _settings(node, config, meta, left_out)
    try:
        rule = strictly(Rule, document)
        return Carried(rule if literal else _folded(rule, is_named="name" in document), left_out)
    except ValidationError as error:
        raise InvalidInput(str(faults_of(error)[0])) from None


def _literally(type_: str, rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as StringX itself wrote it into the test's meta."""
    arguments = {
        name: str(TableName(value["schema"], value["identifier"]))
        if isinstance(value, dict) and {"schema", "identifier"} <= value.keys()
        else value
        for name, value in (rule.get("arguments") or {}).items()
    }
    return {
        "type": type_,
        "column": rule.get("column"),
        "arguments": arguments,
        "where": rule.get("where") or [],
    }


def _translated(
    node: dict[str, Any], metadata: dict[str, Any], config: dict[str, Any], table_text: TableText
) -> dict[str, Any]:
    name, package = str(metadata["name"]), _package(node, metadata)
    if package not in PACKAGES:
        raise InvalidInput(f"is a test of {package}, which has no equal")
    given = dict(metadata.get("kwargs") or {})
    given.pop("model", None)
    column = given.pop("column_name", None)
    where = _conditions("where", config.get("where"))
    for key in ("row_condition", "from_condition"):
        where += _conditions(key, given.pop(key, None))
    if "to_condition" in given:
        given["to_where"] = _conditions("to_condition", given.pop("to_condition"))
    if package != "stringx" or name in ("accepted_values", "not_accepted_values"):
        _read_values(given, package)
    arguments = {
        key: _argument(key, value, package, node, table_text)
        for key, value in given.items()
        if value is not None and value != []
    }
    if package in ("dbt_utils", "dbt_expectations") and name not in _READ_HERE:
        name = f"{package}.{name}"
    document: dict[str, Any] = {"type": name, "arguments": arguments, "where": where}
    if column is not None:
        document["column"] = str(column)
    return document


def _package(node: dict[str, Any], metadata: dict[str, Any]) -> str:
    """Where the test's macro comes from: one's own test may have the name of another's."""
    ending = f".test_{metadata['name']}"
    for macro in node.get("depends_on", {}).get("macros", []):
        if macro.endswith(ending):
            return str(macro.split(".")[1])
    return str(metadata.get("namespace") or "dbt")


def _argument(
    name: str, value: Any, package: str, node: dict[str, Any], table_text: TableText
) -> Any:
    if isinstance(value, list):
        return [_argument(name, item, package, node, table_text) for item in value]
    if not isinstance(value, str):
        return value
    table = table_text(node, value)
    if table is not None:
        return table
    if _TEMPLATE.search(value):
        raise InvalidInput(f"{name} is a template of dbt, which has no equal")
    if name in _PASTED and package != "stringx":
        return _sql_value(name, value)
    return value


def _read_values(given: dict[str, Any], package: str) -> None:
    """Lists of values as dbt writes them: in quotes, which any type takes, or as SQL."""
    for key, quote in (("values", "quote"), ("value_set", "quote_values")):
        values = given.get(key)
        if not isinstance(values, list):
            continue
        if any(isinstance(value, str) and _TEMPLATE.search(value) for value in values):
            raise InvalidInput(f"{key} has a template of dbt, which has no equal")
        listed = [value for value in values if value is not None]
        if given.pop(quote, True):
            given[key] = [str(value) for value in listed]
        else:
            given[key] = [
                _sql_value(key, value) if isinstance(value, str) else value for value in listed
            ]
        if package in ("dbt_utils", "dbt_expectations"):
            given[quote] = False


def _sql_value(name: str, text: str) -> Any:
    """The value of a SQL literal."""
    try:
        [predicate] = sql_predicates.read(f"x = {text}")
    except (InvalidInput, ValueError):
        raise InvalidInput(f'{name} is SQL ("{text[:60]}"), which has no equal') from None
    found = predicate.get("value")
    if isinstance(found, dict):
        return found["literal"]
    if isinstance(found, str):  # a moment, which is another one at each check
        raise InvalidInput(f'{name} is SQL ("{text[:60]}"), which has no equal')
    return found


def _conditions(name: str, sql: Any) -> list[dict[str, Any]]:
    if sql is None or str(sql).replace(" ", "") in ("", "1=1"):
        return []
    if _TEMPLATE.search(str(sql)):
        raise InvalidInput(f"{name} is a template of dbt, which has no equal")
    try:
        return sql_predicates.read(str(sql))
    except InvalidInput as error:
        raise InvalidInput(f"{name} {error}: {str(sql).strip()[:200]}") from None


def _settings(
    node: dict[str, Any],
    config: dict[str, Any],
    meta: dict[str, Any],
    left_out: list[tuple[str, str]],
) -> dict[str, Any]:
    """The fields that do not depend on the test's type."""
    found: dict[str, Any] = {
        "severity": str(config.get("severity") or "error").lower(),
        "warn_if": str(config.get("warn_if") or "!= 0"),
        "error_if": str(config.get("error_if") or "!= 0"),
    }
    if config.get("enabled") is False:
        found["is_active"] = False
    if not _is_generated(node):
        found["name"] = naming.rule_name(str(node["name"]))
    if node.get("description"):
        found["description"] = str(node["description"])[:2000]
    good, bad = naming.tags(list(config.get("tags") or []))
    if good:
        found["tags"] = good
    if bad:
        left_out.append(("tags", f"no tags of ours: {', '.join(bad)[:200]}"))
    if "quality_dimension" in meta:
        meta["dimension"] = naming.dimension(meta.pop("quality_dimension"))
    found |= {name: meta.pop(name) for name in _OF_OURS if meta.get(name) is not None}
    if meta:
        left_out.append(("meta", f"has no equal: {', '.join(sorted(map(str, meta)))[:200]}"))
    if config.get("limit") is not None:
        left_out.append(("limit", "every failing row is counted"))
    if config.get("store_failures"):
        left_out.append(("store_failures", "give the rule a sample_limit instead"))
    return found


def _is_generated(node: dict[str, Any]) -> bool:
    """Whether dbt made the test's name, of that of its type, its table and its arguments."""
    metadata = node["test_metadata"]
    type_ = str(metadata["name"])
    package = f"{metadata['namespace']}_" if metadata.get("namespace") else ""
    starts = (f"{package}{type_}_", f"source_{package}{type_}_", f"{package}source_{type_}_")
    return str(node["name"]).startswith(starts)


def _folded(rule: Rule, *, is_named: bool) -> Rule:
    """The rule with names of columns among its arguments as the database's catalogue has them."""
    document = rule.document()
    typed = rule.typed_arguments()
    columns = dict(typed.columns_by_path())
    for other in typed.tables_by_path().values():
        columns |= other.columns
    for path, name in columns.items():
        _put(document["arguments"], path, sql_predicates.column_name(name))
    if rule.column is not None:
        document["column"] = sql_predicates.column_name(rule.column)
    if not is_named:
        del document["name"]  # made of type and column again
    return strictly(Rule, document)


def _put(arguments: dict[str, Any], path: str, value: str) -> None:
    """Set what stands at a path such as `columns[1]` or `keys.a`."""
    *way, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    holder: Any = arguments
    for part in way:
        holder = holder[part]
    holder[last] = value
