"""The tests of a dbt project as rules, read from its `target/manifest.json`.

Source: dbt's manifest, schema v12 (https://schemas.getdbt.com/dbt/manifest/v12/). Carried over are
generic tests of dbt, dbt_utils and dbt_expectations, and those of the project `stringx`, that have
an equal here. What has none is listed: singular tests, tests of one's own, and conditions that are
no predicates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quality.documents import read_object, strictly
from quality.errors import InvalidInput, MalformedDocument, faults_of
from quality.exchange import dbt_tests, naming
from quality.exchange.omissions import Imported, Omission
from quality.exchange.table_rules import TableHeader, TableRules
from quality.names import TableName
from quality.rules import MAX_RULES, Rule

_CALL = re.compile(r"(ref|source)\(([^()]*)\)")
_TEXT = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def read(raw: bytes, file: Path, *, connection: str = "demo") -> Imported:
    """The rules of a project, by table; InvalidInput where the file is no manifest."""
    try:
        manifest = read_object(raw)
    except MalformedDocument as error:
        raise InvalidInput(f"{file}: {error}", code=error.code) from None
    metadata = manifest.get("metadata")
    version = str(metadata.get("dbt_schema_version", "")) if isinstance(metadata, dict) else ""
    if "/manifest/" not in version or not isinstance(manifest.get("nodes"), dict):
        raise InvalidInput(f"{file}: is no manifest of dbt (give target/manifest.json)")
    return _Reader(manifest, connection).read()


class _Reader:
    def __init__(self, manifest: dict[str, Any], connection: str) -> None:
        self._manifest = manifest
        self._nodes = {**manifest["nodes"], **(manifest.get("sources") or {})}
        self._connection = connection
        self._headers: dict[str, TableHeader] = {}
        self._rules: dict[str, dict[str, Rule]] = {}
        self._omissions: list[Omission] = []

    def read(self) -> Imported:
        for node in self._manifest["nodes"].values():
            if node.get("resource_type") == "test":
                self._test(node)
        for node in (self._manifest.get("unit_tests") or {}).values():
            self._omit(node, "is a unit test: it tests a model's SQL, not data")
        for nodes in (self._manifest.get("disabled") or {}).values():
            for node in nodes:
                if node.get("resource_type") == "test":
                    self._omit(node, "is switched off in dbt")
        tables = [
            TableRules(**dict(self._headers[table]), rules=tuple(rules.values()))
            for table, rules in self._rules.items()
        ]
        return Imported(tables, self._omissions)

    def _test(self, node: dict[str, Any]) -> None:
        try:
            found = dbt_tests.rule_of(node, self._table_text)
            table = self._table(node)
        except InvalidInput as error:
            self._omit(node, str(error))
            return
        rules = self._rules.setdefault(table, {})
        if len(rules) == MAX_RULES:
            self._omit(node, f"a table has at most {MAX_RULES} rules")
            return
        name = naming.unique(found.rule.name, rules)
        rules[name] = strictly(Rule, {**found.rule.document(), "name": name})
        for part, reason in found.left_out:
            self._omit(node, reason, part)

    def _table(self, node: dict[str, Any]) -> str:
        """The table that a test is about; its header is made on the way."""
        metadata = node["test_metadata"]
        match = _CALL.search(str(metadata.get("kwargs", {}).get("model", "")))
        text = match[0] if match else ""
        target = self._target(node, text)
        table = _relation(target)
        if table not in self._headers:
            meta = (target.get("config") or {}).get("meta") or {}
            owner = meta.get("owner")
            try:
                self._headers[table] = strictly(
                    TableHeader,
                    {
                        "connection": self._connection,
                        "table": table,
                        "owner": owner if isinstance(owner, str) and len(owner) <= 200 else None,
                        "description": str(target.get("description") or "")[:2000],
                    },
                )
            except ValidationError as error:
                raise InvalidInput(str(faults_of(error)[0])) from None
        return table

    def _table_text(self, node: dict[str, Any], text: str) -> str | None:
        """The table that a text such as `ref('x')` names; None for another text."""
        match = _CALL.fullmatch(text.strip().removeprefix("{{").removesuffix("}}").strip())
        return None if match is None else _relation(self._target(node, match[0]))

    def _target(self, node: dict[str, Any], call: str) -> dict[str, Any]:
        """The model or source that `ref(…)` or `source(…)` in a test stands for."""
        match = _CALL.search(call)
        if match is None:
            raise InvalidInput("is not about one model or source")
        names = [single or double for single, double in _TEXT.findall(match[2])]
        candidates = [
            self._nodes[unique_id]
            for unique_id in node.get("depends_on", {}).get("nodes", [])
            if unique_id in self._nodes
        ]
        for candidate in candidates:
            is_source = candidate.get("resource_type") == "source"
            if is_source != (match[1] == "source") or not names:
                continue
            if candidate.get("name") != names[-1]:
                continue
            if is_source and candidate.get("source_name") != names[0]:
                continue
            found: dict[str, Any] = candidate
            return found
        raise InvalidInput(f"{match[0]} is not in the manifest")

    def _omit(self, node: dict[str, Any], reason: str, part: str = "") -> None:
        place = str(node.get("original_file_path") or "manifest.json")
        self._omissions.append(Omission(place, str(node.get("name")), reason, part))


def _relation(target: dict[str, Any]) -> str:
    name = target.get("identifier") or target.get("alias") or target.get("name")
    if not target.get("relation_name") or not target.get("schema"):
        raise InvalidInput(f"{target.get('name')} is no table (is it ephemeral?)")
    return str(TableName(str(target["schema"]), str(name)))
