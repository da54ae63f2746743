"""What a check would cost, from the plans of its queries; nothing is read."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from quality.engine.estimate import Estimate
from quality.engine.plan.groups import members_of, queries_of
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import Entry, scans
from quality.engine.plan.shapes import Orphans, RelationName
from quality.engine.target.proofs import Readiness, wrapped
from quality.engine.target.snapshot import Snapshot
from quality.errors import EngineError
from quality.rules import Rule

_SIZES = """
select n.nspname, c.relname, pg_catalog.pg_relation_size(c.oid) from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where (n.nspname, c.relname) in ({names})
"""


def estimated(
    rules: Sequence[Rule],
    tests: Sequence[PlannedTest],
    readiness: Sequence[Readiness],
    scope: Sequence[str],
    snapshot: Snapshot,
    most_groups: int,
) -> Estimate:
    """The estimate for the tests, narrowed by `scope` (SQL). EngineError says what has no plan."""
    subject = next((test.subject for test in tests if test.subject is not None), None)
    if subject is None:
        return Estimate()
    where = f" where {' and '.join(scope)}" if scope else ""
    statements = [f"select from {subject.relation.sql}{where}", *_queries(tests, readiness)]
    members = [member for member in members_of(rules, tests) if not readiness[member.place].broken]
    grouped, others = queries_of(members, readiness, most_groups)
    statements += [query.statement for query in grouped]
    statements += [wrapped(member.planned) for member in others]
    explained = [f"explain (format json, verbose) {statement}" for statement in statements]
    plans: list[dict[str, Any]] = []
    for answer in snapshot.ask(explained):
        if answer.failed:
            raise EngineError(f"there is no estimate: {answer.message}")
        plans.append(json.loads(answer.rows[0][0] or "[]")[0]["Plan"])
    whole, *asked = plans
    return Estimate(
        rows=float(whole["Plan Rows"]),
        bytes=_bytes(asked, snapshot),
        cost=round(sum(float(plan["Total Cost"]) for plan in asked), 2),
    )


def _queries(tests: Sequence[PlannedTest], readiness: Sequence[Readiness]) -> list[str]:
    """What judges the tests: those that share scans of a relation, and the others."""
    statements: list[str] = []
    shared: dict[RelationName, list[Entry]] = defaultdict(list)
    for place, (planned, ready) in enumerate(zip(tests, readiness, strict=True)):
        shape = planned.shape
        if ready.proof is not None or ready.broken:
            continue
        if shape is None or ready.alone or isinstance(shape, Orphans):
            statements.append(wrapped(planned))
        else:
            shared[shape.subject.relation].append(Entry(place, planned))
    for entries in shared.values():
        statements += [scan.statement for scan in scans(entries)]
    return statements


def _bytes(plans: Sequence[dict[str, Any]], snapshot: Snapshot) -> float:
    """Whole tables where they are scanned, rows by their width where an index finds them."""
    found = 0.0
    scanned: Counter[tuple[str, str]] = Counter()
    for node in (node for plan in plans for node in nodes_of(plan)):
        if "Relation Name" not in node:
            continue
        if node["Node Type"] in ("Seq Scan", "Foreign Scan", "Sample Scan"):
            scanned[node["Schema"], node["Relation Name"]] += 1
        else:
            found += float(node["Plan Rows"]) * float(node["Plan Width"])
    if not scanned:
        return found
    names = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(schema), sql.Literal(name))
        for schema, name in scanned
    )
    (answer,) = snapshot.ask([sql.SQL(_SIZES).format(names=names).as_string(None)])
    for schema, name, size in answer.rows:
        found += int(size or 0) * scanned[schema or "", name or ""]
    return found


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node of a plan as EXPLAIN has it in JSON, and all below."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)
