"""Budgets: what one check may cost, and which of its tests are left out where that is not enough.

The planner of the target says how many rows a query will look at; nothing is read to know that.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from quality.engine.plan.estimating import nodes_of
from quality.engine.plan.finding import Finding
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import Entry, scans
from quality.engine.plan.shapes import Orphans, RelationName
from quality.engine.plan.urgency import stages
from quality.engine.target.proofs import Readiness, wrapped
from quality.engine.target.snapshot import Snapshot
from quality.rules import Rule

OVER = "budget"
"""The cause of a finding that the budget did not suffice for."""

_SIZES = """
select n.nspname, c.relname, c.reltuples
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where (n.nspname, c.relname) in ({names})
"""

Table = tuple[str, str]
Unit = tuple[RelationName | None, tuple[int, ...]]
"""Places of tests that are one query, and the relation that it scans for all of them."""


def over_budget(
    rules: Sequence[Rule],
    tests: Sequence[PlannedTest],
    readiness: Sequence[Readiness],
    snapshot: Snapshot,
    rows: int,
    only: Collection[int],
) -> dict[int, Finding]:
    """Findings of the tests that would look at more rows than are left of `rows`, by their places.

    Only the tests at the places `only` are asked for.
    What matters most and costs least is paid for first. Tests that share a scan of a table pay once
    for it; a test that is judged by groups reads its rows again. What has no estimate is not held
    back: it says itself why it cannot run.
    """
    units = list(_units(rules, tests, readiness, only))
    costs = _costs(units, tests, snapshot)
    left_out: dict[int, Finding] = {}
    scanned: set[RelationName] = set()
    spent = 0.0
    for (relation, places), cost in zip(units, costs, strict=True):
        reads = int(relation not in scanned) if relation is not None else 1
        reads += sum(1 for place in places if rules[place].group_by)
        wanted = cost * reads
        if spent + wanted <= rows:
            spent += wanted
            if relation is not None:
                scanned.add(relation)
            continue
        words = f"about {wanted:.0f} rows to read, where {rows - spent:.0f} of {rows} are left"
        left_out |= {place: Finding("error", cause=OVER, message=words) for place in places}
    return left_out


def _units(
    rules: Sequence[Rule],
    tests: Sequence[PlannedTest],
    readiness: Sequence[Readiness],
    only: Collection[int],
) -> Iterator[Unit]:
    for stage in stages(rules, tests, readiness):
        shared: dict[RelationName, list[int]] = {}
        alone: list[int] = []
        for place in sorted(stage.intersection(only)):
            shape, ready = tests[place].shape, readiness[place]
            if ready.proof is not None or ready.broken:
                continue
            if shape is None or ready.alone or isinstance(shape, Orphans) or rules[place].group_by:
                alone.append(place)
            else:
                shared.setdefault(shape.subject.relation, []).append(place)
        yield from ((relation, tuple(places)) for relation, places in shared.items())
        yield from ((None, (place,)) for place in alone)
    for place, planned in enumerate(tests):
        if planned.test.dbt_only is not None and place in only:
            yield None, (place,)


def _costs(units: Sequence[Unit], tests: Sequence[PlannedTest], snapshot: Snapshot) -> list[float]:
    """Rows that each of the queries looks at, as the planner expects; 0 where it does not say."""
    statements = []
    for relation, places in units:
        if relation is None:
            statements.append([wrapped(tests[places[0]])])
        else:
            entries = [Entry(place, tests[place]) for place in places]
            statements.append([scan.statement for scan in scans(entries)])
    asked = [f"explain (format json, verbose) {one}" for several in statements for one in several]
    plans = [
        None if answer.failed else json.loads(answer.rows[0][0] or "[]")[0]["Plan"]
        for answer in snapshot.ask(asked)
    ]
    sizes = _sizes(plans, snapshot)
    costs = iter(0.0 if plan is None else _read(plan, 1.0, sizes) for plan in plans)
    return [max(next(costs) for _ in several) for several in statements]


def _sizes(plans: Sequence[dict[str, Any] | None], snapshot: Snapshot) -> dict[Table, float]:
    """The rows, as the statistics have them, of tables that are scanned for some of them."""
    tables = {
        (node["Schema"], node["Relation Name"])
        for plan in plans
        if plan is not None
        for node in nodes_of(plan)
        if _leaves_out(node)
    }
    if not tables:
        return {}
    names = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(schema), sql.Literal(name))
        for schema, name in sorted(tables)
    )
    (answer,) = snapshot.ask([sql.SQL(_SIZES).format(names=names).as_string(None)])
    return {(schema or "", name or ""): float(rows or 0) for schema, name, rows in answer.rows}


def _leaves_out(node: dict[str, Any]) -> bool:
    """Whether it looks at every row of its table, and its plan only says how many it takes."""
    return "Relation Name" in node and "Filter" in node and node["Node Type"].endswith("Seq Scan")


def _read(plan: dict[str, Any], share: float, sizes: Mapping[Table, float]) -> float:
    """Rows of tables below a node; each of the processes that work in parallel is told its part."""
    if "Workers Planned" in plan:
        workers = int(plan["Workers Planned"])
        # How PostgreSQL shares rows out (costsize.c, get_parallel_divisor).
        share *= workers + max(0.0, 1 - 0.3 * workers)
    own = float(plan["Plan Rows"]) * share if "Relation Name" in plan else 0.0
    if _leaves_out(plan):
        own = max(own, sizes.get((plan["Schema"], plan["Relation Name"]), 0.0))
    return own + sum(_read(below, share, sizes) for below in plan.get("Plans", ()))
