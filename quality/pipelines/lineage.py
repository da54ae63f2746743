"""Lineage: which address is made from which, without going in a circle."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable


def find_cycle(edges: Iterable[tuple[int, int]], new: Iterable[tuple[int, int]]) -> list[int]:
    """A cycle that the new edges (source, target) would close, as the addresses along it, the first
    one again at its end; the shortest through the first such edge. Empty where there is none."""
    added = list(new)
    following: dict[int, set[int]] = defaultdict(set)
    for source, target in (*edges, *added):
        following[source].add(target)
    for source, target in added:
        path = _path(following, target, source)
        if path:
            return [source, *path]
    return []


def _path(following: dict[int, set[int]], start: int, goal: int) -> list[int]:
    """The shortest way along edges from start to goal, both included."""
    came_from: dict[int, int | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        if here == goal:
            path: list[int] = []
            place: int | None = here
            while place is not None:
                path.append(place)
                place = came_from[place]
            return path[::-1]
        for there in sorted(following.get(here, ())):
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    return []
