"""Which tests share a scan, and how each is counted in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from quality.engine.plan.duplicates import MOST_LISTED, MOST_REMEMBERED, Known
from quality.engine.plan.experience import Experience
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import Entry, Scan, scans, spread
from quality.engine.plan.shapes import Duplicates, RelationName, Rows, Values
from quality.engine.target.catalogue import Signature

SMALL_BYTES = 8 * 1024 * 1024
"""Below this size of a table a round trip costs more than a scan."""

TINY_BYTES = 1024 * 1024
"""Below this size keys are sorted as fast as their hashes are made."""

FEWEST_LOOKED = 8
"""Tests that are worth a look at all of them together, before each is counted for itself."""

SCANNED_PER_SORT = 10
"""Tests that one process of the database can count in about the time that a sort takes."""

MOST_KEPT = 32
"""Scans and agendas for each plan, one for each combination of what earlier runs taught."""


class Arrangement:
    """How the tests of one check are to be counted, by the size of tables and by experience."""

    def __init__(
        self,
        signatures: Mapping[RelationName, Signature],
        experience: Experience,
        *,
        queries: int,
        remembered: bool,
    ) -> None:
        """As for `Execution`."""
        self._signatures = signatures
        self._experience = experience
        self._queries = queries
        self._remembered = remembered
        self._kept = experience.scans if remembered else {}
        self.is_small = all(self._is_small(relation) for relation in signatures)
        self.is_tiny = all(known.bytes < TINY_BYTES for known in signatures.values())

    @property
    def circumstances(self) -> tuple[object, ...]:
        """What decides, beside experience, how tests are counted."""
        known = self._signatures.values()
        sizes = [(one.kind, one.bytes < SMALL_BYTES, one.estimated_rows) for one in known]
        return (self._queries, self.is_tiny, *sizes)

    @property
    def most_remembered(self) -> int:
        """How many keys that stand more than once are kept for the next run."""
        return MOST_LISTED if self.is_small else MOST_REMEMBERED

    def is_impure(self, place: int, planned: PlannedTest, kind: type[Values | Duplicates]) -> bool:
        """Whether it is of that kind and was not clean the last time."""
        return place in self._experience.impure and isinstance(planned.shape, kind)

    def is_grouped(self, place: int, planned: PlannedTest) -> bool:
        """Whether its keys are grouped at once, without a look whether any stands twice."""
        shape = planned.shape
        if not isinstance(shape, Duplicates):
            return False
        if len(shape.keys) > 1 and shape.digest is None:
            return True
        return self.is_impure(place, planned, Duplicates) and self._steady(place, shape) is None

    def estimate(self, planned: PlannedTest) -> int | None:
        """About how many rows a proof is of, as the statistics say: none is read to know that."""
        subject = planned.subject
        if subject is None or subject.conditions or planned.tested:
            return None
        known = self._signatures.get(subject.relation)
        return known.estimated_rows if known is not None else None

    def scans(
        self,
        shared: Sequence[tuple[int, PlannedTest]],
        counted: Sequence[tuple[int, PlannedTest]],
        others: int,
    ) -> Iterator[Scan]:
        """Scans of each relation; of the counted tests only the rows that they are about.

        `others` are queries that run at the same time.
        """
        by_relation: dict[RelationName, list[Entry]] = {}
        for place, planned in shared:
            if planned.shape is not None:
                relation = planned.shape.subject.relation
                by_relation.setdefault(relation, []).append(self._entry(place, planned))
        for relation, entries in by_relation.items():
            by_relation[relation] = self._with_look(relation, entries)
        for place, planned in counted:
            if planned.subject is not None:
                entry = Entry(place, planned, counted=True)
                by_relation.setdefault(planned.subject.relation, []).append(entry)
        for relation, entries in by_relation.items():
            yield from self._scans(relation, entries, others)

    def _entry(self, place: int, planned: PlannedTest) -> Entry:
        shape = planned.shape
        is_small = shape is not None and self._is_small(shape.subject.relation)
        return Entry(
            place,
            planned,
            exactly=is_small or self.is_impure(place, planned, Values),
            known=self._steady(place, shape) if isinstance(shape, Duplicates) else None,
        )

    def _steady(self, place: int, shape: Duplicates) -> Known | None:
        """The keys that stood more than once each time, and probably still do."""
        known = self._experience.known.get(place)
        if known is None or not known.is_steady or not self._remembered or shape.digest is None:
            return None
        return known if known.count <= self.most_remembered else None

    def _with_look(self, relation: RelationName, entries: list[Entry]) -> list[Entry]:
        """Tests of a large table whose rows have all passed before are looked at together."""
        if self._is_small(relation):
            return entries
        looked = {
            entry.place
            for entry in entries
            if isinstance(entry.planned.shape, (Rows, Values))
            and entry.place not in self._experience.failing
        }
        if len(looked) < FEWEST_LOOKED:
            return entries
        return [replace(entry, looked=entry.place in looked) for entry in entries]

    def _scans(self, relation: RelationName, entries: list[Entry], others: int) -> list[Scan]:
        small = self._is_small(relation)
        what = ((one.place, one.counted, one.exactly, one.looked, one.known) for one in entries)
        key = (small, self.is_tiny, others, *what)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            parts = [entries] if small else spread(entries, self._queries - others)
            found = self._kept[key] = [scan for part in parts for scan in scans(part)]
        return found

    def _is_small(self, relation: RelationName) -> bool:
        known = self._signatures.get(relation)
        return known is not None and known.kind == "r" and known.bytes < SMALL_BYTES
