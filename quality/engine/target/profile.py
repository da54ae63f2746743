"""Looks at a table: its catalogue, its statistics, and a bounded part of its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from psycopg import sql

from quality.engine.plan.shapes import RelationName
from quality.engine.target.catalogue import (
    Facts,
    Signature,
    facts_of,
    facts_query,
    signature_of,
    signature_query,
)
from quality.engine.target.snapshot import Snapshot
from quality.errors import EngineError, NotFound
from quality.names import TableName
from quality.profiles import PATTERNS, ColumnProfile, Reference, TableProfile

FEW_VALUES = 20
"""Of a column with no more values than these all are told."""

_COLUMNS_AT_ONCE = 60
_KINDS = {
    **dict.fromkeys(("text", "varchar", "bpchar"), "text"),
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("numeric", "float4", "float8"), "number"),
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "bool": "boolean",
    "uuid": "uuid",
}
_ORDERED = ("text", "integer", "number", "date", "timestamp")
_CATALOGUE = """
select json_build_object(
    'columns', (
        select json_agg(json_build_array(a.attname,
            pg_catalog.format_type(a.atttypid, a.atttypmod), coalesce(b.typname, y.typname),
            s.n_distinct) order by a.attnum)
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type y on y.oid = a.atttypid
        left join pg_catalog.pg_type b on b.oid = y.typbasetype
        left join pg_catalog.pg_stats s on s.schemaname = {schema} and s.tablename = {table}
            and s.attname = a.attname and not s.inherited
        where a.attrelid = {oid} and a.attnum > 0 and not a.attisdropped),
    'references', (
        select json_agg(json_build_array(a.attname, n.nspname, c.relname, f.attname)
            order by a.attnum)
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.confrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
        join pg_catalog.pg_attribute f on f.attrelid = k.confrelid and f.attnum = k.confkey[1]
        where k.conrelid = {oid} and k.contype = 'f' and cardinality(k.conkey) = 1),
    'checks', (
        select json_agg(pg_catalog.pg_get_constraintdef(k.oid) order by k.conname)
        from pg_catalog.pg_constraint k where k.conrelid = {oid} and k.contype = 'c'))
