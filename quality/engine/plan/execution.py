"""Runs planned tests on a snapshot: proofs, one scan, exact counts, the rest as dbt wrote it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from quality.engine.plan.duplicates import Known, exact_duplicates, learned, settled
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.progress import Progress
from quality.engine.plan.scan import (
    Counted,
    Entry,
    Row,
    Scan,
    exact_values,
    scans,
    spread,
)
from quality.engine.plan.shapes import Duplicates, Orphans, RelationName, Rows, Values
from quality.engine.target.catalogue import Signature
from quality.engine.target.proofs import Readiness, permission_query, wrapped
from quality.engine.target.snapshot import Snapshot
from quality.engine.target.wire import Answer

SMALL_BYTES = 8 * 1024 * 1024
"""Below this size of a table a round trip costs more than a scan."""

TINY_BYTES = 1024 * 1024
"""Below this size keys are sorted as fast as their hashes are made."""

FEWEST_LOOKED = 8
"""Tests that are worth a look at all of them together, before each is counted for itself."""

SCANNED_PER_SORT = 10
"""Tests that one process of the database can count in about the time that a sort takes."""

MOST_SCANS = 32
"""Kept for each plan, one for each combination of what earlier runs taught."""

Handler = Callable[[Answer], None]


@dataclass(slots=True)
class Experience:
    """What earlier runs of a plan taught, by the places of tests.

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


