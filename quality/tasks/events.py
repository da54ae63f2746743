"""When a verdict is an event that something is to be done about: once for each change of state."""

from __future__ import annotations

from typing import Literal

Event = Literal["fail", "warn", "error", "recovery"]

EVENTS: tuple[Event, ...] = ("fail", "warn", "error", "recovery")
_TROUBLE: dict[str, Event] = {"fail": "fail", "warn": "warn", "error": "error"}


def next_state(state: str | None, status: str) -> tuple[str | None, Event | None]:
    """The state of a table after a verdict, and the event that it is, if it is one.

    `no_rules` says nothing about the data: a table that failed before has not recovered by it.
    """
    if status in _TROUBLE:
        return status, _TROUBLE[status] if status != state else None
    if status == "pass":
        return status, "recovery" if state in _TROUBLE else None
    return state, None
