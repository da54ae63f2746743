"""What runs of a plan teach for the next one."""

from __future__ import annotations

from dataclasses import dataclass, field

from quality.engine.plan.duplicates import Known, learned
from quality.engine.plan.scan import Scan


@dataclass(slots=True)
class Experience:
    """By the places of tests.

    `fragile` ones broke a scan. `failing` ones had failing rows: they are counted at once the next
    time, the others only when a look at all of them finds any. `impure` ones found values or
    duplicates to be counted exactly: they are counted so at once the next time, `mostly_unique`
    ones by sorting; `known` are the keys that stand more than once. `scans` are kept because making
    them takes a while.
    """

    fragile: set[int] = field(default_factory=set)
    failing: set[int] = field(default_factory=set)
    impure: set[int] = field(default_factory=set)
    mostly_unique: set[int] = field(default_factory=set)
    known: dict[int, Known] = field(default_factory=dict)
    scans: dict[tuple[object, ...], list[Scan]] = field(default_factory=dict)

    def rows(self, place: int, failing: int | None) -> None:
        """A scan counted its failing rows."""
        (self.failing.add if failing else self.failing.discard)(place)

    def exact(self, place: int, found: int) -> None:
        """Its values, or the keys that stand more than once, were counted exactly."""
        (self.impure.add if found else self.impure.discard)(place)

    def surplus(self, place: int, over: int, values: int) -> None:
        """So many rows were over, beyond the first of each value."""
        (self.mostly_unique.add if 2 * over < values else self.mostly_unique.discard)(place)

    def repeated(self, place: int, numbers: str | None) -> None:
        """A grouping gave these numbers of keys that stand more than once."""
        found = learned(numbers, self.known.pop(place, None))
        if found is not None:
            self.known[place] = found
