"""Judges results that the engine only measured, by what was measured before.

It happens where outcomes are stored, whoever ran the check, so that there is one history and one
judgement. A batch without such results costs nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from api.store import measurements
from api.store.checks import predicates_of
from api.store.measurements import Measurement, Place
from api.store.outcomes import Finished
from quality.catalogue.history import JUDGED_WHEN_STORED
from quality.checks import CheckOutcome, RuleResult
from quality.documents import strictly
from quality.history import Earlier, Series, definition_hash, judge, reach, series_of
from quality.logs import get_logger
from quality.predicates import Predicate
from quality.rules import Rule

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A result that waits for its judgement: where it stands, and its rule and series."""

    check: int
    result: int
    table_id: int
    rule: Rule
    series: Series

    def place(self) -> Place:
        return Place(self.table_id, self.rule.name, definition_hash(self.rule), self.series.key)


def complete(db: Connection, finished: list[Finished]) -> list[Finished]:
    """The same runs with every result judged, and with the measurements that are to be kept.

    Those of a check that goes on are kept with the whole of it, where it is judged again: so that
    it is never compared with itself.
    """
    ids = [one.id for one in finished if any(_waits(result) for result in one.outcome.results)]
    if not ids:
        return finished
    known = measurements.subjects(db, ids)
    waiting: list[_Waiting] = []
    outcomes = [one.outcome for one in finished]
    for number, one in enumerate(finished):
        subject = known.get(one.id)
        names = {result.rule for result in one.outcome.results if _waits(result)}
        rules = _rules(subject.rules, names) if subject is not None else {}
        scope = predicates_of(subject.scope) if subject is not None else ()
        for place, result in enumerate(one.outcome.results):
            if not _waits(result):
                continue
            rule = rules.get(result.rule)
            if subject is None or subject.table_id is None or rule is None:
                outcomes[number] = _with(outcomes[number], place, _unknown(result))
                continue
            series = series_of(rule, scope, one.outcome.finished_at)
            waiting.append(_Waiting(number, place, subject.table_id, rule, series))
    kept: list[list[Measurement]] = [[] for _ in finished]
    for one, before in zip(waiting, _earlier(db, waiting), strict=True):
        result = outcomes[one.check].results[one.result]
        judged = _judged(one.rule, result, before, one.series)
        outcomes[one.check] = _with(outcomes[one.check], one.result, judged)
        if judged.status == "error":  # nothing for others to be compared with
            continue
        kept[one.check].append(
            Measurement(
                one.rule.name,
                definition_hash(one.rule),
                one.series.key,
                one.series.at,
                dict(result.measured),
            )
        )
    return [
        replace(one, outcome=outcome, measurements=() if one.is_partial else tuple(own))
        for one, outcome, own in zip(finished, outcomes, kept, strict=True)
    ]


def foresee(
    db: Connection,
    table_id: int,
    rules: Sequence[Rule],
    scope: Sequence[Predicate],
    outcome: CheckOutcome,
) -> CheckOutcome:
    """The outcome of rules that were only tried, judged as it would be if it were stored now."""
    known = {rule.name: rule for rule in rules}
    waiting = [
        _Waiting(0, place, table_id, rule, series_of(rule, scope, outcome.finished_at))
        for place, result in enumerate(outcome.results)
        if _waits(result) and (rule := known.get(result.rule)) is not None
    ]
    for one, before in zip(waiting, _earlier(db, waiting), strict=True):
        result = outcome.results[one.result]
        outcome = _with(outcome, one.result, _judged(one.rule, result, before, one.series))
    return outcome


def _waits(result: RuleResult) -> bool:
    return result.status == "skipped" and result.message == JUDGED_WHEN_STORED


def _earlier(db: Connection, waiting: Sequence[_Waiting]) -> list[list[Earlier]]:
    if not waiting:
        return []
    asked = [(one.place(), reach(one.rule, one.series.at)) for one in waiting]
    return measurements.earlier(db, asked)


def _judged(
    rule: Rule, result: RuleResult, before: Sequence[Earlier], series: Series
) -> RuleResult:
    try:
        found = judge(rule, result.measured, before, series.at)
    except (ValueError, TypeError, ArithmeticError) as error:  # measures that are none of ours
        log.warning("measures_unusable", rule=rule.name, error=type(error).__name__)
        words = "engine: what was measured cannot be compared"
        return result.model_copy(update={"status": "error", "measured": {}, "message": words})
    return result.model_copy(
        update={
            "status": found.status,
            "failures": found.failures,
            "message": found.message[:4096] if found.message else None,
            "measured": found.measured,
            "groups": found.groups,
            "groups_left_out": found.groups_left_out,
        }
    )


def _unknown(result: RuleResult) -> RuleResult:
    return result.model_copy(update={"message": "the rule or its table was deleted meanwhile"})


def _with(outcome: CheckOutcome, place: int, result: RuleResult) -> CheckOutcome:
    results = (*outcome.results[:place], result, *outcome.results[place + 1 :])
    return outcome.model_copy(update={"results": results})


def _rules(documents: Iterable[dict[str, Any]], names: Collection[str]) -> dict[str, Rule]:
    """By name, those on history that this version of the service understands."""
    found: dict[str, Rule] = {}
    for document in documents:
        if document.get("name") not in names:
            continue
        try:
            rule = strictly(Rule, document)
        except ValidationError:
            continue
        if rule.rule_type.category == "H":
            found[rule.name] = rule
    return found
