"""The gate as a use case: what stands of a table, and waiting for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.store import gate
from api.store.database import Database
from quality.errors import Fault, InvalidInput, Unavailable
from quality.gate import scope_hash, standing
from quality.predicates import Predicate

FIRST_LOOK_S = 0.02
LONGEST_LOOK_S = 0.25
"""Who waits looks again after so long: soon at first, and then ever less often up to this."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which decision: on a table, on those of its rows that `scope` names, or on one check.

    `whole`: one that was made at the deadline of its check is not waited for, but the one after.
    """

    connection: str
    table: str
    scope: tuple[Predicate, ...] = ()
    check_id: str | None = None
    whole: bool = False


class AtTheGate:
    """Decisions as they stand; one per process, safe to share between threads."""

    def __init__(self, database: Database, waits: int) -> None:
        """`waits` requests may wait at a time, so that threads are left for those that do not."""
        self._database = database
        self._waits = threading.BoundedSemaphore(waits)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let go who waits, with what stands now."""
        self._stopping.set()

    def decision(self, asked: Asked, wait_s: float = 0.0) -> dict[str, Any]:
        """What stands now or, while nothing does, what is decided within `wait_s` seconds.

        With a check's id that is over when the check has a verdict, whatever was decided.
        Unavailable (`gate_busy`) where too many wait already.
        """
        found, is_settled = self._look(asked)
        if is_settled or wait_s <= 0:
            return found
        if not self._waits.acquire(blocking=False):
            words = "too many requests wait at the gate (STRINGX_GATE_WAITS); ask again"
            raise Unavailable(words, code="gate_busy", retry_after_s=1.0)
        try:
            until = time.monotonic() + wait_s
            pause = FIRST_LOOK_S
            while not is_settled and (left := until - time.monotonic()) > 0:
                if self._stopping.wait(min(pause, left)):
                    break
                found, is_settled = self._look(asked)
                pause = min(pause * 1.5, LONGEST_LOOK_S)
            return found
        finally:
            self._waits.release()

    def _look(self, asked: Asked) -> tuple[dict[str, Any], bool]:
        """The decision, and whether there is nothing to wait for."""
        return self._of_check(asked) if asked.check_id is not None else self._of_table(asked)

    def _of_table(self, asked: Asked) -> tuple[dict[str, Any], bool]:
        key = scope_hash(asked.scope)
        with self._database.connect() as db:
            row = gate.standing(db, asked.connection, asked.table, key)
        missing = []
        if row["id"] is None:
            missing = ["the table is not registered"]
        elif row["decision"] is None:
            missing = ["no decision was made on these rows" if key else "the table has no decision"]
        is_settled = row["expires_at"] is not None and row["expires_at"] > row["now"]
        is_settled = is_settled and not (asked.whole and row["is_partial"])
        return _shown(asked, row, row["reasons"] or missing), is_settled

    def _of_check(self, asked: Asked) -> tuple[dict[str, Any], bool]:
        with self._database.connect() as db:
            row = gate.of_check(db, asked.check_id or "")
            if row is None:
                return _shown(asked, {}, ["there is no check of that id"]), False
            if (row["connection"], row["table_name"]) != (asked.connection, asked.table):
                words = f"the check is of {row['connection']}/{row['table_name']}"
                fault = Fault("check_id", "check_of_another_table", words)
                raise InvalidInput(words, code=fault.code, faults=[fault])
            if row["state"] != "finished" and not row["is_partial"]:
                reasons = [f"the check is not finished: it is {row['state']}"]
                return _shown(asked, {**row, "decided_at": None}, reasons), False
            reasons = gate.reasons_of_check(db, row["id"], row["verdict"], row["error_code"])
        return _shown(asked, row, reasons), not (asked.whole and row["is_partial"])


def _shown(asked: Asked, row: dict[str, Any], reasons: Sequence[str]) -> dict[str, Any]:
    now = row.get("now") or datetime.now(UTC)
    found = standing(row.get("decision"), reasons, row.get("expires_at"), now)
    return {
        "connection": asked.connection,
        "table": asked.table,
        "decision": found.decision,
        "reasons": list(found.reasons),
        **{name: row.get(name) for name in _SAME},
        "scope": row.get("scope") or [],
        "scope_hash": row.get("scope_hash") or None,
        "check_id": row.get("check_id") or asked.check_id,
        "is_partial": bool(row.get("is_partial")),
    }


_SAME = ("verdict", "rule_set_hash", "rules_version", "decided_at", "expires_at", "traceparent")
