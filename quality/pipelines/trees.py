"""The tree of an execution: who took the time, and where it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


def tree(
    root_id: int, rows: Iterable[Mapping[str, Any]], now: datetime
) -> tuple[dict[str, Any], int | None]:
    """The nodes from the root down, and the id of the execution where a failure began.

    Each row has id, parent_id, start_date, end_date and completed_successfully, and is shown with
    `seconds` (so far, where it still runs), `share` of the root's time, `own_share` (without its
    children's part of it), `is_failed` and `children` in the order of their starts. A failure began
    at the first failed execution, by its end, that has no failed child.
    """
    nodes: dict[int, dict[str, Any]] = {}
    for row in rows:
        end = row["end_date"] or now
        seconds = max(0.0, (end - row["start_date"]).total_seconds())
        is_failed = row["completed_successfully"] is False
        nodes[row["id"]] = {**row, "seconds": seconds, "is_failed": is_failed, "children": []}
    root = nodes[root_id]
    for node in nodes.values():
        if node["id"] != root_id:
            nodes[node["parent_id"]]["children"].append(node)
    total = root["seconds"]
    broken: list[dict[str, Any]] = []
    for node in nodes.values():
        children = node["children"]
        children.sort(key=lambda child: (child["start_date"], child["id"]))
        covered = _covered(node, now) if children else 0.0
        node["share"] = _share(node["seconds"], total)
        node["own_share"] = _share(max(0.0, node["seconds"] - covered), total)
        if node["is_failed"] and not any(child["is_failed"] for child in children):
            broken.append(node)
    first = min(broken, key=lambda node: (node["end_date"] or now, node["id"]), default=None)
    return root, None if first is None else first["id"]


def _covered(node: Mapping[str, Any], now: datetime) -> float:
    """Seconds of a node in which at least one of its children, in order of start, ran."""
    seconds = 0.0
    end_of_node = node["end_date"] or now
    reached = node["start_date"]
    for child in node["children"]:
        start = max(child["start_date"], reached)
        end = min(child["end_date"] or now, end_of_node)
        if end > start:
            seconds += (end - start).total_seconds()
            reached = end
    return seconds


def _share(seconds: float, total: float) -> float:
    return round(seconds / total, 6) if total > 0 else 0.0
