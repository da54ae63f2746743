"""Rule sets as YAML files, one file a table: read, with every fault at its line, and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from quality.documents import lines_of_yaml, read_yaml, strictly
from quality.errors import Fault, InvalidInput, MalformedDocument, faults_of
from quality.exchange.table_rules import TableHeader, TableRules
from quality.rules import MAX_RULES, Rule

MAX_FILE_BYTES = 4 * 1024 * 1024
_ENDINGS = (".yaml", ".yml")
_LAST_PART = re.compile(r"(\.[^.\[\]]*|\[\d+\]|^[^.\[\]]+)$")

_ODD_BREAK = re.compile("[\r\x85\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file's table with its rules, and where its fields stand."""

    file: Path
    content: TableRules
    lines: Mapping[str, int] = field(repr=False)

    def place(self, path: str) -> str:
        """`file:line: path` of a field; of what holds it, where the field itself is not there."""
        return f"{self.file}:{_line(self.lines, path)}: {path}"


def read(paths: Iterable[Path]) -> list[RuleFile]:
    """The files, and all *.yaml and *.yml below folders (hidden ones apart), ordered by path.

    Raises InvalidInput with every fault of every file, each path being `file:line: field`.
    """
    faults: list[Fault] = []
    found = []
    for file in _files(paths, faults):
        one = _read_file(file, faults)
        if one is not None:
            found.append(one)
    first: dict[tuple[str, str], RuleFile] = {}
    for one in found:
        other = first.setdefault(one.content.key, one)
        if other is not one:
            faults.append(
                Fault(
                    one.place("table"),
                    "table_twice",
                    f"{one.content.table} stands in {other.file} too; write its rules in one file",
                )
            )
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise InvalidInput(f"{faults[0]}{more}", code="rule_files_invalid", faults=faults)
    return found


def written(table: TableRules) -> str:
    """A table's rules as the text of a file; reading it gives the same again."""
    document = table.document()
    document["rules"] = [_laid_out(rule) for rule in document["rules"]]
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, indent=2
    )


def file_name(table: TableRules) -> str:
    """A name for a table's file, the same for the same table: `demo.flights.planes.yaml`."""
    return re.sub(r"[^\w.-]+", "_", f"{table.connection}.{table.table}") + ".yaml"


def _files(paths: Iterable[Path], faults: list[Fault]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            below = sorted(
                file
                for file in path.rglob("*")
                if file.suffix in _ENDINGS
                and file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            if not below:
                faults.append(Fault(str(path), "no_files", "holds no *.yaml or *.yml file"))
            found.update((file.resolve(), file) for file in below)
        elif path.is_file():
            found[path.resolve()] = path
        else:
            faults.append(Fault(str(path), "file_missing", "is no file and no folder"))
    return list(found.values())


def _read_file(file: Path, faults: list[Fault]) -> RuleFile | None:
    try:
        raw = file.read_bytes()
    except OSError as error:
        faults.append(Fault(str(file), "file_unreadable", f"cannot be read ({error.strerror})"))
        return None
    if len(raw) > MAX_FILE_BYTES:
        faults.append(
            Fault(str(file), "file_too_large", f"has more than {MAX_FILE_BYTES} bytes; split it")
        )
        return None
    try:
        document = read_yaml(raw)
    except MalformedDocument as error:
        faults.append(Fault(str(file), error.code, str(error)))
        return None
    lines = lines_of_yaml(raw)
    wrong: list[Fault] = []
    content = _content(document, wrong)
    faults += (
        Fault(f"{file}:{_line(lines, fault.path)}: {fault.path}", fault.code, fault.message)
        for fault in wrong
    )
    return None if content is None else RuleFile(file, content, lines)


def _content(document: Any, faults: list[Fault]) -> TableRules | None:
    if not isinstance(document, dict):
        faults.append(Fault("", "not_a_mapping", "must be a mapping with table and rules"))
        return None
    header = None
    try:
        header = strictly(TableHeader, {k: v for k, v in document.items() if k != "rules"})
    except ValidationError as error:
        faults += faults_of(error)
    entries = document.get("rules", [])
    if not isinstance(entries, list) or len(entries) > MAX_RULES:
        faults.append(Fault("rules", "rules_invalid", f"must be a list of at most {MAX_RULES}"))
        return None
    rules: dict[str, Rule] = {}
    for place, entry in enumerate(entries):
        try:
            rule = strictly(Rule, entry)
        except ValidationError as error:
            faults += faults_of(error, f"rules[{place}]")
            continue
        if rules.setdefault(rule.name, rule) is not rule:
            faults.append(
                Fault(
                    f"rules[{place}].name",
                    "name_twice",
                    f'two rules have the name "{rule.name}"; give one another name',
                )
            )
    if header is None or faults:
        return None
    return TableRules.model_construct(**dict(header), rules=tuple(rules.values()))


def _line(lines: Mapping[str, int], path: str) -> int:
    while path and path not in lines:
        shorter = _LAST_PART.sub("", path)
        path = shorter if shorter != path else ""
    return lines.get(path, 1)


class _Line(dict[str, Any]):
    """A mapping that stands on one line."""


class _Row(list[Any]):
    """A list that stands on one line."""


def _laid_out(rule: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = dict(rule)
    if "arguments" in shown:
        shown["arguments"] = _Line(shown["arguments"])
    if "where" in shown:
        shown["where"] = [_Line(predicate) for predicate in shown["where"]]
    for name, value in shown.items():
        if name != "where" and isinstance(value, list):
            shown[name] = _Row(value)
    return shown


class _Dumper(yaml.SafeDumper):
    """Lists set in by two, short things on one line, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Line,
    lambda dumper, data: dumper.represent_mapping(
        "tag:yaml.org,2002:map", data.items(), flow_style=True
    ),
)
_Dumper.add_representer(
    _Row,
    lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True),
)
_Dumper.add_representer(
    str,
    # Line breaks of Unicode are kept only where they are escaped.
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if _ODD_BREAK.search(text) else None
    ),
)
# Of YAML 1.2, which we read, and not of 1.1: such a text needs quotes too.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z"),
    list("-+.0123456789"),
)
