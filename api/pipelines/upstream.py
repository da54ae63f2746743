"""The gate with the tables that a table is made from: none is better than what it comes from."""

from __future__ import annotations

from typing import Any

from api.gate import Asked, AtTheGate
from api.store.database import Database
from api.store.pipelines import lineage
from quality.errors import NotFound
from quality.gate import strictest

DEPTH = 100
MOST = 1000


def heard(database: Database, gate: AtTheGate, found: dict[str, Any]) -> dict[str, Any]:
    """A decision, made stricter by those on the monitored tables upstream, which it then names."""
    own = (found["connection"], found["table"])
    decisions = [
        {"connection": connection, "table": table, "decision": decision["decision"]}
        for connection, table in _upstream(database, own)
        for decision in (gate.decision(Asked(connection, table)),)
    ]
    decision = strictest([found["decision"], *(one["decision"] for one in decisions)])
    reasons = [
        f"upstream {one['connection']}/{one['table']}: {one['decision']}"
        for one in decisions
        if one["decision"] != "allow"
    ]
    return {
        **found,
        "decision": decision,
        "reasons": [*found["reasons"], *reasons],
        "upstream": decisions,
    }


def _upstream(database: Database, own: tuple[str, str]) -> list[tuple[str, str]]:
    with database.connect() as db:
        try:
            ids = lineage.places_of(db, own[1])
        except NotFound:  # no pipeline says what it is made from
            return []
        nodes = lineage.walk(db, ids, "upstream", depth=DEPTH, limit=MOST)
    tables = {
        (one["connection"], one["table"]): None
        for node in nodes
        for one in node["tables"]
        if node["depth"] > 0
    }
    return [table for table in tables if table != own]
