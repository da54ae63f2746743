"""Results that no check run made: what the clock found out, kept as any other result.

A pipeline that is stale or a message that did not come is a finished check with source `schedule`
and one result, so that history, metrics and whoever asks for results see it as they see the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

from api.store import outcomes
from api.store.gate import Gate
from api.store.outcomes import Finished
from quality.checks import CheckOutcome, RuleResult
from quality.documents import canonical_json
from quality.identity import new_id

SOURCE = "schedule"

_SILENT = Gate()

_BEGIN = text(
    """
    insert into check_run (id, connection, table_id, table_name, request, payload_hash, source,
        state, fence, attempts)
    select i.id, i.connection, i.table_id, i.table_name, i.request, i.payload_hash, :source,
        'running', 1, 1
    from jsonb_to_recordset(cast(:items as jsonb)) as i (id text, connection text,
        table_id bigint, table_name text, request jsonb, payload_hash text)
    """
)


@dataclass(frozen=True, slots=True)
class Observation:
    """One result at a moment, of a monitored table or, without `table_id`, of whatever `connection`
    and `table` name. With `sets_verdict` it is the table's newest whole check."""

    connection: str
    table: str
    result: RuleResult
    at: datetime
    table_id: int | None = None
    sets_verdict: bool = False
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored observation: its check's id, and the outcome to count once it is committed."""

    check_id: str
    outcome: CheckOutcome


def store_result(db: Connection, observation: Observation, how: Gate = _SILENT) -> Kept:
    """Store one observation in the caller's transaction; see `store_results`."""
    return store_results(db, [observation], how)[0]


def store_results(
    db: Connection, observations: Sequence[Observation], how: Gate = _SILENT
) -> list[Kept]:
    """Store observations in the caller's transaction, in two statements however many they are.

    Those that set a verdict decide at the gate, and `how` says who hears of it.
    """
    if not observations:
        return []
    rows, finished = [], []
    for one in observations:
        # A check of one rule says nothing about the table as a whole, and is stored as such.
        chosen = {} if one.sets_verdict else {"select": {"rules": [one.result.rule]}}
        request = {"id": one.id, "connection": one.connection, "table": one.table, **chosen}
        rule = {"rule": one.result.rule, "type": one.result.type}
        digest = hashlib.sha256(canonical_json(rule)).hexdigest()
        rows.append(
            {
                "id": one.id,
                "connection": one.connection,
                "table_id": one.table_id,
                "table_name": one.table,
                "request": request,
                "payload_hash": digest,
            }
        )
        outcome = CheckOutcome(
            rule_set_hash=digest,
            started_at=one.at,
            finished_at=one.at,
            duration_ms=one.result.duration_ms,
            results=(one.result,),
        )
        finished.append(Finished(one.id, 1, outcome))
    db.execute(_BEGIN, {"items": json.dumps(rows), "source": SOURCE})
    outcomes.store(db, finished, how)
    return [Kept(one.id, one.outcome) for one in finished]
