"""Outcomes: storing what runs found, each check's once.

A batch is one statement however many results it has. Checks are locked in the order of their ids
and then tables in the order of theirs, so that batches cannot deadlock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection

from api.store.gate import Gate
from api.store.measurements import Measurement
from api.store.outcome_statement import STATEMENTS
from quality.checks import CheckOutcome, RuleResult
from quality.gate import basis_of, reasons_of

_RESULTS: TypeAdapter[tuple[RuleResult, ...]] = TypeAdapter(tuple[RuleResult, ...])

_SILENT = Gate()


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of a claimed check, with the fencing token of its claim.

    `measurements` are kept with it, for later ones to be compared with. `is_partial`: it is what
    was known at the deadline; the claim goes on, and the whole comes by the same token.
    """

    id: str
    fence: int
    outcome: CheckOutcome
    measurements: tuple[Measurement, ...] = ()
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one posted outcome: `stored`, `replayed`, `stale_fence` or `unknown`."""

    id: str
    result: str
    source: str = ""


_BEGUN = "begun"
"""Of a whole outcome whose check has the verdict of its deadline: another statement stores it."""


def store(db: Connection, finished: list[Finished], gate: Gate = _SILENT) -> list[Stored]:
    """Store finished runs, each once; answers in order.

    The decisions of the gate are made with them and put into the outbox, if `gate` has a topic.
    All of it is one statement and happens or, where this fails, does not. Only what completes a
    check at whose deadline a verdict was stored may take a second one, after the others.
    """
    with_parts = any(one.is_partial for one in finished)
    answers = _store(db, finished, gate, with_parts=with_parts)
    begun = [place for place, one in enumerate(answers) if one.result == _BEGUN]
    if begun:
        rest = [finished[place] for place in begun]
        for place, answer in zip(begun, _store(db, rest, gate, with_parts=True), strict=True):
            answers[place] = answer
    return answers


def _store(
    db: Connection, finished: list[Finished], gate: Gate, *, with_parts: bool
) -> list[Stored]:
    given: dict[tuple[str, int], tuple[int, Finished]] = {}
    for place, one in enumerate(finished):
        first = given.setdefault((one.id, one.fence), (place, one))
        if first[1].is_partial and not one.is_partial:
            given[one.id, one.fence] = place, one
    items = ",".join(_item(place, one) for place, one in given.values())
    samples = [sample for place, one in given.values() for sample in _samples(place, one)]
    measurements = [
        {"place": place, **measurement.document()}
        for place, one in given.values()
        for measurement in one.measurements
    ]
    values: dict[str, Any] = {
        "items": f"[{items}]",
        "ids": list({one.id for one in finished}),
        **gate.values(),
    }
    with_extras = bool(samples or measurements)
    statement = STATEMENTS[with_parts, with_extras, gate.topic is not None]
    if with_extras:
        values |= {"samples": json.dumps(samples), "measurements": json.dumps(measurements)}
    rows = {row.id: row for row in statement.rows(db, values)}
    answers: list[Stored] = []
    for place, one in enumerate(finished):
        row = rows.get(one.id)
        if row is None:
            answers.append(Stored(one.id, "unknown"))
        elif row.state == "finished":
            answers.append(Stored(one.id, "replayed", row.source))
        elif row.fence != one.fence:
            answers.append(Stored(one.id, "stale_fence", row.source))
        elif given[one.id, one.fence][0] != place or (one.is_partial and row.is_begun):
            answers.append(Stored(one.id, "replayed", row.source))
        else:
            is_left = row.is_begun and not with_parts
            answers.append(Stored(one.id, _BEGUN if is_left else "stored", row.source))
    return answers


def _item(place: int, one: Finished) -> str:
    """As JSON, whose large part pydantic writes at once."""
    outcome = one.outcome
    head = json.dumps(
        {
            "place": place,
            "id": one.id,
            "fence": one.fence,
            "status": outcome.status,
            "rule_set_hash": outcome.rule_set_hash,
            "started_at": _moment(outcome.started_at),
            "finished_at": _moment(outcome.finished_at),
            "duration_ms": outcome.duration_ms,
            "counts": outcome.counts,
            "failing_rows": outcome.failing_rows,
            "error_code": outcome.error_code,
            "error": outcome.error,
            "is_partial": one.is_partial,
            "basis": basis_of(outcome),
            "reasons": reasons_of(outcome),
        }
    )
    results = _RESULTS.dump_json(outcome.results, exclude={"__all__": {"sample"}})
    return f'{head[:-1]},"results":{results.decode()}}}'


def _samples(place: int, one: Finished) -> Iterator[dict[str, Any]]:
    for position, result in enumerate(one.outcome.results):
        if result.sample is not None:
            sample = result.sample.model_dump(mode="json")
            yield {"place": place, "position": position, "rule": result.rule, **sample}


def _moment(moment: datetime) -> str:
    """In UTC, because PostgreSQL takes offsets below 16 hours only; within what Python can read."""
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        nearest = datetime.min if moment.year == 1 else datetime.max
        return nearest.replace(tzinfo=UTC).isoformat()
