"""What must change so that the API has what the files say; nothing where it has it already.

Tables that no file names are left alone, and so are a table's further rules unless they are to be
pruned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from quality.exchange.table_rules import TableRules, brief
from quality.rules import Rule

Stored = Callable[[tuple[str, str]], TableRules | None]
"""Connection and table to what the API has of it."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that is to be another."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that is there, and is to be another."""

    before: Rule
    after: Rule

    @property
    def fields(self) -> list[FieldChange]:
        """The fields that differ."""
        before, after = self.before.document(), self.after.document()
        return [
            FieldChange(name, before[name], after[name])
            for name in after
            if before[name] != after[name]
        ]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What is to be done with one table. `kept` are rules of the API that no file has."""

    wanted: TableRules
    is_new: bool
    header: tuple[FieldChange, ...]
    added: tuple[Rule, ...]
    changed: tuple[RuleChange, ...]
    removed: tuple[Rule, ...]
    kept: tuple[Rule, ...]

    @property
    def changes_rules(self) -> bool:
        """Whether the rule set will be another."""
        return bool(self.added or self.changed or self.removed)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.is_new or self.header or self.changes_rules)

    @property
    def rules_after(self) -> tuple[Rule, ...]:
        """The whole rule set as it is to be: the file's rules in its order, then those kept."""
        return (*self.wanted.rules, *self.kept)

    def document(self) -> dict[str, Any]:
        """As JSON, in the form in which the API shows differences."""
        return {
            "connection": self.wanted.connection,
            "table": self.wanted.table,
            "is_new": self.is_new,
            "fields": _shown(self.header),
            "added": [rule.document() for rule in self.added],
            "removed": [rule.document() for rule in self.removed],
            "changed": [
                {"name": change.after.name, "fields": _shown(change.fields)}
                for change in self.changed
            ],
            "kept": [rule.name for rule in self.kept],
        }


def make(wanted: Iterable[TableRules], stored: Stored, *, prune: bool = False) -> list[TablePlan]:
    """One plan for each table, in their order; empty ones too."""
    return [_of_table(table, stored(table.key), prune) for table in wanted]


def lines(plans: Iterable[TablePlan]) -> Iterator[str]:
    """The plans as a diff for reading: `+` added, `~` changed, `-` removed, `=` kept."""
    count = {"+": 0, "~": 0, "-": 0}
    for plan in plans:
        if plan.is_empty:
            continue
        sign = "+" if plan.is_new else "~"
        yield f"{sign} table {plan.wanted.connection} {plan.wanted.table}"
        yield from (f"    {_arrow(change)}" for change in plan.header)
        for rule in plan.added:
            count["+"] += 1
            yield f"  + {rule.name}: {_in_brief(rule)}"
        for rules in plan.changed:
            count["~"] += 1
            yield f"  ~ {rules.after.name}"
            yield from (f"      {_arrow(change)}" for change in rules.fields)
        for rule in plan.removed:
            count["-"] += 1
            yield f"  - {rule.name}: {_in_brief(rule)}"
        if plan.kept:
            names = ", ".join(rule.name for rule in plan.kept)
            yield f"  = in no file, kept without --prune: {names}"
    yield f"{count['+']} to add, {count['~']} to change, {count['-']} to remove"


def _of_table(wanted: TableRules, stored: TableRules | None, prune: bool) -> TablePlan:
    if stored is None:
        header = _given(wanted, "", "")
        return TablePlan(wanted, True, header, wanted.rules, (), (), ())
    before = {rule.name: rule for rule in stored.rules}
    names = {rule.name for rule in wanted.rules}
    further = tuple(rule for rule in stored.rules if rule.name not in names)
    return TablePlan(
        wanted,
        False,
        _given(wanted, stored.owner, stored.description),
        tuple(rule for rule in wanted.rules if rule.name not in before),
        tuple(
            RuleChange(before[rule.name], rule)
            for rule in wanted.rules
            if rule.name in before and before[rule.name].document() != rule.document()
        ),
        further if prune else (),
        () if prune else further,
    )


def _given(wanted: TableRules, owner: str | None, description: str) -> tuple[FieldChange, ...]:
    changes = []
    if wanted.owner is not None and wanted.owner != owner:
        changes.append(FieldChange("owner", owner, wanted.owner))
    if wanted.description and wanted.description != description:
        changes.append(FieldChange("description", description, wanted.description))
    return tuple(changes)


def _shown(changes: Iterable[FieldChange]) -> dict[str, dict[str, Any]]:
    return {change.field: {"before": change.before, "after": change.after} for change in changes}


def _arrow(change: FieldChange) -> str:
    return f"{change.field}: {_text(change.before)} -> {_text(change.after)}"


def _in_brief(rule: Rule) -> str:
    return ", ".join(
        value if name == "type" else f"{name} {_text(value)}"
        for name, value in brief(rule).items()
        if name != "name"
    )


def _text(value: Any) -> str:
    if isinstance(value, str) and value and value.isprintable() and '"' not in value:
        return value
    return json.dumps(value, ensure_ascii=False)
