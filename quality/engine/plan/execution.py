"""Runs planned tests on a snapshot: proofs, one scan, exact counts, the rest as dbt wrote it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from quality.engine.plan.arranging import MOST_KEPT, SCANNED_PER_SORT, Arrangement
from quality.engine.plan.duplicates import exact_duplicates, settled
from quality.engine.plan.experience import Experience
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.progress import Progress
from quality.engine.plan.scan import Entry, Row, Scan, exact_values, scans
from quality.engine.plan.shapes import Duplicates, Orphans, RelationName, Values
from quality.engine.target.catalogue import Signature
from quality.engine.target.proofs import Readiness, permission_query, wrapped
from quality.engine.target.snapshot import Snapshot
from quality.engine.target.wire import Answer

Handler = Callable[["Execution", Answer], None]
"""Takes the answer to a statement; of no one run, so that it can be kept with the statement."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a run asks first, and how many rows it takes tests to be about without asking.

    It holds for one `version` of the experience. `repeated` are statements of ours.
    """

    version: int
    asked: tuple[tuple[str, Handler], ...]
    repeated: frozenset[str]
    estimates: tuple[tuple[int, int | None], ...]


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
        only: Collection[int] | None = None,
    ) -> None:
        """`queries` may run at the same time. `remembered`: the tests are those of other runs too,
        so that their scans are kept. `only` the tests at these places run.
        """
        self._experience = experience
        self._remembered = remembered
        self._arrangement = Arrangement(
            signatures, experience, queries=queries, remembered=remembered
        )
        self.is_small = self._arrangement.is_small
        is_tiny = self._arrangement.is_tiny
        self._progress = [
            Progress(place, ready.completed(planned, with_hashes=not is_tiny), ready)
            for place, (planned, ready) in enumerate(zip(tests, readiness, strict=True))
            if planned.test.dbt_only is None and (only is None or place in only)
        ]
        self._by_place = {progress.place: progress for progress in self._progress}
        self._scans: list[str] = []
        self._asked: list[tuple[str, Handler]] = []
        self.repeated: Set[str] = frozenset()
        """Statements of ours that the next run will most likely ask again, word for word."""
        self._begin(only)

    def first(self) -> list[str]:
        """Statements that may be asked together with the beginning of the snapshot.

        None where the tables are large: then they run side by side once it has begun.
        """
        return [statement for statement, _ in self._asked] if self.is_small else []

    def findings(self, snapshot: Snapshot, answers: Sequence[Answer]) -> dict[int, Finding]:
        """By the tests' places, without those that only dbt can run. Raises what Snapshot does.

        `answers` are those to `first`.
        """
        run = snapshot.ask if self.is_small else snapshot.run
        while self._asked:
            asked, self._asked = self._asked, []
            found = answers or run([statement for statement, _ in asked])
            answers = ()
            for (_, handle), answer in zip(asked, found, strict=True):
                handle(self, answer)
            self._ask_exact_values([p for p in self._progress if p.is_inexact])
        return {progress.place: progress.finding() for progress in self._progress}

    def _begin(self, only: Collection[int] | None) -> None:
        """Ask what was asked the last time, unless anything was learned since then."""
        agendas, version = self._experience.agendas, self._experience.version
        places = None if only is None else frozenset(only)
        key = (places, *self._arrangement.circumstances) if self._remembered else None
        agenda = agendas.get(key)
        if agenda is None or agenda.version != version:
            self._ask_first()
            estimates = tuple((p.place, p.tested) for p in self._progress if p.estimated)
            agenda = Agenda(version, tuple(self._asked), frozenset(self._scans), estimates)
            if key is not None:
                if len(agendas) >= MOST_KEPT:
                    agendas.clear()
                agendas[key] = agenda
        self._asked = list(agenda.asked)
        self.repeated = agenda.repeated
        for place, rows in agenda.estimates:
            self._by_place[place].tested, self._by_place[place].estimated = rows, True

    def _ask_first(self) -> None:
        shared: list[Progress] = []
        counted: list[Progress] = []
        impure_values: list[Progress] = []
        for progress in self._progress:
            if progress.ready.proof is not None:
                handler = partial(Execution._prove, place=progress.place)
                self._ask(permission_query(progress.planned), handler)
                counted.append(progress)
            elif self._runs_alone(progress):
                self._ask_own(progress)
                counted.append(progress)
            elif self._arrangement.is_grouped(progress.place, progress.planned):
                self._ask_exact_duplicates(progress)
                counted.append(progress)
            elif self._is_impure_values(progress):
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

    def _is_impure_values(self, progress: Progress) -> bool:
        place, planned = progress.place, progress.planned
        return not self.is_small and self._arrangement.is_impure(place, planned, Values)

    def _sorts(self, progress: Progress) -> bool:
        proved = progress.ready.proof is not None
        return isinstance(progress.planned.shape, Duplicates) and not proved

    def _ask_exact_duplicates(self, progress: Progress) -> None:
        shape = progress.planned.shape
        if isinstance(shape, Duplicates):
            handler = partial(Execution._take_duplicates, place=progress.place)
            by_sorting = progress.place in self._experience.mostly_unique
            most = self._arrangement.most_remembered
            statement = exact_duplicates(shape, mostly_unique=by_sorting, most=most)
            self._scans.append(statement)
            self._ask(statement, handler)

    def _ask_scans(self, shared: list[Progress], counted: list[Progress], others: int = 0) -> None:
        """Scans; of the counted tests only the rows that they are about.

        `others` are queries that run at the same time. What only statistics are needed for is
        counted where its relation is read anyway.
        """
        read = {test.planned.shape.subject.relation for test in shared if test.planned.shape}
        counting = [
            test
            for test in counted
            if test.planned.subject is not None
            and test.planned.counts_rows
            and not test.ready.broken
        ]
        unproved = [test for test in counting if self._estimate(test) is None]
        read |= {test.planned.subject.relation for test in unproved if test.planned.subject}
        asked = []
        for test in counting:
            if test.planned.subject is not None and test.planned.subject.relation in read:
                asked.append(test)
            else:
                test.tested, test.estimated = self._estimate(test), True
        for scan in self._arrangement.scans(
            [(test.place, test.planned) for test in shared],
            [(test.place, test.planned) for test in asked],
            others,
        ):
            self._scans.append(scan.statement)
            self._ask(scan.statement, partial(Execution._take_scan, scan=scan))

    def _estimate(self, progress: Progress) -> int | None:
        proved = progress.ready.proof is not None
        return self._arrangement.estimate(progress.planned) if proved else None

    def _ask_exact_values(self, tests: Sequence[Progress]) -> None:
        """For tests of which dbt's count is not known: their distinct values, in one scan."""
        by_relation: dict[RelationName, list[Progress]] = defaultdict(list)
        for progress in tests:
            shape = progress.planned.shape
            if isinstance(shape, Values):
                by_relation[shape.subject.relation].append(progress)
        for group in by_relation.values():
            statement = exact_values([progress.planned for progress in group])
            places = tuple(progress.place for progress in group)
            self._ask(statement, partial(Execution._take_values, places=places))

    def _ask_own(self, progress: Progress) -> None:
        handler = partial(Execution._take_own, place=progress.place)
        self._ask(wrapped(progress.planned), handler)

    def _prove(self, answer: Answer, place: int) -> None:
        self._by_place[place].prove(answer)

    def _take_own(self, answer: Answer, place: int) -> None:
        self._by_place[place].take_own(answer)

    def _take_scan(self, answer: Answer, scan: Scan) -> None:
        if answer.failed:
            self._scan_failed(scan, answer)
            return
        row = answer.rows[0]
        seconds = answer.seconds / len(scan.counted)
        by_place = self._by_place
        experience = self._experience
        look_fails = scan.look is not None and row[scan.look] != "0"
        unknown: list[Progress] = []
        for counted in scan.counted:
            progress = by_place[counted.place]
            if look_fails and counted.rows == scan.look:
                progress.take_counts(replace(counted, rows=None), row, seconds)
                experience.rows(counted.place, 1)
                unknown.append(progress)
                continue
            progress.take_counts(counted, row, seconds)
            experience.rows(counted.place, progress.rows)
            if counted.known:
                self._settle(progress, tuple(row[column] for column in counted.known))
            elif counted.exact is not None:
                experience.exact(counted.place, progress.rows or 0)
            elif progress.is_inexact and isinstance(progress.planned.shape, Duplicates):
                self._look_closer(progress)
        if unknown:
            self._ask_scans(unknown, [])

    def _settle(self, progress: Progress, known: Row) -> None:
        """Whether the known duplicates are still all there are; otherwise they are counted."""
        numbers, *keys = known
        found = settled(progress.rows or 0, numbers, *(int(one or 0) for one in keys))
        if found is None:
            self._experience.unsettled(progress.place)
            self._look_closer(progress)
            return
        self._experience.exact(progress.place, found[0])
        progress.count(*found, "scan", 0.0)

    def _look_closer(self, progress: Progress) -> None:
        """A surplus was found among a column's values: how many stand more than once."""
        self._experience.surplus(progress.place, progress.rows or 0, progress.tested or 0)
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
            handler = partial(Execution._take_fragile, place=test.place, scan=own)
            self._ask(own.statement, handler)
        safe = [test for test in judging if test not in fragile]
        if safe:
            self._ask_scans(safe, [test for test in tests if test not in safe])

    def _take_fragile(self, answer: Answer, place: int, scan: Scan) -> None:
        """Only a test that breaks a scan of its own is kept out of others."""
        progress = self._by_place[place]
        if answer.failed:
            self._avoid(progress, answer)
            self._own_instead(progress, answer)
        else:
            self._take_scan(answer, scan)

    def _take_duplicates(self, answer: Answer, place: int) -> None:
        progress = self._by_place[place]
        if answer.failed:
            self._own_instead(progress, answer)
            return
        keys, rows = (int(value or 0) for value in answer.rows[0][:2])
        self._experience.exact(progress.place, keys)
        if self._remembered:
            most = self._arrangement.most_remembered
            self._experience.repeated(progress.place, answer.rows[0][2], most)
        progress.count(keys, rows, "grouped", answer.seconds)

    def _take_values(self, answer: Answer, places: tuple[int, ...]) -> None:
        group = [self._by_place[place] for place in places]
        if answer.failed and len(group) > 1 and not answer.stops_all:
            for progress in group:
                handler = partial(Execution._take_values, places=(progress.place,))
                self._ask(exact_values([progress.planned]), handler)
            return
        if answer.failed:
            for progress in group:
                self._avoid(progress, answer)
                self._own_instead(progress, answer)
            return
        counts = [int(value or 0) for value in answer.rows[0]]
        for progress, rows, values in zip(group, counts[::2], counts[1::2], strict=True):
            self._experience.exact(progress.place, values)
            progress.count(values, rows, "second_scan", answer.seconds / len(group))

    def _avoid(self, progress: Progress, answer: Answer) -> None:
        """Keep it out of scans from now on, unless what it failed for may be over."""
        if not answer.is_passing:
            self._experience.broke(progress.place)

    def _own_instead(self, progress: Progress, answer: Answer) -> None:
        """As dbt wrote it, unless it would only take as long again."""
        progress.is_inexact = False
        if answer.stops_all:
            progress.fail(answer, "the query")
        else:
            self._ask_own(progress)

    def _ask(self, statement: str, handler: Handler) -> None:
        self._asked.append((statement, handler))
