"""What a check is expected to cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the target's planner expects: `rows` that the scope leaves of the table, `bytes` to be
    read from tables, `cost` in the planner's unit (about the reading of a page)."""

    rows: float = 0.0
    bytes: float = 0.0
    cost: float = 0.0
