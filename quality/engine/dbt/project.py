"""Generates the dbt project of one rule set.

Names in it are generated. What people wrote, values and names of columns alike, stands in
`config.meta` only, which dbt does not render, and there as JSON in which every character but
letters and digits is escaped: nothing that a template or a SQL statement could be made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from quality.engine.settings import EngineSettings
from quality.errors import ConfigurationError
from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet
from quality.thresholds import limit_of

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEST_NAME = re.compile(r"rule_(\d+)")
_LINKED = ("macros", "dbt_packages")


class ProjectFolder:
    """The generated projects of one data folder; safe for several threads and processes."""

    def __init__(self, settings: EngineSettings) -> None:
        """Raises ConfigurationError when DBT_PROJECT_DIR is no project of ours."""
        self._source = settings.project_dir.absolute()
        self._profile = settings.profile
        self._limit = settings.projects
        self._root = settings.data_dir.absolute() / "projects"
        if not (self._source / "macros" / "sx_rule.sql").is_file():
            raise ConfigurationError(
                f"DBT_PROJECT_DIR: there is no macros/sx_rule.sql in {self._source}; "
                "give the folder `stringx` of this distribution, or a copy of it"
            )
        if not (settings.profiles / "profiles.yml").is_file():
            raise ConfigurationError(f"DBT_PROFILES_DIR: no profiles.yml in {settings.profiles}")
        self.version = _digest_of(self._source)
        """Changes with all that the generated projects are made of, but the rules."""

    def project_of(self, rule_set: RuleSet) -> Path:
        """The folder of the rule set's project, made if it is not there."""
        name = hashlib.sha256(f"{self.version}{rule_set.hash}".encode()).hexdigest()[:40]
        return self._folder(name, self.sources_of(rule_set))

    @staticmethod
    def sources_of(rule_set: RuleSet, only: Collection[int] | None = None) -> list[dict[str, Any]]:
        """The `sources` of the rule set's project: its table, with a test for each rule, or for
        those at the places in `only`."""
        return [_table_source(rule_set, range(len(rule_set.rules)) if only is None else only)]

    def base_project(self) -> Path:
        """The folder of a project without rules, made if it is not there."""
        return self._folder(f"base-{self.version[:35]}", [])

    def _folder(self, name: str, sources: list[dict[str, Any]]) -> Path:
        folder = self._root / name
        if (folder / "dbt_project.yml").is_file():
            os.utime(folder)
            return folder
        self._make_root()
        self._prune()
        unfinished = self._new_folder(sources)
        with contextlib.suppress(OSError):  # another one was faster: the same content
            unfinished.rename(folder)
        shutil.rmtree(unfinished, ignore_errors=True)
        return folder

    def documentation_project(self, rule_sets: Sequence[RuleSet]) -> Path:
        """A new folder with a project of all these tables; to be removed by the caller."""
        self._make_root()
        return self._new_folder(_documented_sources(rule_sets))

    def _make_root(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"STRINGX_DATA_DIR: cannot write to {self._root} ({error.strerror})"
            ) from error

    def _new_folder(self, sources: list[dict[str, Any]]) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._root, prefix="unfinished-"))
        project = {
            "name": "stringx_check",
            "version": "1.0.0",
            "config-version": 2,
            "profile": self._profile,
            "macro-paths": ["macros"],
            "model-paths": ["models"],
            "flags": {
                "send_anonymous_usage_stats": False,
                "require_generic_test_arguments_property": True,
            },
        }
        (folder / "models").mkdir()
        # JSON is YAML. ASCII only: YAML reads some characters, such as U+0085, as line ends.
        if sources:
            (folder / "models" / "sources.yml").write_text(
                json.dumps({"version": 2, "sources": sources}, ensure_ascii=True, indent=1)
            )
        for name in _LINKED:
            if (self._source / name).is_dir():
                (folder / name).symlink_to(self._source / name)
        (folder / "dbt_project.yml").write_text(json.dumps(project, indent=1))
        return folder

    def _prune(self) -> None:
        """Remove the projects that were used longest ago."""

        def used(folder: Path) -> float:
            try:
                return folder.stat().st_mtime
            except OSError:
                return 0.0

        folders = sorted((path for path in self._root.iterdir() if path.is_dir()), key=used)
        for folder in folders[: max(0, len(folders) - self._limit + 1)]:
            shutil.rmtree(folder, ignore_errors=True)


