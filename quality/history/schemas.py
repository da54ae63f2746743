"""The columns of a table against what they were, or should be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from quality.catalogue.history import SchemaChange
from quality.checks import Measure
from quality.history.judged import Judged, counted, not_enough, skipped
from quality.history.values import Earlier
from quality.rules import Rule

Columns = dict[str, str]


def judge_schema(
    rule: Rule,
    arguments: SchemaChange,
    measured: Mapping[str, Measure],
    earlier: Sequence[Earlier],
    now: datetime,
) -> Judged:
    """`schema_change`: each column that is gone, of another type, or (if so told) new counts."""
    columns = columns_of(measured)
    if columns is None:
        return skipped("the columns were not measured", {})
    shown: dict[str, Measure] = {"n_columns": len(columns)}
    if arguments.declared is not None:
        before: Columns | None = dict(arguments.declared)
    else:
        known = [(one.at, columns_of(one.measured)) for one in earlier if one.at < now]
        before = next((found for _, found in reversed(known) if found is not None), None)
    if before is None:
        return not_enough(0, 1, shown)
    added = [name for name in columns if name not in before]
    removed = [name for name in before if name not in columns]
    retyped = [
        f"{name} ({before[name]} → {columns[name]})"
        for name in columns
        if name in before and before[name] != columns[name]
    ]
    shown |= {"added": len(added), "removed": len(removed), "retyped": len(retyped)}
    differences = {
        "gone": removed,
        "of another type": retyped if arguments.enforce_types else [],
        "new": added if arguments.fail_on_added else [],
    }
    words = [f"{what}: {_listed(names)}" for what, names in differences.items() if names]
    failing = sum(len(names) for names in differences.values())
    return counted(rule, failing, "; ".join(words), shown)


def columns_of(measured: Mapping[str, object]) -> Columns | None:
    """Names and types from what was measured; None where that is not there."""
    text = measured.get("columns")
    if not isinstance(text, str):
        return None
    found = json.loads(text)
    return {str(name): str(type_) for name, type_ in found}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
