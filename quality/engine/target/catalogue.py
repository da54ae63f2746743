"""What a target's catalogue says of relations: columns, keys, and whether anything has changed.

Sources: PostgreSQL manual, 52 System Catalogs (pg_class, pg_attribute, pg_constraint, pg_index).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from quality.engine.plan.shapes import RelationName
from quality.engine.target.wire import Answer

# A relation's row and those of its columns, constraints, indexes and triggers get a new xmin with
# each change, so that the same sums of hashes mean the same catalogue. VACUUM and ANALYZE write in
# place. Sums need no order.
_SIGNATURE = """
select c.oid, c.relkind, pg_catalog.pg_relation_size(c.oid), c.reltuples,
    concat_ws('-', c.oid, c.xmin, c.relkind, c.relhassubclass,
        -- Rewritten since the snapshot was taken: its rows are not to be seen any more.
        c.relfilenode is distinct from coalesce(pg_catalog.pg_relation_filenode(c.oid), 0),
        (select sum(hashint8extended(a.xmin::text::int8, a.attnum))
         from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0),
        (select sum(hashint8extended(k.xmin::text::int8, k.oid::int8))
         from pg_catalog.pg_constraint k where k.conrelid = c.oid),
        case when c.relhasindex then
            (select sum(hashint8extended(i.xmin::text::int8, i.indexrelid::int8))
             from pg_catalog.pg_index i where i.indrelid = c.oid) end,
        case when c.relhastriggers then
            (select sum(hashint8extended(t.xmin::text::int8, t.oid::int8))
             from pg_catalog.pg_trigger t where t.tgrelid = c.oid) end)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and (n.nspname = $1 or $1 is null and pg_catalog.pg_table_is_visible(c.oid))
