"""What an execution wrote, as the scope of a check."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any


def written(column: str | None, by: str, execution: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The predicates that take the rows of an execution; none where it cannot be told, and then the
    whole table is checked.

    By `time`: from its start to its end. By `watermark`: after the old one, where it had one, up to
    the new one. By `execution`: its id.
    """
    if column is None:
        return []
    if by == "execution":
        return [{"column": column, "op": "=", "value": execution["id"]}]
    if by == "time":
        ends = [
            {"timestamp": execution[name].astimezone(UTC).isoformat()}
            for name in ("start_date", "end_date")
        ]
        return [{"column": column, "op": "between", "value": ends}]
    scope: list[dict[str, Any]] = []
    if execution["next_watermark"] is not None:
        if execution["watermark"] is not None:
            scope.append(_than(column, ">", execution["watermark"]))
        scope.append(_than(column, "<=", execution["next_watermark"]))
    return scope


def _than(column: str, operator: str, watermark: str) -> dict[str, Any]:
    return {"column": column, "op": operator, "value": {"literal": watermark}}
