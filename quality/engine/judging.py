"""What one check finds on its snapshot: the target is asked in the way that the plan says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from quality.budgets import Budget
from quality.engine.cancellation import Cancellation
from quality.engine.plan.budgets import over_budget
from quality.engine.plan.completing import Completing
from quality.engine.plan.execution import Execution
from quality.engine.plan.finding import Finding
from quality.engine.plan.preparing import Entry, Planner, Prepared, scope_conditions
from quality.engine.plan.urgency import End, as_late, in_stages
from quality.engine.settings import EngineSettings
from quality.engine.target.catalogue import signature_of
from quality.engine.target.pool import Pool
from quality.engine.target.scope import refuse_unfit, refuse_unknown_columns
from quality.engine.target.snapshot import NotLocked, Opened, SnapshotLost, open_snapshot
from quality.errors import EngineError
from quality.predicates import Predicate
from quality.rules import Rule

_CATALOGUE_ATTEMPTS = 6
"""How often a check begins anew because the catalogue changed while it was looked at, or because it
needed more than was foreseen."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is judged, and within what: the rules at `places`, on the rows of `scope`."""

    rules: Sequence[Rule]
    scope: tuple[Predicate, ...]
    places: frozenset[int]
    end: End
    budget: Budget
    cancellation: Cancellation


class Judging:
    """One check of a plan. `tests` are those of the plan, narrowed to the scope."""

    def __init__(
        self, asked: Asked, entry: Entry, planner: Planner, pool: Pool, settings: EngineSettings
    ) -> None:
        queries = asked.budget.queries or settings.queries_per_check
        self._asked = asked
        self._entry = entry
        self._planner = planner
        self._pool = pool
        if queries != settings.queries_per_check:
            settings = settings.model_copy(update={"queries_per_check": queries})
        self._settings = settings
        self._conditions = scope_conditions(asked.scope)
        self.tests = entry.plan.narrowed(self._conditions)

    @property
    def _is_whole(self) -> bool:
        """Whether it is a check as others are: of all rules and all rows."""
        return not self._asked.scope and len(self._asked.places) == len(self.tests)

    def findings(self) -> tuple[dict[int, Finding], Completing]:
        """Of the tests that were asked for but those for dbt, on one snapshot whose catalogue is
        the prepared one; EngineError when the table does not stay as it is."""
        asked, entry = self._asked, self._entry
        may_end = self._is_whole and not asked.end.is_soft
        for _ in range(_CATALOGUE_ATTEMPTS):
            prepared = entry.prepared or self._planner.prepare(entry, self._pool, asked.end.at)
            execution = self._execution(prepared, only=asked.places)
            at_once = execution.first() if asked.budget.rows is None else []
            experience = prepared.experience
            begun = open_snapshot(
                self._pool,
                self._settings,
                asked.end.at,
                asked.cancellation,
                [*prepared.locks, *entry.questions],
                at_once,
                repeated=execution.repeated if prepared.is_plain and not asked.scope else (),
                ends=may_end and experience.is_settled,
                ends_softly=asked.end.is_soft,
            )
            try:
                with begun as opened:
                    signatures = opened.first[len(prepared.locks) :]
                    if prepared.holds_for([signature_of(answer) for answer in signatures]):
                        completing = Completing(asked.rules, self.tests, prepared, self._settings)
                        found = self._found(prepared, execution, opened, completing)
                        asked.cancellation.check()
                        if self._is_whole:
                            has_failed = any(answer.failed for answer in opened.then)
                            is_settled = not opened.snapshot.was_asked and not has_failed
                            experience.is_settled = is_settled
                        return found, completing
            except NotLocked:
                prepared.locks = ()
                continue
            except SnapshotLost:
                may_end = experience.is_settled = False
                continue
            entry.prepared = None
        raise EngineError("the table's definition kept changing while it was to be checked")

    def _execution(self, prepared: Prepared, *, only: frozenset[int]) -> Execution:
        return Execution(
            self.tests,
            prepared.readiness,
            dict(zip(self._entry.relations, prepared.signatures, strict=True)),
            prepared.experience,
            queries=self._settings.queries_per_check,
            remembered=not self._asked.scope,
            only=only,
        )

    def _found(
        self, prepared: Prepared, execution: Execution, opened: Opened, completing: Completing
    ) -> dict[int, Finding]:
        """What the tests find on a snapshot whose catalogue is the prepared one."""
        asked, plan, snapshot = self._asked, self._entry.plan, opened.snapshot
        subject = plan.subject if asked.scope else None
        facts = prepared.facts.get(subject.relation) if subject else None
        if subject is not None and facts is not None:
            refuse_unknown_columns(asked.scope, subject.relation, facts)
        is_staged = asked.end.is_deadline and not execution.is_small
        ready, left_out = prepared.readiness, dict[int, Finding]()
        if asked.budget.rows is not None:
            if not execution.is_small:  # before anything is asked
                snapshot.spread(len(self.tests))
            left_out = over_budget(
                asked.rules, self.tests, ready, snapshot, asked.budget.rows, asked.places
            )
            left = asked.places.difference(left_out)
            execution = self._execution(prepared, only=left)
        if is_staged:
            narrowed = partial(self._execution, prepared)
            found = in_stages(asked.rules, self.tests, ready, snapshot, narrowed, left_out.keys())
        else:
            found = execution.findings(snapshot, opened.then)
        found |= left_out
        if subject is not None and any(one.cause == "database" for one in found.values()):
            refuse_unfit(asked.scope, subject.relation, snapshot)
        whole = completing.of_all(found, plan, self._conditions, snapshot)
        return as_late(found, whole, snapshot) if asked.end.is_soft else whole