"""

PREPARE = f"prepare stringx_signature (text, text) as {_SIGNATURE}"
"""What each connection is begun with: planning the query takes longer than running it."""

_FACTS = """
select json_build_object(
    'oid', c.oid::int8,
    'database', pg_catalog.current_database(),
    'version', pg_catalog.current_setting('server_version_num')::int,
    'kind', c.relkind,
    'plain', c.relkind = 'r' and not c.relhassubclass or c.relkind = 'p'
        or c.relkind = 'm' and c.relispopulated,
    'row_security', c.relrowsecurity,
    'columns', (
        select json_agg(json_build_object('number', a.attnum, 'name', a.attname,
            'kind', coalesce(b.typtype, y.typtype), 'not_null', a.attnotnull,
            'type', case when y.typnamespace = 'pg_catalog'::regnamespace then y.typname end,
            'deterministic', l.collisdeterministic) order by a.attnum)
        from pg_catalog.pg_attribute a
        left join pg_catalog.pg_collation l on l.oid = a.attcollation
        join pg_catalog.pg_type y on y.oid = a.atttypid
        left join pg_catalog.pg_type b on b.oid = y.typbasetype
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    'constraints', (
        select json_agg(entry.known || jsonb_build_object('disabled', entry.disabled,
            'is_whole', entry.is_whole, 'is_alike', entry.is_alike)) from (
            select to_jsonb(k) - 'conbin' as known,
                -- Of the whole of a partitioned table, each of whose partitions has it once more.
                k.contype = 'f' and (k.conparentid = 0 or not r.relispartition) as is_whole,
                -- Whether the constraint compares as a join of the two columns does.
                k.contype = 'f' and exists (
                    select from pg_catalog.pg_attribute a
                    join pg_catalog.pg_attribute b
                        on b.attrelid = k.confrelid and b.attnum = k.confkey[1]
                    where a.attrelid = k.conrelid and a.attnum = k.conkey[1]
                        and a.attcollation = b.attcollation
                        and (a.atttypid = b.atttypid  -- or both are integers, or text and varchar
                            or a.atttypid in (20, 21, 23) and b.atttypid in (20, 21, 23)
                            or a.atttypid in (25, 1043) and b.atttypid in (25, 1043))
                ) as is_alike,
                exists (select from pg_catalog.pg_trigger t
                    where t.tgconstraint = k.oid and t.tgenabled <> 'O') as disabled
            from pg_catalog.pg_constraint k
            left join pg_catalog.pg_class r on r.oid = k.confrelid
            where k.conrelid = c.oid) entry),
    'own_functions', exists (
        select from pg_catalog.pg_depend d
        join pg_catalog.pg_constraint k on k.oid = d.objid
        where d.classid = 'pg_catalog.pg_constraint'::regclass and k.conrelid = c.oid
            and d.refclassid in (
                'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)),
    'indexes', (
        select json_agg(json_build_object(
            'name', x.relname, 'keys', i.indkey::int2[], 'key_count', i.indnkeyatts,
            'is_primary', i.indisprimary,
            'nulls_not_distinct', to_jsonb(i) -> 'indnullsnotdistinct'))
        from pg_catalog.pg_index i
        join pg_catalog.pg_class x on x.oid = i.indexrelid
        join pg_catalog.pg_am m on m.oid = x.relam
        where i.indrelid = c.oid and m.amname = 'btree'
            and i.indisunique and i.indisvalid and i.indisready and i.indislive and i.indimmediate
            and i.indpred is null and i.indexprs is null
            and not exists (
                select from generate_series(0, i.indnkeyatts - 1) g
                join pg_catalog.pg_attribute a
                    on a.attrelid = c.oid and a.attnum = i.indkey[g]
                join pg_catalog.pg_opclass o on o.oid = i.indclass[g]
                where not o.opcdefault or i.indcollation[g] <> a.attcollation))
)
from pg_catalog.pg_class c where c.oid = {oid}
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """A relation as it is now: equal `digest`, equal catalogue. `oid` None: there is none."""

    oid: int | None
    kind: str
    bytes: int
    estimated_rows: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the catalogue guarantees of a relation.

    `columns` have their numbers, `not_null` the names of constraints. `unique_keys`: the columns of
    valid unique indexes, with whether NULLs are equal in them, and the index's name. `checks` are
    the names of validated CHECK constraints, as far as they use nothing that can be replaced.
    `simple` columns are no composites: of these one whose fields are all NULL `is null`, stands in
    a NOT NULL column all the same, and counts as a value. `types` are PostgreSQL's own, by column;
    `deterministic` are the columns of text whose collation is. `key` names a row: the columns of
    the primary key, or else of the shortest unique index without NULLs; empty where there is none.
    """

    oid: int
    database: str
    kind: str
    version: int
    row_security: bool
    columns: dict[str, int] = field(default_factory=dict)
    simple: frozenset[str] = frozenset()
    types: dict[str, str] = field(default_factory=dict)
    deterministic: frozenset[str] = frozenset()
    not_null: dict[str, str] = field(default_factory=dict)
    unique_keys: tuple[tuple[frozenset[str], bool, str], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A validated foreign key of one column."""

    name: str
    column: str
    to_oid: int
    to_number: int


def signature_query(relation: RelationName) -> str:
    """One row with the relation as it is now, or none."""
    return _text(
        sql.SQL("execute stringx_signature ({}, {})").format(
            sql.Literal(relation.schema), sql.Literal(relation.name)
        )
    )


def lock_statement(relation: RelationName) -> str:
    """Keeps the relation from being truncated or rewritten once the snapshot is taken."""
    parts = [part for part in (relation.schema, relation.name) if part is not None]
    return _text(sql.SQL("lock table {} in access share mode").format(sql.Identifier(*parts)))


def signature_of(answer: Answer) -> Signature:
    """From the answer to `signature_query`."""
    if not answer.rows:
        return Signature(None, "", 0, None, "")
    oid, kind, size, rows, digest = answer.rows[0]
    estimate = float(rows or -1)
    return Signature(
        oid=int(oid or 0),
        kind=kind or "",
        bytes=int(size or 0),
        estimated_rows=int(estimate) if estimate >= 0 else None,
        digest=digest or "",
    )


def facts_query(oid: int) -> str:
    """One row with what `facts_of` reads."""
    return _text(sql.SQL(_FACTS).format(oid=sql.Literal(oid)))


def facts_of(answer: Answer) -> Facts:
    """From the answer to `facts_query`."""
    found: dict[str, Any] = json.loads(answer.rows[0][0] or "{}")
    columns = found["columns"] or ()
    names = {column["number"]: column["name"] for column in columns}
    simple = {column["name"] for column in columns if column["kind"] in ("b", "e", "r", "m")}
    constraints = found["constraints"] or ()
    holding = [entry for entry in constraints if _holds(entry)] if found["plain"] else []
    not_null = {
        names[entry["conkey"][0]]: entry["conname"]
        for entry in holding
        if entry["contype"] == "n" and names[entry["conkey"][0]] in simple
    }
    if found["version"] < 180000 and found["plain"]:
        # Until 17 NOT NULL is no constraint but a mark on the column, and cannot be invalid.
        not_null = {c["name"]: "" for c in columns if c["not_null"] and c["name"] in simple}
    if found["version"] < 170000 and found["kind"] == "p" and not found["indexes"]:
        not_null = {}  # a partition may be a foreign table, which keeps to nothing; no key has one
    return Facts(
        oid=found["oid"],
        database=found["database"],
        kind=found["kind"],
        version=found["version"],
        row_security=found["row_security"],
        columns={name: number for number, name in names.items()},
        simple=frozenset(simple),
        types={column["name"]: column["type"] for column in columns if column["type"]},
        deterministic=frozenset(
            column["name"]
            for column in columns
            if column["deterministic"] and column["type"] in ("text", "varchar")
        ),
        not_null=not_null,
        unique_keys=tuple(
            (
                frozenset(names[number] for number in index["keys"][: index["key_count"]]),
                bool(index["nulls_not_distinct"]),
                index["name"],
            )
            for index in (found["indexes"] or () if found["plain"] else ())
        ),
        foreign_keys=tuple(
            ForeignKey(
                entry["conname"],
                names[entry["conkey"][0]],
                int(entry["confrelid"]),
                entry["confkey"][0],
            )
            for entry in holding
            if entry["contype"] == "f"
            and len(entry["conkey"]) == 1
            and found["kind"] == "r"
            and entry["is_whole"]
            and entry["is_alike"]
        ),
        checks=tuple(
            entry["conname"]
            for entry in (holding if not found["own_functions"] else ())
            if entry["contype"] == "c"
        ),
        key=_key(found["indexes"] or () if found["plain"] else (), names, not_null),
    )


def _key(
    indexes: Sequence[dict[str, Any]], names: Mapping[int, str], not_null: Mapping[str, str]
) -> tuple[str, ...]:
    keys: list[tuple[bool, int, tuple[str, ...]]] = []
    for index in indexes:
        columns = tuple(names[number] for number in index["keys"][: index["key_count"]])
        if all(column in not_null for column in columns):
            keys.append((not index["is_primary"], len(columns), columns))
    return min(keys)[2] if keys else ()


def _holds(constraint: dict[str, Any]) -> bool:
    """Validated, enforced, at once, for all rows: anything less proves nothing."""
    return (
        constraint["convalidated"]
        and constraint.get("conenforced", True)
        and not constraint["condeferrable"]
        and not constraint["disabled"]
    )


def _text(composed: sql.Composed) -> str:
    return composed.as_string(None)
