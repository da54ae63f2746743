"""What differs between two sets of rules, rule by rule and field by field."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from quality.rules import Rule

Document = dict[str, Any]


def difference(before: Iterable[Document], after: Iterable[Document]) -> Document:
    """`{added, removed, changed}`; rules are the same where their names are.

    Documents may be of an older version that knew fewer fields.
    """
    old = {rule["name"]: complete(rule) for rule in before}
    new = {rule["name"]: complete(rule) for rule in after}
    changed = []
    for name, rule in new.items():
        if name not in old or old[name] == rule:
            continue
        fields = {
            field: {"before": old[name].get(field), "after": rule.get(field)}
            for field in rule | old[name]
            if old[name].get(field) != rule.get(field)
        }
        changed.append({"name": name, "fields": fields})
    return {
        "added": [rule for name, rule in new.items() if name not in old],
        "removed": [rule for name, rule in old.items() if name not in new],
        "changed": changed,
    }


def complete(document: Document) -> Document:
    """The rule with every field that there is now, in their order."""
    return {
        name: document[name]
        if name in document
        else _plain(field.get_default(call_default_factory=True))
        for name, field in Rule.model_fields.items()
    }


def in_force(rules: Iterable[Document], at: datetime) -> list[Document]:
    """Those that were active and valid at that time."""
    return [rule for rule in rules if _is_in_force(rule, at)]


def _is_in_force(rule: Document, at: datetime) -> bool:
    begins, ends = rule.get("valid_from"), rule.get("valid_to")
    return (
        rule["is_active"]
        and (begins is None or datetime.fromisoformat(begins) <= at)
        and (ends is None or at < datetime.fromisoformat(ends))
    )


def _plain(default: Any) -> Any:
    """As JSON has it."""
    return list(default) if isinstance(default, tuple) else default
