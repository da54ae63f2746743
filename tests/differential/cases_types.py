"""The built-in tests on columns of many types, clean, dirty, empty and NULL."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.cases import Case, Relation, generic, numbered
from tests.differential.typed_columns import COLUMNS, ROWS, TypedColumn, literal

# A transaction's number has no order, without which there is no count(distinct …); a composite
# value can be NULL and not NULL at once. The engine leaves both, and backslashes, to dbt's SQL.
LEFT_ALONE = ("xid", "tables.pair", "tables.amount")
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
            sure = "either" if column.type in LEFT_ALONE else None
            yield generic("unique", relation, column.name, judged=sure)
            if table != "dirty":
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
    for number, column in enumerate(COLUMNS):
        texts = [v for v in column.values("clean") if v and "{" not in v]
        low = {"low": literal(column.values("clean")[0])}
        left_alone = column.type in LEFT_ALONE or any("\\" in text for text in texts)
        yield generic(
            "accepted_values",
            relation,
            column.name,
            arguments={"values": texts},
            judged="either" if left_alone else None,
        )
        if number % 3 == 0:
            yield generic("in_range", relation, column.name, arguments=low)
            two = {"columns": [column.name, "small"]}
            yield generic("varies", relation, column.name)
            yield generic("unique_together", relation, arguments=two)


def _listed(column: TypedColumn) -> list[str]:
    # In SQL: dbt writes these as they are.
    return [
        f"cast({literal(value)} as {column.type.split(' collate')[0]})"
        for value in column.values("clean")
        if value is not None
    ]