def rule_index(test_name: str) -> int | None:
    """Which rule a generated test stands for."""
    match = _TEST_NAME.fullmatch(test_name)
    return int(match[1]) if match else None


def scope_document(scope: Iterable[Predicate]) -> str:
    """The predicates of a request as dbt gets them (`var('stringx_scope')`)."""
    return _escaped_json([predicate.document() for predicate in scope])


def definition(rule: Rule, table: TableName) -> str:
    """What dbt is given of a rule, its place among others apart."""
    return json.dumps(_test(rule, "", table), sort_keys=True)


def _table_source(rule_set: RuleSet, only: Collection[int]) -> dict[str, Any]:
    tests = [
        _test(rule, f"rule_{index}", rule_set.table)
        for index, rule in enumerate(rule_set.rules)
        if index in only
    ]
    return {"name": "source_0", "tables": [{"name": "table_0", "data_tests": tests}]}


def _documented_sources(rule_sets: Sequence[RuleSet]) -> list[dict[str, Any]]:
    """Tables under their own names where these are plain, so that dbt finds their columns."""
    sources: dict[str, dict[str, dict[str, Any]]] = {}
    for number, rule_set in enumerate(rule_sets):
        schema, name = rule_set.table.schema, rule_set.table.table
        if not all(_PLAIN_NAME.fullmatch(part) for part in (schema, name)):
            schema, name = "quoted_names", f"table_{number}"
        table = sources.setdefault(schema, {}).setdefault(
            name,
            {
                "name": name,
                "config": {"meta": {"stringx": _escaped_json({"table": str(rule_set.table)})}},
                "data_tests": [],
                "columns": [],
            },
        )
        columns = {column["name"]: column for column in table["columns"]}
        for rule in rule_set.rules:
            tests = table["data_tests"]
            if rule.column is not None and _PLAIN_NAME.fullmatch(rule.column):
                column = columns.get(rule.column)
                if column is None:
                    column = columns[rule.column] = {"name": rule.column, "data_tests": []}
                    table["columns"].append(column)
                tests = column["data_tests"]
            # Its own name, which is letters, digits and underscores (`RuleName`).
            tests.append(_test(rule, rule.name, rule_set.table))
    return [{"name": schema, "tables": list(tables.values())} for schema, tables in sources.items()]


def _test(rule: Rule, name: str, table: TableName) -> dict[str, Any]:
    arguments = dict(rule.arguments)
    for argument, other in rule.typed_arguments().tables_by_path().items():
        arguments[argument] = _relation(TableName.parse(other.name))
    meta = {
        "relation": _relation(table),
        "column": rule.column,
        "arguments": arguments,
        "where": [predicate.document() for predicate in rule.where],
    }
    return {
        rule.type: {
            "name": name,
            "config": {
                "severity": rule.severity,
                "warn_if": _counted(rule.warn_if),
                "error_if": _counted(rule.error_if),
                "meta": {"stringx": _escaped_json(meta)},
            },
        }
    }


def _counted(threshold: str) -> str:
    """A threshold that dbt knows; what it cannot judge, percentages, the engine judges itself."""
    return "!= 0" if limit_of(threshold).is_percent else threshold


def _relation(table: TableName) -> dict[str, str]:
    return {"schema": table.schema, "identifier": table.table}


def _escaped_json(value: Any) -> str:
    """JSON whose texts hold letters, digits and blanks, everything else as \\uXXXX."""
    if isinstance(value, str):
        units = value.encode("utf-16-be")
        pairs = (units[place : place + 2] for place in range(0, len(units), 2))
        return '"' + "".join(_escape(int.from_bytes(pair, "big")) for pair in pairs) + '"'
    if isinstance(value, dict):
        # Blanks keep two braces apart.
        items = (f"{_escaped_json(key)}: {_escaped_json(item)}" for key, item in value.items())
        return "{ " + ", ".join(items) + " }"
    if isinstance(value, (list, tuple)):
        return "[ " + ", ".join(_escaped_json(item) for item in value) + " ]"
    return json.dumps(value, allow_nan=False)


def _escape(unit: int) -> str:
    character = chr(unit)
    return character if unit < 128 and not _NOT_PLAIN.match(character) else f"\\u{unit:04x}"


def _digest_of(source: Path) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    found = [source / "dbt_project.yml"]
    for name in _LINKED:
        found += sorted((source / name).glob("**/*"))
    for file in found:
        if file.is_file():
            digest.update(f"\0{file.relative_to(source)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
