"""The tree of an execution: who took the time, and where it failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Run(NamedTuple):
    """One execution: `began_s` is when, after the root; `seconds` how long, so far or in all."""

    id: int
    parent_id: int | None
    pipeline_id: int
    start_date: str
    end_date: str | None
    completed_successfully: bool | None
    total_rows: int | None
    began_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Tree:
    """The root with all below it, and the execution where a failure began."""

    root: dict[str, Any]
    failed_id: int | None


def tree(root_id: int, runs: Iterable[Run | tuple[Any, ...]]) -> Tree:
    """The nodes from the root down; `runs` come from the top, parents before their children.

    Each node has `share` of the root's time, `own_share` (without the time in which its children
    ran) and `children` in the order of their starts. A failure began at the execution that failed
    first of those that have no failed child.
    """
    nodes: dict[int, dict[str, Any]] = {}
    times: dict[int, tuple[float, float]] = {}
    parents: dict[int, list[dict[str, Any]]] = {}
    failed: list[dict[str, Any]] = []
    total = 0.0
    # Thousands of them are taken in one request: so one pass, and no call for each.
    for number, parent_id, pipeline_id, start, end, succeeded, rows, began_s, seconds in runs:
        is_root = number == root_id
        if is_root:
            total = seconds or 1.0
        share = round(seconds / total, 6)
        children: list[dict[str, Any]] = []
        nodes[number] = node = {
            "id": number,
            "parent_id": parent_id,
            "pipeline_id": pipeline_id,
            "start_date": start,
            "end_date": end,
            "completed_successfully": succeeded,
            "total_rows": rows,
            "seconds": seconds,
            "share": share,
            "own_share": share,
            "is_failed": succeeded is False,
            "children": children,
        }
        times[number] = (began_s, seconds)
        if succeeded is False:
            failed.append(node)
        if parent_id is not None and not is_root:
            siblings = nodes[parent_id]["children"]
            if not siblings:
                parents[parent_id] = siblings
            siblings.append(node)
    for number, children in parents.items():
        children.sort(key=lambda child: (times[child["id"]][0], child["id"]))
        spans = [times[child["id"]] for child in children]
        own = times[number][1] - _covered(spans, sum(times[number]))
        nodes[number]["own_share"] = round(max(0.0, own) / total, 6)
    broken = (node for node in failed if not any(child["is_failed"] for child in node["children"]))
    first = min(broken, key=lambda node: (sum(times[node["id"]]), node["id"]), default=None)
    return Tree(nodes[root_id], None if first is None else first["id"])


def _covered(spans: list[tuple[float, float]], end: float) -> float:
    """Seconds up to `end` in which at least one of these ran, (began, seconds) in their order."""
    covered, reached = 0.0, spans[0][0]
    for began, seconds in spans:
        start, until = max(began, reached), min(began + seconds, end)
        if until > start:
            covered += until - start
            reached = until
    return covered
