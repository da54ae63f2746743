"""Tests on columns about which the catalogue says something: what holds, and what only looks so."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.cases import Case, Relation, generic, numbered

# What the catalogue says of these is enough; of all others it is not.
PROVED = {
    ("not_null", "bound.held"): ("id", "name"),
    ("unique", "bound.held"): ("id", "code"),
    ("relationships", "bound.held"): ("parent",),
    ("accepted_values", "bound.held"): ("kind",),
    ("unique", "bound.indexed"): ("folded", "distinct_nulls", "nulls_once", "included"),
    ("not_null", "bound.composite"): ("id",),
    ("not_null", "bound.keys"): ("a", "b"),
    ("not_null", "bound.younger"): ("id",),
    ("not_null", "bound.parted"): ("id", "region"),
    ("not_null", "bound.parted_a"): ("id", "region"),
    ("unique", "bound.parted_a"): ("id",),
    ("relationships", "bound.parted_a"): ("parent",),
    ("not_null", "bound.parted_rest"): ("id", "region"),
    ("not_null", "bound.unlogged"): ("id", "name"),
    ("unique", "bound.unlogged"): ("id",),
    ("not_null", "bound.unanalysed"): ("id",),
    ("not_null", "made.base"): ("id", "name", "label"),
    ("unique", "made.base"): ("id",),
    ("not_null", "made.zero"): ("id", "name", "label"),
    ("unique", "made.zero"): ("id",),
    ("unique", "made.keyed_view"): ("id",),
    ("not_null", "bound.words"): ("null",),
    ("unique", "bound.words"): ("user", "current_date"),
    ("not_null", "guarded.columns"): ("shown",),
    ("relationships", "guarded.columns"): ("ref",),
    ("not_null", "guarded.children"): ("id",),
    ("unique", "guarded.children"): ("id",),
    ("not_null", "Odd.Schema.select"): ("order",),
    ("not_null", "Odd.Schema.Tab le.é"): ("ID",),
    ("unique", "Odd.Schema.Tab le.é"): ("ID",),
}
# Composites, a view with an expression that breaks, a policy that does: may be left to dbt's SQL.
LEFT_ALONE = (("composite", "pair"), ("indexed", "image"), ("tenants", "id"), ("tenants", "tenant"))
# Each column gets not_null and unique; `to` is asked of it with relationships.
BOUND = {
    "held": ("id", "name", "code", "parent", "parent_code", "amount", "kind", "both_a", "both_b"),
    "unvalidated": ("id", "name", "amount", "parent", "lazy"),
    "unenforced": ("parent", "amount"),
    "untriggered": ("parent",),
    "indexed": (
        *("partial", "folded", "distinct_nulls", "nulls_once", "included", "pair_a", "pair_b"),
        *("image", "hashed", "later", "cased"),
    ),
    "broken": ("id", "name"),
    "marked_invalid": ("id",),
    "composite": ("id", "pair"),
    "keys": ("a", "b"),
    "keyed": ("a", "b", "c"),
    "keyed_fully": ("a", "b"),
    "domains": ("id", "always", "late", "twice"),
    "elder": ("id", "name", "amount", "parent"),
    "younger": ("id", "name", "amount", "parent"),
    "parted": ("id", "region", "amount", "parent"),
    "parted_a": ("id", "region", "amount", "parent"),
    "parted_rest": ("id", "region", "amount", "parent"),
    "to_parted": ("id", "region"),
    "changed": ("amount",),
    "unlogged": ("id", "name"),
    "unanalysed": ("id", "name"),
    "to_padded": ("code",),
    "to_collated": ("word",),
}
PARENTS_TABLE = Relation("bound", "parents")
PARENTS = ("bound", "parents", "key")
CODES = ("bound", "parents", "code")
# Proved of other parents than PARENTS.
PROVED_ELSEWHERE = (
    ("bound.to_wide", "parent", Relation("bound", "wide")),
    ("bound.to_texts", "code", Relation("bound", "texts")),
)
RELATED = (
    ("bound", "held", "parent", PARENTS),
    ("bound", "held", "parent", ("bound", "parents", "lax")),
    ("bound", "held", "parent", ("twin", "parents", "key")),
    ("bound", "held", "parent_code", CODES),
    ("bound", "held", "kind", CODES),
    ("bound", "parents", "key", ("bound", "held", "parent")),
    ("bound", "held", "parent", ("bound", "held", "id")),
    ("bound", "unvalidated", "parent", PARENTS),
    ("bound", "unenforced", "parent", PARENTS),
    ("bound", "untriggered", "parent", PARENTS),
    ("bound", "keyed", "a", ("bound", "keys", "a")),
    ("bound", "keyed", "b", ("bound", "keys", "b")),
    ("bound", "keyed", "a", ("bound", "keys", "b")),
    ("bound", "keyed_fully", "a", ("bound", "keys", "a")),
    ("bound", "elder", "parent", PARENTS),
    ("bound", "younger", "parent", PARENTS),
    ("bound", "parted", "parent", PARENTS),
    ("bound", "parted_a", "parent", PARENTS),
    ("bound", "to_parted", "id", ("bound", "parted", "id")),
    ("bound", "to_parted", "id", ("bound", "parted_a", "id")),
    ("bound", "to_parted", "region", ("bound", "parted", "region")),
    ("bound", "to_whole", "parent", ("bound", "whole", "id")),
    ("bound", "to_whole", "parent", ("bound", "whole_low", "id")),
    ("bound", "to_padded", "code", ("bound", "padded", "code")),
    ("bound", "to_collated", "word", ("bound", "collated", "word")),
    ("bound", "to_wide", "parent", ("bound", "wide", "id")),
    ("bound", "to_texts", "code", ("bound", "texts", "code")),
    ("bound", "to_emptied", "parent", ("bound", "emptied", "id")),
    ("guarded", "children", "parent", ("guarded", "parents", "key")),
    ("guarded", "rows", "parent", PARENTS),
    ("guarded", "nothing", "parent", PARENTS),
    ("guarded", "tenants", "parent", PARENTS),
    ("guarded", "columns", "ref", PARENTS),
    ("guarded", "to_refused", "id", ("guarded", "refused", "id")),
    ("guarded", "to_hidden", "hidden", ("guarded", "columns", "hidden")),
    ("guarded", "refused", "parent", PARENTS),
    ("made", "joined", "key", PARENTS),
    ("made", "base", "twice", ("made", "base", "id")),
    ("made", "doubled", "id", ("made", "base", "id")),
    ("made", "base", "id", ("made", "doubled", "id")),
    ("made", "base", "id", ("made", "unfilled", "id")),
    ("made", "base", "half", ("made", "base", "id")),
    ("closed", "table", "id", PARENTS),
)
MADE = {
    "base": ("id", "name", "amount", "twice", "half", "label"),
    "zero": ("id", "name", "half", "label"),
    "plain_view": ("id", "name", "half"),
    "doubled": ("id", "name"),
    "joined": ("id", "key", "code"),
    "aggregated": ("amount", "n"),
    "failing": ("id", "inverse", "name"),
    "barrier": ("id", "amount"),
    "stored": ("id", "amount"),
    "keyed_view": ("id", "name", "amount"),
    "unfilled": ("id",),
    "no columns": ("id",),
}
GUARDED = {
    "rows": ("id", "word"),
    "nothing": ("id",),
    "tenants": ("id", "tenant"),
    "owned_by_no_policy": ("id",),
    "columns": ("shown", "hidden", "ref"),
    "refused": ("id",),
    "children": ("id", "word"),
}
ODD = (
    *(
        "order",
        "User",
        "with space",
        "dot.ted",
        "ünïcödé",
        "select",
        "日本語",
        "user",
        "%s",
        "a--b",
    ),
    *("semi;colon", "$1", "it's"),
    "a23456789012345678901234567890123456789012345678901234567890123",
)


def is_proved(case: Case) -> bool:
    """Whether a constraint or an index of the table proves a built-in test."""
    relation, to = case.relation, case.arguments.get("to")
    if relation is None or case.column is None:
        return False
    column = case.column if case.quoted else case.column.lower()
    if relation.name == "words" and not case.quoted:
        return False  # there it is no column
    if (f"{relation.schema}.{relation.name}", column, to) in PROVED_ELSEWHERE:
        return case.test == "relationships"
    if column not in PROVED.get((case.test, f"{relation.schema}.{relation.name}"), ()):
        return False
    if case.test == "accepted_values":
        return case.arguments["values"] == ["x", "y"]
    return case.test != "relationships" or (to, case.arguments["field"]) == (PARENTS_TABLE, "key")


def cases() -> list[Case]:
    return [
        *numbered("bound", _each(BOUND, "bound")),
        *numbered("made", _each(MADE, "made")),
        *numbered("twin", _each({"base": ("id", "name")}, "twin")),
        *numbered("guarded", _each(GUARDED, "guarded")),
        *numbered("closed", _each({"table": ("id",)}, "closed")),
        *numbered("related", _related()),
        *numbered("checked", _checked()),
        *numbered("odd", _odd()),
        *numbered("words", _words()),
        *numbered("chosen", _chosen()),
    ]


def _each(tables: dict[str, tuple[str, ...]], schema: str) -> Iterator[Case]:
    for table, columns in tables.items():
        relation = Relation(schema, table)
        for column in columns:
            sure = "either" if (table, column) in LEFT_ALONE or table == "failing" else None
            yield generic("not_null", relation, column, judged=sure)
            yield generic("unique", relation, column, judged=sure)


def _related() -> Iterator[Case]:
    for schema, table, column, (other, to, key) in RELATED:
        child, parent = Relation(schema, table), Relation(other, to)
        arguments = {"to": parent, "field": key}
        yield generic("relationships", child, column, arguments=arguments)
        if schema == "guarded" or table == "held":
            narrowed = {"where": f"{column} is not null"}
            yield generic("relationships", child, column, arguments=arguments, config=narrowed)


def _checked() -> Iterator[Case]:
    """What a CHECK says, asked as tests."""
    listed = {"values": ["x", "y"]}
    low = {"low": 1}
    yield generic("accepted_values", Relation("bound", "held"), "kind", arguments=listed)
    fewer = {"values": ["x"]}
    yield generic("accepted_values", Relation("bound", "held"), "kind", arguments=fewer)
    for table in ("held", "unvalidated", "unenforced", "elder", "younger", "parted", "parted_a"):
        relation = Relation("bound", table)
        for test in ("holds", "holds_in_every_row")[: 2 if table == "held" else 1]:
            for expression in ("amount > 0", "amount < 100", "amount between 1 and 9"):
                yield generic(test, relation, arguments={"expression": expression})
        yield generic("in_range", relation, "amount", arguments=low)
    fine = {"expression": "bound.fine(amount)"}
    yield generic("holds", Relation("bound", "changed"), arguments=fine)
    even = {"expression": "twice % 2 = 0"}
    yield generic("holds", Relation("bound", "domains"), arguments=even)
    late = {"expression": "late > 0"}
    yield generic("holds", Relation("bound", "domains"), arguments=late)
    for columns in (["id"], ["id", "region"], ["region", "amount"], ["region"]):
        yield generic(
            "unique_together", Relation("bound", "parted"), arguments={"columns": columns}
        )
    for columns in (["both_a", "both_b"], ["both_a"], ["both_b", "both_a"], ["code"]):
        yield generic("unique_together", Relation("bound", "held"), arguments={"columns": columns})
    for columns in (["pair_a", "pair_b"], ["nulls_once"], ["distinct_nulls"], ["partial"]):
        yield generic(
            "unique_together", Relation("bound", "indexed"), arguments={"columns": columns}
        )


def _words() -> Iterator[Case]:
    """Bare, as dbt writes them, and in quotes."""
    table = Relation("bound", "words")
    for column in ("user", "null", "current_date"):
        for quoted in (False, True):
            yield generic("not_null", table, column, quoted=quoted, judged="either")
            yield generic("unique", table, column, quoted=quoted, judged="either")


def _chosen() -> Iterator[Case]:
    many = Relation("bound", "many")
    half = {"where": "random() < 0.5"}
    yield generic("unique", many, "id", config=half, judged="alone")
    yield generic("unique_together", many, arguments={"columns": ["id"]}, config=half)
    yield generic("not_null", many, "id", config=half, judged="alone")
    yield generic("not_null", many, "id")  # by which the others have no scan of their own


def _odd() -> Iterator[Case]:
    table = Relation("Odd.Schema", "select")
    for column in ODD:
        sure = None if "'" not in column and '"' not in column else "either"
        yield generic("not_null", table, column, quoted=True, judged=sure)
        yield generic("unique", table, column, quoted=True, judged=sure)
        listed = {"values": ["1", "2"]}
        yield generic("accepted_values", table, column, quoted=True, arguments=listed, judged=sure)
    for column in ("User", "user", "order", "select", "ünïcödé"):  # as dbt writes them: bare
        yield generic("not_null", table, column, judged="either")
    yield generic("not_null", table, '"User"', judged="either")
    yield generic("unique", table, '"User"', judged="either")
    yield generic("not_null", table, 'lower("User")', judged="either")
    yield generic("unique", table, 'lower("User")', judged="either")
    yield generic("unique", table, '"User" || "user"', judged="either")
    spaced = Relation("Odd.Schema", "Tab le.é")
    for column in ("Id", "id", "ID"):
        yield generic("not_null", spaced, column, quoted=True)
        yield generic("unique", spaced, column, quoted=True)
        yield generic("unique", spaced, column, judged="either")
    same = Relation("Odd.Schema", "select_too")
    for column in (
        *("select_too", "dbt_subquery", "value_field", "n_records", "dbt_internal_test"),
        *("failures", "child", "from_field", "all_values"),
    ):
        for config in ({}, {"where": f"{column} is not null or failures > 1"}):
            # `all_values` is the name of dbt's own common table expression, too.
            sure = "either" if column in ("all_values", "child", "dbt_subquery") else None
            yield generic("not_null", same, column, config=config, judged=sure)
            yield generic("unique", same, column, config=config, judged=sure)
            if not config:
                continue
            listed = {"values": ["1", "a"]}
            yield generic(
                "accepted_values", same, column, arguments=listed, config=config, judged=sure
            )
            arguments = {"to": PARENTS_TABLE, "field": "key"}
            yield generic(
                "relationships", same, column, arguments=arguments, config=config, judged=sure
            )
