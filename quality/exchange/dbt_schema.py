"""Rules as a dbt `schema.yml`: sources with tests that dbt runs alone in the project `stringx`.

A test is written with named arguments where these say all. Where dbt would paste or render what
must be taken literally (names that need quotes, templates in a text), the rule stands in
`config.meta.stringx`, which `sx_rule` reads and dbt does not render.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from quality.exchange import naming, sql_predicates
from quality.exchange.omissions import Omission
from quality.exchange.table_rules import TableRules
from quality.names import TableName
from quality.rules import Rule

_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")
_TEMPLATE = re.compile(r"\{[{%#]")
# What dbt calls where an argument is nothing else (`ref('x')` among values, say).
_CALL = re.compile(r"\s*(?:env_var|ref|var|source|doc)\s*\(.+\)\s*", re.DOTALL)
_QUOTED = ("accepted_values", "not_accepted_values")
# Words of PostgreSQL's grammar that are no names without quotes (SQL Key Words, "reserved").
_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check
collate collation column concurrently constraint create cross current_catalog current_date
current_role current_schema current_time current_timestamp current_user default deferrable desc
distinct do else end except false fetch for foreign freeze from full grant group having ilike in
initially inner intersect into is isnull join lateral leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
references returning right select session_user similar some symmetric system_user table
tablesample then to trailing true union unique user using variadic verbose when where window
with
"""
_RESERVED = frozenset(_WORDS.split())
_NOT_DBT_S = {
    "group_by": "dbt judges all rows together",
    "sample_limit": "dbt keeps no samples of its own",
    "sample_columns": "dbt keeps no samples of its own",
    "mask": "dbt keeps no samples of its own",
}
_IN_META = ("owner", "kind", "business_impact", "weight")


@dataclass(slots=True)
class _Sources:
    """The sources of one file; their names begin with the connection's, so that they can stand
    beside others of a project."""

    connection: str
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[TableName, dict[str, Any]] = field(default_factory=dict)

    def table(self, name: TableName) -> dict[str, Any]:
        """The entry of a table, made where it is not there yet."""
        found = self.tables.get(name)
        if found is not None:
            return found
        source = self.schemas.get(name.schema)
        if source is None:
            taken = [item["name"] for item in self.schemas.values()]
            wanted = naming.rule_name(f"{self.connection}_{name.schema}") or "source"
            source = self.schemas[name.schema] = {
                "name": naming.unique(wanted, taken),
                "schema": name.schema,
                "config": {"enabled": f"{{{{ target.name == '{self.connection}' }}}}"},
                "tables": [],
            }
        taken = [item["name"] for item in source["tables"]]
        wanted = naming.rule_name(name.table) or "table"
        found = {"name": naming.unique(wanted, taken)}
        if found["name"] != name.table:
            found["identifier"] = name.table
        source["tables"].append(found)
        self.tables[name] = found
        return found

    def call(self, name: TableName) -> str:
        """The table as an argument of a test."""
        table = self.table(name)
        return f"source('{self.schemas[name.schema]['name']}', '{table['name']}')"


def written(connection: str, tables: Iterable[TableRules]) -> tuple[str, Sequence[Omission]]:
    """The text of a schema.yml for the tables of one connection, and what it has not."""
    sources = _Sources(connection)
    omissions: list[Omission] = []
    for table in tables:
        name = TableName.parse(table.table)
        if _TEMPLATE.search(table.table):
            omissions.append(Omission(table.table, "table", "dbt takes its name for a template"))
            continue
        entry = sources.table(name)
        if _TEMPLATE.search(table.description):
            why = "dbt takes it for a template"
            omissions.append(Omission(table.table, "table", why, "description"))
        elif table.description:
            entry["description"] = table.description
        if table.owner is not None:
            entry["config"] = {"meta": {"owner": table.owner}}
        for rule in table.rules:
            _add(sources, name, entry, rule, omissions)
    document = {"version": 2, "sources": list(sources.schemas.values())}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return f"# Made by StringX from the rules of connection {connection}.\n{text}", omissions


