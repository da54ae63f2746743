"""What runs of a plan teach for the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quality.engine.plan.duplicates import Known, learned
from quality.engine.plan.scan import Scan


@dataclass(slots=True)
class Experience:
    """By the places of tests.

    `fragile` ones broke a scan. `failing` ones had failing rows: they are counted at once the next
    time, the others only when a look at all of them finds any. `impure` ones found values or
    duplicates to be counted exactly: they are counted so at once the next time, `mostly_unique`
    ones by sorting; `known` are the keys that stand more than once. `scans` and `agendas` are kept
    because making them takes a while. `is_settled`: what was asked first was all that was asked the
    last time, so that nobody is kept waiting for the end of the transaction.
    """

    fragile: set[int] = field(default_factory=set)
    failing: set[int] = field(default_factory=set)
    impure: set[int] = field(default_factory=set)
    mostly_unique: set[int] = field(default_factory=set)
    known: dict[int, Known] = field(default_factory=dict)
    scans: dict[tuple[object, ...], list[Scan]] = field(default_factory=dict)
    agendas: dict[object, Any] = field(default_factory=dict)
    is_settled: bool = False
    version: int = 0
    """Another one whenever anything was learned."""

    def broke(self, place: int) -> None:
        """It breaks scans."""
        self._note(self.fragile, place, True)

    def rows(self, place: int, failing: int | None) -> None:
        """A scan counted its failing rows."""
        self._note(self.failing, place, bool(failing))

    def exact(self, place: int, found: int) -> None:
        """Its values, or the keys that stand more than once, were counted exactly."""
        self._note(self.impure, place, bool(found))

    def surplus(self, place: int, over: int, values: int) -> None:
        """So many rows were over, beyond the first of each value."""
        self._note(self.mostly_unique, place, 2 * over < values)

    def repeated(self, place: int, numbers: str | None, most: int) -> None:
        """A grouping gave these numbers of keys that stand more than once; `most` are kept."""
        before = self.known.pop(place, None)
        found = learned(numbers, before, most)
        if found is not None:
            self.known[place] = found
        if found != before:
            self.version += 1

    def unsettled(self, place: int) -> None:
        """The keys that were known are not all that stand more than once."""
        if self.known.pop(place, None) is not None:
            self.version += 1

    def _note(self, places: set[int], place: int, holds: bool) -> None:
        if (place in places) != holds:
            (places.add if holds else places.discard)(place)
            self.version += 1
