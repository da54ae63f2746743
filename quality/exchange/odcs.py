"""Quality sections of the Open Data Contract Standard, version 3, as rules.

Source: Open Data Contract Standard 3.1.0 (https://bitol-io.github.io/open-data-contract-standard/).
Carried over are library metrics, and SQL that returns a number where StringX has a rule type for
it. What only people can read (`text`), what is another tool's (`custom`), schedules and whatever
else has no equal is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quality.documents import lines_of_yaml, read_yaml, strictly
from quality.errors import InvalidInput, MalformedDocument, faults_of
from quality.exchange import naming, odcs_metrics, odcs_sql
from quality.exchange.omissions import Imported, Omission
from quality.exchange.table_rules import TableHeader, TableRules
from quality.names import TableName
from quality.rules import MAX_RULES, Rule

_TAKEN = {
    *("id", "name", "description", "type", "metric", "rule", "arguments", "unit", "dimension"),
    *("severity", "businessImpact", "tags", "query", "validValues", "pattern"),
    *odcs_metrics.OPERATORS,
}
_WHY_NOT = {
    "schedule": "StringX checks when it is asked; have your scheduler ask",
    "scheduler": "StringX checks when it is asked; have your scheduler ask",
    "scheduleCronExpression": "StringX checks when it is asked; have your scheduler ask",
}
_ABSENT: tuple[Any, ...] = (None, "", [], {})


@dataclass(slots=True)
class _Object:
    """One schema object of a contract: its table, and the rules found so far."""

    header: TableHeader
    columns: dict[str, str]
    rules: dict[str, Rule] = field(default_factory=dict)


def read(
    raw: bytes, file: Path, *, connection: str = "demo", schema: str | None = None
) -> Imported:
    """The rules of a contract, by table. `schema` is that of names without one; where it is not
    given it is that of the contract's only PostgreSQL server, or else `public`.

    Raises InvalidInput where the file is no contract of version 3.
    """
    try:
        document = read_yaml(raw)
    except MalformedDocument as error:
        raise InvalidInput(f"{file}: {error}", code=error.code) from None
    if not isinstance(document, dict) or document.get("kind") != "DataContract":
        raise InvalidInput(f"{file}: is no data contract (kind: DataContract is missing)")
    version = str(document.get("apiVersion", ""))
    if not version.lstrip("v").startswith("3."):
        raise InvalidInput(f'{file}: has apiVersion "{version}"; version 3 is supported')
    reader = _Reader(file, lines_of_yaml(raw), connection, schema or _schema_of(document))
    return reader.contract(document)


class _Reader:
    def __init__(self, file: Path, lines: Mapping[str, int], connection: str, schema: str) -> None:
        self._file = file
        self._lines = lines
        self._connection = connection
        self._schema = schema
        self._omissions: list[Omission] = []

    def contract(self, document: dict[str, Any]) -> Imported:
        tables = []
        for path, entry in _mappings(document, "schema", ""):
            table = self._header(path, entry)
            if table is None:
                continue
            self._object(path, entry, table)
            if table.rules:
                rules = tuple(table.rules.values())
                tables.append(TableRules(**dict(table.header), rules=rules))
        return Imported(tables, self._omissions)

    def _header(self, path: str, entry: dict[str, Any]) -> _Object | None:
        name = str(entry.get("physicalName") or entry.get("name") or "")
        try:
            parsed = TableName.parse(name)
            if "." not in name.replace(f'"{parsed.table}"', ""):
                parsed = TableName(self._schema, parsed.table)
            header = strictly(
                TableHeader,
                {
                    "connection": self._connection,
                    "table": str(parsed),
                    "description": str(entry.get("description") or "")[:2000],
                },
            )
        except ValidationError as error:
            self._omit(path, name, str(faults_of(error)[0]))
            return None
        except ValueError as error:
            self._omit(path, f'table "{name}"', f"the table's name {error}")
            return None
        columns = {
            str(item.get("name")): _column(item) for _, item in _mappings(entry, "properties", "")
        }
        return _Object(header, columns)

    def _object(self, path: str, entry: dict[str, Any], table: _Object) -> None:
        for place, quality in _mappings(entry, "quality", path):
            self._entry(place, quality, table, None)
        for place, item in _mappings(entry, "properties", path):
            for below, quality in _mappings(item, "quality", place):
                self._entry(below, quality, table, _column(item))
            self._nested(place, item)

    def _nested(self, path: str, item: dict[str, Any]) -> None:
        """Qualities of fields inside of a column, which is no column of a table."""
        deeper = _mappings(item, "properties", path)
        if isinstance(item.get("items"), dict):
            deeper.append((f"{path}.items", item["items"]))
        for place, inner in deeper:
            for below, quality in _mappings(inner, "quality", place):
                self._omit(below, _called(quality), "a field inside of a column has no equal")
            self._nested(place, inner)

    def _entry(self, path: str, entry: dict[str, Any], table: _Object, column: str | None) -> None:
        what = _called(entry)
        try:
            documents = _documents(entry, table, column)
        except InvalidInput as error:
            self._omit(path, what, str(error))
            return
        shared = self._shared(path, what, entry)
        made: dict[str, Rule] = {}
        for document in documents:
            suggested = naming.rule_name(str(entry.get("name") or entry.get("id") or ""))
            whole = {**shared, **document, **({"name": suggested} if suggested else {})}
            try:
                rule = strictly(Rule, whole)
                name = naming.unique(rule.name, [*table.rules, *made])
                made[name] = strictly(Rule, {**whole, "name": name})
            except ValidationError as error:
                self._omit(path, what, str(faults_of(error)[0]))
                return
        if len(table.rules) + len(made) > MAX_RULES:
            self._omit(path, what, f"a table has at most {MAX_RULES} rules")
            return
        table.rules |= made

    def _shared(self, path: str, what: str, entry: dict[str, Any]) -> dict[str, Any]:
        """The fields that do not depend on the metric; what cannot stay of them is listed."""
        shared: dict[str, Any] = {"severity": "error"}
        if entry.get("description"):
            shared["description"] = str(entry["description"])[:2000]
        if entry.get("businessImpact"):
            shared["business_impact"] = str(entry["businessImpact"])[:2000]
        self._translated(path, what, entry, "severity", naming.severity, shared)
        self._translated(path, what, entry, "dimension", naming.dimension, shared)
        good, bad = naming.tags(entry.get("tags"))
        if good:
            shared["tags"] = good
        if bad:
            self._omit(path, what, f"no tags of ours: {', '.join(bad)[:200]}", "tags")
        for name, value in entry.items():
            if name not in _TAKEN and value not in _ABSENT:
                self._omit(path, what, _WHY_NOT.get(name, "has no equal"), name)
        return shared

    def _translated(
        self,
        path: str,
        what: str,
        entry: dict[str, Any],
        name: str,
        translate: Callable[[Any], str | None],
        shared: dict[str, Any],
    ) -> None:
        value = entry.get(name)
        if value is None:
            return
        found = translate(value)
        if found is None:
            self._omit(path, what, f'"{value}" is not known', name)
        else:
            shared[name] = found

    def _omit(self, path: str, what: str, reason: str, field_: str = "") -> None:
        line = self._lines.get(path, 1)
        self._omissions.append(Omission(f"{self._file}:{line}: {path}", what, reason, field_))


def _documents(entry: dict[str, Any], table: _Object, column: str | None) -> list[dict[str, Any]]:
    kind = entry.get("type") or ("library" if "metric" in entry or "rule" in entry else None)
    if kind == "library":
        return odcs_metrics.rules_of(entry, column, table.columns)
    if kind == "sql":
        return odcs_sql.rules_of(entry, column)
    if kind == "text":
        raise InvalidInput("is a text for people; nothing can be checked by it")
    if kind == "custom":
        raise InvalidInput(f"is written for another engine ({entry.get('engine', 'not named')})")
    raise InvalidInput("has neither a metric nor a type that the standard has")


def _called(entry: dict[str, Any]) -> str:
    words = ("name", "id", "metric", "rule", "type")
    return next((str(entry[word])[:80] for word in words if entry.get(word)), "quality entry")


def _column(item: dict[str, Any]) -> str:
    return str(item.get("physicalName") or item.get("name") or "")


def _mappings(holder: dict[str, Any], name: str, path: str) -> list[tuple[str, dict[str, Any]]]:
    """The mappings of a list with their paths."""
    listed = holder.get(name)
    prefix = f"{path}.{name}" if path else name
    return [
        (f"{prefix}[{place}]", item)
        for place, item in enumerate(listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    ]


def _schema_of(document: dict[str, Any]) -> str:
    schemas = {
        str(server["schema"])
        for _, server in _mappings(document, "servers", "")
        if str(server.get("type", "")).lower() in ("postgres", "postgresql")
        and server.get("schema")
    }
    return schemas.pop() if len(schemas) == 1 else "public"