def _add(
    sources: _Sources,
    table: TableName,
    entry: dict[str, Any],
    rule: Rule,
    omissions: list[Omission],
) -> None:
    reason = _why_not(rule)
    if reason is not None:
        omissions.append(Omission(str(table), rule.name, reason))
        return
    default = type(rule).model_fields
    for name, why in _NOT_DBT_S.items():
        if getattr(rule, name) != default[name].default:
            omissions.append(Omission(str(table), rule.name, why, name))
    config = _config(rule)
    test: dict[str, Any] = {"name": rule.name, "config": config}
    if _TEMPLATE.search(rule.description):  # dbt renders a test's own description
        config.setdefault("meta", {})["description"] = rule.description
    elif rule.description:
        test["description"] = rule.description
    if _is_plain(rule):
        arguments = _plain_arguments(rule, sources)
        if arguments:
            test["arguments"] = arguments
        if rule.where:
            config["where"] = sql_predicates.written(rule.where)
    else:
        config.setdefault("meta", {})["stringx"] = _literally(rule, table)
    if not config:
        del test["config"]
    holder = entry
    if rule.column is not None and _is_plain(rule):
        holder = _column(entry, rule.column)
    holder.setdefault("data_tests", []).append({rule.type: test})


def _why_not(rule: Rule) -> str | None:
    if rule.rule_type.category == "H":
        return "is judged by what was stored before, which dbt has not"
    if rule.is_shadow:
        return "is a shadow, which counts for nothing; in dbt it would count"
    if rule.valid_from is not None or rule.valid_to is not None:
        return "is valid at times only; a test of dbt always is"
    if "%" in rule.warn_if + rule.error_if:
        return "has a threshold in percent, which dbt has not"
    return None


def _config(rule: Rule) -> dict[str, Any]:
    default = type(rule).model_fields
    config: dict[str, Any] = {
        name: getattr(rule, name)
        for name in ("severity", "warn_if", "error_if")
        if getattr(rule, name) != default[name].default
    }
    if not rule.is_active:
        config["enabled"] = False
    if rule.tags:
        config["tags"] = list(rule.tags)
    meta = {
        name: getattr(rule, name)
        for name in _IN_META
        if getattr(rule, name) != default[name].default
    }
    if rule.dimension != rule.rule_type.dimension:
        meta["dimension"] = rule.dimension
    return {**config, **({"meta": meta} if meta else {})}


def _is_plain(rule: Rule) -> bool:
    """Whether named arguments mean the same to dbt."""
    typed = rule.typed_arguments()
    others = typed.tables_by_path().values()
    columns = [*typed.columns(), *(name for other in others for name in other.columns.values())]
    if rule.rule_type.category not in ("R", "A", "G", "X"):
        return False
    if not all(_SIMPLE.fullmatch(name) and name not in _RESERVED for name in columns):
        return False
    if rule.column is not None and _column_text(rule.column) is None:
        return False
    values = rule.arguments["values"] if rule.type in _QUOTED else ()
    if len({isinstance(value, str) for value in values}) > 1:
        return False
    if any(_TEMPLATE.search(predicate.column) for predicate in rule.where):
        return False
    where = sql_predicates.written(rule.where)
    if "\\" in where:  # dbt reads its escapes
        return False
    texts = [*_texts(rule.arguments), where]
    return not any(_TEMPLATE.search(text) or _CALL.fullmatch(text) for text in texts)


def _plain_arguments(rule: Rule, sources: _Sources) -> dict[str, Any]:
    arguments = dict(rule.arguments)
    for name in rule.typed_arguments().tables_by_path():
        arguments[name] = sources.call(TableName.parse(arguments[name]))
    if rule.type in _QUOTED:
        arguments["quote"] = any(isinstance(value, str) for value in arguments["values"])
    return arguments


def _literally(rule: Rule, table: TableName) -> dict[str, Any]:
    arguments = dict(rule.arguments)
    for name in rule.typed_arguments().tables_by_path():
        arguments[name] = _relation(TableName.parse(arguments[name]))
    return {
        "relation": _relation(table),
        "column": rule.column,
        "arguments": arguments,
        "where": [predicate.document() for predicate in rule.where],
    }


def _relation(table: TableName) -> dict[str, str]:
    return {"schema": table.schema, "identifier": table.table}


def _column(entry: dict[str, Any], name: str) -> dict[str, Any]:
    columns: list[dict[str, Any]] = entry.setdefault("columns", [])
    for column in columns:
        if column["name"] == name:
            return column
    added: dict[str, Any] = {"name": name}
    if _column_text(name) != name:
        added["quote"] = True
    columns.append(added)
    return added


def _column_text(name: str) -> str | None:
    """The column as dbt pastes it; None where it cannot be written so."""
    if _SIMPLE.fullmatch(name) and name not in _RESERVED:
        return name
    return None if '"' in name or _TEMPLATE.search(name) else f'"{name}"'


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
