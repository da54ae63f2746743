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


def example(event: Event) -> dict[str, str]:
    """The variables of an action for a made-up verdict: to validate and to try task files."""
    before = "fail" if event == "recovery" else "pass"
    return {
        "VERDICT_EVENT": event,
        "VERDICT_STATUS": "pass" if event == "recovery" else event,
        "VERDICT_BEFORE": before,
        "VERDICT_CAUSE": "data",
        "VERDICT_CONNECTION": "demo",
        "VERDICT_TABLE": "example.table",
        "VERDICT_TABLE_ID": "0",
        "VERDICT_OWNER": "nobody",
        "VERDICT_CHECK_ID": "an-example",
        "VERDICT_AT": "2026-01-01T00:00:00+00:00",
    }