class Execution:
    """One run of tests on one snapshot, in rounds: what an answer leaves open is asked next.

    `first` may be asked before the snapshot is there; then come the `findings`.
    """

    def __init__(
        self,
        tests: Sequence[PlannedTest],
        readiness: Sequence[Readiness],
        signatures: Mapping[RelationName, Signature],
        experience: Experience,
        *,
        queries: int,
        remembered: bool,
    ) -> None:
        """`queries` may run at the same time. `remembered`: the tests are those of other runs too,
        so that their scans are kept.
        """
        self._queries = queries
        self._signatures = signatures
        self._experience = experience
        self._remembered = remembered
        self._known_scans = experience.scans if remembered else {}
        self._is_small = all(self._is_small_table(relation) for relation in signatures)
        self._is_tiny = all(known.bytes < TINY_BYTES for known in signatures.values())
        self._progress = [
            Progress(place, planned if self._is_tiny else ready.completed(planned), ready)
            for place, (planned, ready) in enumerate(zip(tests, readiness, strict=True))
            if planned.test.dbt_only is None
        ]
        self._by_place = {progress.place: progress for progress in self._progress}
        self._asked: list[tuple[str, Handler]] = []
        self._ask_first()

    def first(self) -> list[str]:
        """Statements that may be asked together with the beginning of the snapshot.

        None where the tables are large: then they run side by side once it has begun.
        """
        return [statement for statement, _ in self._asked] if self._is_small else []

    def findings(self, snapshot: Snapshot, answers: Sequence[Answer]) -> dict[int, Finding]:
        """By the tests' places, without those that only dbt can run. Raises what Snapshot does.

        `answers` are those to `first`.
        """
        run = snapshot.ask if self._is_small else snapshot.run
        while self._asked:
            asked, self._asked = self._asked, []
            found = answers or run([statement for statement, _ in asked])
            answers = ()
            for (_, handle), answer in zip(asked, found, strict=True):
                handle(answer)
            self._ask_exact_values([p for p in self._progress if p.is_inexact])
        return {progress.place: progress.finding() for progress in self._progress}

    def _ask_first(self) -> None:
        shared: list[Progress] = []
        counted: list[Progress] = []
        impure_values: list[Progress] = []
        for progress in self._progress:
            if progress.ready.proof is not None:
                self._ask(permission_query(progress.planned), progress.prove)
                counted.append(progress)
            elif self._runs_alone(progress):
                self._ask(wrapped(progress.planned), progress.take_own)
                counted.append(progress)
            elif self._is_counted_exactly(progress):
                self._ask_exact_duplicates(progress)
                counted.append(progress)
            elif self._is_impure(progress, Values) and not self._is_small:
                impure_values.append(progress)
            else:
                shared.append(progress)
        sorting = [progress for progress in self._progress if self._sorts(progress)]
        if len(shared) + len(impure_values) <= SCANNED_PER_SORT * len(sorting):
            # The scan may be as slow as the sorts beside it: one pass over the table less.
            shared += impure_values
        else:
            self._ask_exact_values(impure_values)
            counted += impure_values
        others, self._asked = self._asked, []
        self._ask_scans(shared, counted, len(others))
        self._asked += others  # what takes longest begins first

    def _runs_alone(self, progress: Progress) -> bool:
        planned = progress.planned
        return (
            progress.ready.alone
            or planned.shape is None
            or isinstance(planned.shape, Orphans)
            or progress.place in self._experience.fragile
        )

    def _is_counted_exactly(self, progress: Progress) -> bool:
        """Whether it is counted by a query of its own, without a look whether anything fails."""
        shape = progress.planned.shape
        if not isinstance(shape, Duplicates):
            return False
        if len(shape.keys) > 1 and shape.digest is None:
            return True
        return self._is_impure(progress, Duplicates) and self._steady(progress) is None

    def _steady(self, progress: Progress) -> Known | None:
        """The keys of a large table that stood more than once each time, and probably still do."""
        known = self._experience.known.get(progress.place)
        if known is None or not known.is_steady or self._is_small or not self._remembered:
            return None
        return known

    def _is_impure(self, progress: Progress, kind: type[Values | Duplicates]) -> bool:
        is_impure = progress.place in self._experience.impure
        return is_impure and isinstance(progress.planned.shape, kind)

    def _sorts(self, progress: Progress) -> bool:
        proved = progress.ready.proof is not None
        return isinstance(progress.planned.shape, Duplicates) and not proved

    def _ask_exact_duplicates(self, progress: Progress) -> None:
        shape = progress.planned.shape
        if isinstance(shape, Duplicates):
            handler = partial(self._take_duplicates, progress)
            by_sorting = progress.place in self._experience.mostly_unique
            self._ask(exact_duplicates(shape, mostly_unique=by_sorting), handler)

    def _ask_scans(self, shared: list[Progress], counted: list[Progress], others: int = 0) -> None:
        """Scans of each relation; of the counted tests only the rows that they are about.

        `others` are queries that run at the same time.
        """
        by_relation: dict[RelationName, list[Entry]] = defaultdict(list)
        for progress in shared:
            shape = progress.planned.shape
            if shape is not None:
                relation = shape.subject.relation
                is_impure = self._is_impure(progress, Values)
                exactly = is_impure or self._is_small_table(relation)
                known = self._steady(progress) if isinstance(shape, Duplicates) else None
                entry = Entry(progress.place, progress.planned, exactly=exactly, known=known)
                by_relation[relation].append(entry)
        for relation, entries in by_relation.items():
            by_relation[relation] = self._with_look(relation, entries)
        estimated = []
        for progress in counted:
            subject = progress.planned.subject
            if subject is None or progress.ready.broken:
                continue
            if subject.relation not in by_relation and self._estimate(progress):
                estimated.append(progress)
                continue
            entry = Entry(progress.place, progress.planned, counted=True)
            by_relation[subject.relation].append(entry)
        for progress in estimated:
            subject = progress.planned.subject
            if subject is not None and subject.relation in by_relation:
                progress.tested, progress.estimated = None, False
                entry = Entry(progress.place, progress.planned, counted=True)
                by_relation[subject.relation].append(entry)
        for relation, entries in by_relation.items():
            for scan in self._scans(relation, entries, others):
                self._ask(scan.statement, partial(self._take_scan, scan))

    def _with_look(self, relation: RelationName, entries: list[Entry]) -> list[Entry]:
        """Tests of a large table whose rows have all passed before are looked at together."""
        if self._is_small_table(relation):
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
        small = self._is_small_table(relation)
        what = ((one.place, one.counted, one.exactly, one.looked, one.known) for one in entries)
        key = (small, self._is_tiny, others, *what)
        found = self._known_scans.get(key)
        if found is None:
            if len(self._known_scans) >= MOST_SCANS:
                self._known_scans.clear()
            parts = [entries] if small else spread(entries, self._queries - others)
            found = self._known_scans[key] = [scan for part in parts for scan in scans(part)]
        return found

    def _estimate(self, progress: Progress) -> bool:
        """Nothing is read only to know of how many rows a proof is: the statistics say about."""
        planned = progress.planned
        if progress.ready.proof is None or planned.subject is None:
            return False
        known = self._signatures.get(planned.subject.relation)
        if planned.subject.conditions or planned.tested or known is None:
            return False
        progress.tested = known.estimated_rows
        progress.estimated = known.estimated_rows is not None
        return progress.estimated

    def _ask_exact_values(self, tests: Sequence[Progress]) -> None:
        """For tests of which dbt's count is not known: their distinct values, in one scan."""
        by_relation: dict[RelationName, list[Progress]] = defaultdict(list)
        for progress in tests:
            shape = progress.planned.shape
            if isinstance(shape, Values):
                by_relation[shape.subject.relation].append(progress)
        for group in by_relation.values():
            statement = exact_values([progress.planned for progress in group])
            self._ask(statement, partial(self._take_values, group))

    def _take_scan(self, scan: Scan, answer: Answer) -> None:
        if answer.failed:
            self._scan_failed(scan, answer)
            return
        row = answer.rows[0]
        seconds = answer.seconds / len(scan.counted)
        by_place = self._by_place
        failing = self._experience.failing
        look_fails = scan.look is not None and row[scan.look] != "0"
        unknown: list[Progress] = []
        for counted in scan.counted:
            progress = by_place[counted.place]
            if look_fails and counted.rows == scan.look:
                progress.take_counts(replace(counted, rows=None), row, seconds)
                failing.add(counted.place)
                unknown.append(progress)
                continue
            progress.take_counts(counted, row, seconds)
            (failing.add if progress.rows else failing.discard)(counted.place)
            if counted.known is not None:
                self._settle(progress, counted, counted.known, row)
            elif counted.exact is not None:
                self._learn(progress, progress.rows or 0)
            elif progress.is_inexact and isinstance(progress.planned.shape, Duplicates):
                self._look_closer(progress)
        if unknown:
            self._ask_scans(unknown, [])

    def _settle(
        self, progress: Progress, counted: Counted, known: tuple[int, int, int], row: Row
    ) -> None:
        """Whether the known duplicates are still all there are; otherwise they are counted."""
        rows, keys = (int(row[place] or 0) for place in known[:2])
        found = settled(progress.rows or 0, rows, keys, row[known[2]])
        if found is None:
            self._experience.known.pop(progress.place, None)
            self._look_closer(progress)
            return
        self._learn(progress, found[0])
        progress.count(*found, "scan", 0.0)

    def _look_closer(self, progress: Progress) -> None:
        """A surplus was found among a column's values: how many stand more than once."""
        surplus, values = progress.rows or 0, progress.tested or 0
        if 2 * surplus < values:
            self._experience.mostly_unique.add(progress.place)
        else:
            self._experience.mostly_unique.discard(progress.place)
        self._ask_exact_duplicates(progress)

    def _scan_failed(self, scan: Scan, answer: Answer) -> None:
        """Find the tests at fault: those that cannot be stay together, the others run alone."""
        by_place = self._by_place
        tests = [by_place[counted.place] for counted in scan.counted]
        judging = [by_place[counted.place] for counted in scan.counted if counted.judges]
        if answer.stops_all:
            for test in judging:
                test.fail(answer, f"the scan for {len(judging)} rules")
            return
        # A column of a view can break as well, so that even the safe ones may be at fault.
        fragile = [test for test in judging if not test.is_safe] or judging
        for test in fragile:
            (own,) = scans([Entry(test.place, test.planned, exactly=True)])
            self._ask(own.statement, partial(self._take_fragile, test, own))
        safe = [test for test in judging if test not in fragile]
        if safe:
            self._ask_scans(safe, [test for test in tests if test not in safe])

    def _take_fragile(self, progress: Progress, scan: Scan, answer: Answer) -> None:
        """Only a test that breaks a scan of its own is kept out of others."""
        if answer.failed:
            self._avoid(progress, answer)
            self._own_instead(progress, answer)
        else:
            self._take_scan(scan, answer)

    def _take_duplicates(self, progress: Progress, answer: Answer) -> None:
        if answer.failed:
            self._own_instead(progress, answer)
            return
        keys, rows = (int(value or 0) for value in answer.rows[0][:2])
        self._learn(progress, keys)
        if self._remembered and not self._is_small:
            self._remember(progress, answer.rows[0][2])
        progress.count(keys, rows, "grouped", answer.seconds)

    def _take_values(self, group: list[Progress], answer: Answer) -> None:
        if answer.failed and len(group) > 1 and not answer.stops_all:
            for progress in group:
                handler = partial(self._take_values, [progress])
                self._ask(exact_values([progress.planned]), handler)
            return
        if answer.failed:
            for progress in group:
                self._avoid(progress, answer)
                self._own_instead(progress, answer)
            return
        counts = [int(value or 0) for value in answer.rows[0]]
        for progress, rows, values in zip(group, counts[::2], counts[1::2], strict=True):
            self._learn(progress, values)
            progress.count(values, rows, "second_scan", answer.seconds / len(group))

    def _learn(self, progress: Progress, found: int) -> None:
        impure = self._experience.impure
        (impure.add if found else impure.discard)(progress.place)

    def _remember(self, progress: Progress, numbers: str | None) -> None:
        before = self._experience.known.pop(progress.place, None)
        found = learned(numbers, before)
        if found is not None:
            self._experience.known[progress.place] = found

    def _avoid(self, progress: Progress, answer: Answer) -> None:
        """Keep it out of scans from now on, unless what it failed for may be over."""
        if not answer.is_passing:
            self._experience.fragile.add(progress.place)

    def _own_instead(self, progress: Progress, answer: Answer) -> None:
        """As dbt wrote it, unless it would only take as long again."""
        progress.is_inexact = False
        if answer.stops_all:
            progress.fail(answer, "the query")
        else:
            self._ask(wrapped(progress.planned), progress.take_own)

    def _ask(self, statement: str, handler: Handler) -> None:
        self._asked.append((statement, handler))

    def _is_small_table(self, relation: RelationName) -> bool:
        known = self._signatures.get(relation)
        return known is not None and known.kind == "r" and known.bytes < SMALL_BYTES
