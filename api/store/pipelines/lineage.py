"""Lineage: which address is made from which, by which pipeline, and what that leads to."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, text

from api.store.pipelines import addresses
from api.store.pipelines.executions import no_pipeline
from quality.errors import Fault, InvalidInput, NotFound
from quality.names import TableName
from quality.pipelines.lineage import find_cycle
from quality.pipelines.reports import LineageReport

Direction = Literal["upstream", "downstream"]
Edges = set[tuple[int, int]]
"""Addresses, and what is made from them, by their ids."""

MOST_EDGES = 10_000
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('stringx.lineage', 0))")
_PIPELINE = text("select load_lineage from pipeline where id = :id for no key update")
_OTHER_EDGES = text(
    """
    select distinct source_address_id, target_address_id from address_lineage
    where pipeline_id <> :id
    """
)
_NAMES = text("select id, name from address where id = any(cast(:ids as bigint[]))")
_CLEAR = text(
    """
    delete from address_lineage where pipeline_id = :id
    returning source_address_id, target_address_id
    """
)
_ADD = text(
    """
    insert into address_lineage (pipeline_id, source_address_id, target_address_id)
    select :id, s, t from unnest(cast(:sources as bigint[])) as s
    cross join unnest(cast(:targets as bigint[])) as t
    """
)
# Addresses are in lower case, as programs report them; tables are as their databases spell them.
_PLACES = text(
    """
    select id from address
    where (schema_name = lower(:schema) and table_name = lower(:table))
        or name = lower(:name) or name like '%.' || replace(lower(:name), '_', '\\_')
    order by id
    """
)
_WALK = """
    with recursive reached (id, depth) as (
        select unnest(cast(:ids as bigint[])), 0
        union
        select l.{there}, r.depth + 1
        from reached r join address_lineage l on l.{here} = r.id
        where r.depth < :depth
    ), nearest as (
        select id, min(depth) as depth from reached group by id
    )
    select a.id, a.name, t.name as address_type, t.group_name, a.database_name, a.schema_name,
        a.table_name, n.depth,
        coalesce((
            select jsonb_agg(distinct jsonb_build_object('id', p.id, 'name', p.name,
                'owner', p.owner, 'active', p.active))
            from address_lineage l join pipeline p on p.id = l.pipeline_id
            join nearest other on other.id = l.{here}
            where l.{there} = a.id
        ), '[]') as pipelines,
        coalesce((
            select jsonb_agg(jsonb_build_object('id', m.id, 'connection', m.connection,
                'table', m.name, 'status', m.last_status, 'owner', m.owner) order by m.id)
            from monitored_table m
            where lower(m.name) = a.schema_name || '.' || a.table_name
                or lower(m.name) = a.name
                or a.name like '%.' || replace(lower(m.name), '_', '\\_')
        ), '[]') as tables
    from nearest n join address a on a.id = n.id
    join address_type t on t.id = a.address_type_id
    order by n.depth, a.id limit :limit
"""
_WALKS = {
    "downstream": text(_WALK.format(here="source_address_id", there="target_address_id")),
    "upstream": text(_WALK.format(here="target_address_id", there="source_address_id")),
}


def report(db: Connection, found: LineageReport) -> tuple[Edges, Edges] | None:
    """Replace the edges of a pipeline: those before and after, or None where it loads no lineage.

    NotFound with code `pipeline_unknown`; InvalidInput with code `lineage_cycle` that names the
    cycle which the edges would close.
    """
    db.execute(_LOCK)  # two reports at once could close a cycle that neither of them sees
    row = db.execute(_PIPELINE, {"id": found.pipeline_id}).first()
    if row is None:
        raise no_pipeline(found.pipeline_id)
    if not row.load_lineage:
        return None
    sources = sorted({addresses.report(db, one)[0] for one in found.source_addresses})
    targets = sorted({addresses.report(db, one)[0] for one in found.target_addresses})
    edges = {(source, target) for source in sources for target in targets}
    if len(edges) > MOST_EDGES:
        words = f"more than {MOST_EDGES} pairs of sources and targets"
        raise InvalidInput(words, faults=[Fault("source_addresses", "too_many", words)])
    others = [tuple(row) for row in db.execute(_OTHER_EDGES, {"id": found.pipeline_id})]
    cycle = find_cycle(others, sorted(edges))
    if cycle:
        names = {row.id: row.name for row in db.execute(_NAMES, {"ids": cycle})}
        words = "the lineage would go in a circle: " + " → ".join(names[one] for one in cycle)
        fault = Fault("target_addresses", "lineage_cycle", words)
        raise InvalidInput(words, code=fault.code, faults=[fault])
    before = {(row[0], row[1]) for row in db.execute(_CLEAR, {"id": found.pipeline_id})}
    values = {"id": found.pipeline_id, "sources": sources, "targets": targets}
    db.execute(_ADD, values)
    return before, edges


def places_of(db: Connection, table: str) -> list[int]:
    """The addresses that are a table, by its name; NotFound with code `address_unknown`."""
    name = TableName.parse(table)
    values = {
        "schema": name.schema,
        "table": name.table,
        "name": f"{name.schema}.{name.table}",
    }
    found = list(db.scalars(_PLACES, values))
    if not found:
        raise NotFound(f"no lineage names the table {table}", code="address_unknown")
    return found


def walk(
    db: Connection, ids: list[int], direction: Direction, *, depth: int, limit: int
) -> list[dict[str, Any]]:
    """The addresses that are reached from some, nearest first, these themselves at depth 0; each
    with the pipelines of the edges that lead there, and the monitored tables that it is."""
    values = {"ids": ids, "depth": depth, "limit": limit}
    return [dict(row) for row in db.execute(_WALKS[direction], values).mappings()]
