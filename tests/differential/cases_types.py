"""The built-in tests on columns of many types, clean, dirty, empty and NULL."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.cases import Case, Relation, generic, numbered
from tests.differential.typed_columns import COLUMNS, ROWS, TypedColumn, literal

CLEAN = Relation("tables", "clean")


def cases() -> list[Case]:
    return [
        *numbered("types", _built_in()),
        *numbered("other", _of_users()),
    ]


def _built_in() -> Iterator[Case]:
    for table in ROWS:
        relation = Relation("tables", table)
        for column in COLUMNS if table in ("clean", "dirty") else COLUMNS[::5]:
            yield generic("not_null", relation, column.name)
            # A transaction's number has no order, without which there is no count(distinct …).
            ordered = None if column.type != "xid" else "either"
            yield generic("unique", relation, column.name, judged=ordered)
            if table == "clean":
                continue
            yield generic(
                "relationships",
                relation,
                column.name,
                arguments={"to": CLEAN, "field": column.name},
            )
            yield generic(
                "accepted_values",
                relation,
                column.name,
                arguments={"values": _listed(column), "quote": False},
                judged="either",
            )


def _of_users() -> Iterator[Case]:
    relation = Relation("tables", "dirty")
    for column in COLUMNS:
        texts = [v for v in column.values("clean") if v and "{" not in v]
        low = {"low": literal(column.values("clean")[0])}
        yield generic("accepted_values", relation, column.name, arguments={"values": texts})
        yield generic("varies", relation, column.name)
        yield generic("in_range", relation, column.name, arguments=low)
        yield generic("unique_together", relation, arguments={"columns": [column.name, "small"]})


def _listed(column: TypedColumn) -> list[str]:
    # In SQL: dbt writes these as they are.
    return [
        f"cast({literal(value)} as {column.type.split(' collate')[0]})"
        for value in column.values("clean")
        if value is not None
    ]
