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


_Node = dict[str, Any]


def tree(root_id: int, runs: Iterable[Run | tuple[Any, ...]]) -> Tree:
    """The nodes from the root down; `runs` come from the top, parents before their children, and
    those of one parent in the order of their starts.

    Each node has `share` of the root's time, `own_share` (without the time in which its children
    ran) and `children`. A failure began at the execution that failed first of those that have no
    failed child.
    """
    # A node, its children, and when it ended after the root began (seconds).
    places: dict[int, tuple[_Node, list[_Node], float]] = {}
    alone: dict[int, list[float]] = {}  # of parents: seconds without a child, and seen until when
    failed: list[_Node] = []
    total = 0.0
    # Thousands of them are taken in one request: so one pass, and hardly a call for each.
    for number, parent_id, pipeline_id, start, end, succeeded, rows, began_s, seconds in runs:
        is_root = number == root_id
        if is_root:
            total = seconds or 1.0
        share = round(seconds / total, 6)
        children: list[_Node] = []
        node = {
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
        until = began_s + seconds
        places[number] = node, children, until
        if succeeded is False:
            failed.append(node)
        if is_root or parent_id is None:
            continue
        parent, siblings, ended = places[parent_id]
        siblings.append(node)
        left = alone.get(parent_id)
        if left is None:
            left = alone[parent_id] = [parent["seconds"], began_s]
        since = began_s if began_s > left[1] else left[1]
        if until > ended:
            until = ended
        if until > since:
            left[0] -= until - since
            left[1] = until
    for number, (own, _) in alone.items():
        places[number][0]["own_share"] = round(max(0.0, own) / total, 6)
    broken = (node for node in failed if not any(child["is_failed"] for child in node["children"]))
    first = min(broken, key=lambda node: (places[node["id"]][2], node["id"]), default=None)
    return Tree(places[root_id][0], None if first is None else first["id"])