"""


def profile(table: TableName, snapshot: Snapshot, most_rows: int) -> TableProfile:
    """What the table is; at most `most_rows` of its rows are looked at.

    Raises NotFound (`table_not_found`), EngineError, and what Snapshot does.
    """
    name = sql.Identifier(table.schema, table.table).as_string(None)
    relation = RelationName(None, table.schema, table.table, name)
    signature = signature_of(_asked(snapshot, signature_query(relation)))
    if signature.oid is None:
        raise NotFound(f"there is no table {table} on the target", code="table_not_found")
    facts = facts_of(_asked(snapshot, facts_query(signature.oid)))
    question = sql.SQL(_CATALOGUE).format(
        oid=sql.Literal(signature.oid),
        schema=sql.Literal(table.schema),
        table=sql.Literal(table.table),
    )
    answer = _asked(snapshot, question.as_string(None))
    known: dict[str, Any] = json.loads(answer.rows[0][0] or "{}")
    known["columns"] = known["columns"] or []
    source, is_sampled = _source(relation, signature, most_rows)
    columns = [
        (column, type_, _KINDS.get(base, "other"))
        for column, type_, base, _ in known["columns"] or ()
    ]
    looked_at, seen = _seen(columns, source, snapshot)
    is_whole = not is_sampled and looked_at < most_rows
    return TableProfile(
        table=str(table),
        rows=looked_at if is_whole else max(looked_at, signature.estimated_rows or 0),
        looked_at=looked_at,
        is_whole=is_whole,
        columns=tuple(_column(column, facts, seen[column[0]]) for column in columns),
        key=facts.key,
        unique_keys=_unique_keys(facts),
        references=tuple(
            Reference(column, str(TableName(schema, to)), field)
            for column, schema, to, field in known["references"] or ()
        ),
        checks=tuple(known["checks"] or ()),
        estimated_distinct={
            column: distinct for column, _, _, distinct in known["columns"] if distinct is not None
        },
    )


def _source(relation: RelationName, signature: Signature, most_rows: int) -> tuple[str, bool]:
    """A part of the rows, and whether it was chosen by chance: pages from all over the table."""
    rows = signature.estimated_rows or 0
    if signature.kind in ("r", "m") and rows > most_rows:
        percent = max(0.001, 100 * most_rows / rows)
        chosen = f"{relation.sql} tablesample system ({percent:.4f}) repeatable (1)"
        return f"(select * from {chosen} limit {most_rows}) part", True
    return f"(select * from {relation.sql} limit {most_rows}) part", False


def _seen(
    columns: Sequence[tuple[str, str, str]], source: str, snapshot: Snapshot
) -> tuple[int, dict[str, dict[str, Any]]]:
    """The number of rows looked at, and what was seen of each column."""
    looked_at, seen = 0, {}
    for start in range(0, len(columns), _COLUMNS_AT_ONCE):
        part = columns[start : start + _COLUMNS_AT_ONCE]
        objects = [f"json_build_object({', '.join(_measures(*column))})" for column in part]
        answer = _asked(snapshot, f"select count(*), {', '.join(objects)} from {source}")
        looked_at = int(answer.rows[0][0] or 0)
        for (name, _, _), text in zip(part, answer.rows[0][1:], strict=True):
            seen[name] = json.loads(text or "{}")
    few = [
        name
        for name, _, kind in columns
        if kind in ("text", "integer") and 0 < seen[name].get("distinct", 0) <= FEW_VALUES
    ]
    for start in range(0, len(few), _COLUMNS_AT_ONCE):
        names = few[start : start + _COLUMNS_AT_ONCE]
        lists = [f"json_agg(distinct {_quoted(name)}::text)" for name in names]
        answer = _asked(snapshot, f"select {', '.join(lists)} from {source}")
        for name, text in zip(names, answer.rows[0], strict=True):
            seen[name]["values"] = [
                value for value in json.loads(text or "[]") if value is not None
            ]
    return looked_at, seen


def _measures(name: str, type_: str, kind: str) -> list[str]:
    column = _quoted(name)
    found = [f"'values_', count({column})"]
    if kind != "other":
        found.append(f"'distinct', count(distinct {column})")
    if kind in _ORDERED and kind != "text":
        found.append(f"'low', min({column})::text, 'high', max({column})::text")
    if kind == "text":
        found.append(f"'short', min(char_length({column})), 'long', max(char_length({column}))")
        found.append(f"'blanks', count(*) filter (where trim({column}) = '')")
        found += [
            f"'is_{shape}', count(*) filter (where {column} ~ {sql.Literal(regex).as_string(None)})"
            for shape, regex in PATTERNS.items()
        ]
    return found


def _column(column: tuple[str, str, str], facts: Facts, seen: dict[str, Any]) -> ColumnProfile:
    name, type_, kind = column
    short, long = seen.get("short"), seen.get("long")
    return ColumnProfile(
        name=name,
        type=type_,
        kind=kind,
        is_not_null=name in facts.not_null,
        seen=seen["values_"],
        distinct=seen.get("distinct", 0),
        low=seen.get("low"),
        high=seen.get("high"),
        lengths=None if short is None or long is None else (short, long),
        blanks=seen.get("blanks", 0),
        values=tuple(sorted(seen.get("values", ()))),
        patterns={shape: seen.get(f"is_{shape}", 0) for shape in PATTERNS},
    )


def _unique_keys(facts: Facts) -> tuple[tuple[str, ...], ...]:
    """Without those that may stand twice with a NULL in them."""
    order = list(facts.columns)
    keys = {
        tuple(sorted(columns, key=order.index))
        for columns, nulls_not_distinct, _ in facts.unique_keys
        if len(columns) == 1 or nulls_not_distinct or columns <= facts.not_null.keys()
    }
    return tuple(sorted(keys, key=lambda key: (len(key), key)))


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)


def _asked(snapshot: Snapshot, statement: str) -> Any:
    (answer,) = snapshot.run([statement])
    if answer.failed:
        raise EngineError(f"the table cannot be looked at: {answer.message}", code=answer.cause)
    return answer
