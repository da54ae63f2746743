"""What claims said: so that rule sets are not sent again, and a check can begin before its claim is
answered."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from consumer.jobs import Job
from consumer.work import Work
from quality.budgets import Budget
from quality.predicates import resolve
from quality.rules import RuleSet


@dataclass(slots=True)
class _Known:
    """The last claim of one subject: its rules, its budget by what was asked for; and how long its
    last check took, of rows asked for in which way."""

    rule_set_hash: str
    rule_set: RuleSet
    asked: Budget
    budget: Budget
    took_ms: float | None = None
    shape: tuple[tuple[str, str], ...] = ()


class Memory:
    """The subjects claimed last, up to a number of them. For one thread."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._known: OrderedDict[tuple[Any, ...], _Known] = OrderedDict()

    def rule_sets(self, jobs: Iterable[Job]) -> dict[str, RuleSet]:
        """By hash, the rule sets that requests like these had when they were last claimed."""
        found = [self._known.get(_subject(job)) for job in jobs]
        return {known.rule_set_hash: known.rule_set for known in found if known is not None}

    def keep(self, job: Job, work: Work) -> None:
        """The claim of this job was answered with this work."""
        if work.rule_set is None:
            return
        subject = _subject(job)
        known = self._known.get(subject)
        if known is None or known.rule_set_hash != work.rule_set_hash:
            known = self._known[subject] = _Known(
                work.rule_set_hash, work.rule_set, job.request.budget, work.budget
            )
        known.asked, known.budget = job.request.budget, work.budget
        self._known.move_to_end(subject)
        while len(self._known) > self._kept:
            self._known.popitem(last=False)

    def took(self, job: Job, rule_set_hash: str, milliseconds: float) -> None:
        """The check of this job by these rules took so long."""
        known = self._known.get(_subject(job))
        if known is not None and known.rule_set_hash == rule_set_hash:
            known.took_ms, known.shape = milliseconds, _shape(job)

    def expected_ms(self, job: Job) -> float:
        """How long the last check like it took; infinite where nobody knows."""
        known = self._known.get(_subject(job))
        return math.inf if known is None or known.took_ms is None else known.took_ms

    def foresee(self, job: Job, within_ms: float) -> Work | None:
        """What the claim of this job will be answered with, if all is as it was.

        None where nobody can know, or where the last check like it took longer than `within_ms`:
        then there is little to gain, and much to run in vain.
        """
        known, request = self._known.get(_subject(job)), job.request
        if known is None or known.took_ms is None or known.took_ms > within_ms:
            return None
        if request.budget != known.asked or _shape(job) != known.shape:
            return None
        if request.scope and request.scope != resolve(request.scope, datetime.now(UTC)):
            return None  # only the API knows when it was taken
        limit_s = None if request.deadline_ms is None else request.deadline_ms / 1000
        return Work(known.rule_set, known.rule_set_hash, request.scope, limit_s, known.budget)


def _subject(job: Job) -> tuple[Any, ...]:
    """What decides, with the rules as they stand, which of them are run."""
    return *job.table, job.request.select


def _shape(job: Job) -> tuple[tuple[str, str], ...]:
    """In which way rows are asked for, whichever these are: what decides how long that takes."""
    return tuple((predicate.column, predicate.op) for predicate in job.request.scope)
