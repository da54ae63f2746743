"""Missing triggers: checks that nobody asked for in time, told of once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from api.metrics import Metrics
from api.store import expectations, gate
from api.store.database import Database
from api.store.expectations import Watched
from api.store.gate import Gate
from api.store.synthetic import SOURCE, Kept, Observation, store_result
from quality.checks import RuleResult
from quality.logs import get_logger
from quality.schedule import Slot, slots

log = get_logger(__name__)

RULE = "check_requested_in_time"


@dataclass(frozen=True, slots=True)
class MissingTriggers:
    """Judges the slots that have ended. `look` is a job of the scheduler."""

    database: Database
    metrics: Metrics
    gate: Gate

    def look(self) -> int:
        """Judge every table of which something is expected; how many were not asked for in time.

        Each in a transaction of its own: the result, the gate's decision, and that the slot is
        judged. So each missed slot is told of once, whatever dies in between.
        """
        with self.database.connect() as db:
            tables = expectations.watched(db)
        missed = 0
        for table_id in tables:
            with self.database.begin() as db:
                kept = self._judge(db, table_id)
            if kept is not None:
                self.metrics.count_outcome(kept.outcome, SOURCE)
                missed += 1
        return missed

    def _judge(self, db: Connection, table_id: int) -> Kept | None:
        watched = expectations.hold(db, table_id)
        if watched is None:
            return None
        now = expectations.now(db)
        ended = slots(watched.expectation, watched.since, watched.judged_until, now)
        if not ended:
            return None
        slot = ended[-1]
        if len(ended) > 1:
            # Nobody looked for a while, and then nobody could ask either: what came since the first
            # of them, and what waited in Kafka and comes only now, counts for them all.
            slot = Slot(slot.due, ended[0].begins, now)
        if expectations.was_asked(db, table_id, slot):
            expectations.judged(db, table_id, ended[-1].ends, None)
            return None
        expectations.judged(db, table_id, ended[-1].ends, slot.due)
        kept = store_result(db, _observed(watched, slot))
        why = [_message(watched, slot)]
        gate.make(db, table_id, "fail", why, self.gate, check_id=kept.check_id)
        log.warning(
            "check_not_requested",
            connection=watched.connection,
            table=watched.table,
            due=slot.due.isoformat(),
        )
        return kept


def _observed(watched: Watched, slot: Slot) -> Observation:
    result = RuleResult(
        rule=RULE,
        type=RULE,
        dimension="timeliness",
        kind="engineering",
        severity="error",
        status="fail",
        failures=1,
        message=_message(watched, slot),
    )
    return Observation(
        watched.connection, watched.table, result, slot.ends, table_id=watched.table_id
    )


def _message(watched: Watched, slot: Slot) -> str:
    return (
        f"nobody asked for a check that was due at {slot.due.isoformat()} "
        f"(grace {watched.expectation.grace})"
    )
