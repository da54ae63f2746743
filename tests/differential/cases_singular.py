"""Singular tests, and tests that break: on any row, on some rows, on none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.differential.cases import Case, Relation, generic, numbered, singular

FILE = Path(__file__).parent / "singular.sql"
ORDERS = Relation("shop", "orders")
TRAPS = Relation("shop", "traps")
NO_TRAPS = Relation("shop", "no_traps")
MISSING = Relation("shop", "not_there")
NO_SCHEMA = Relation("nowhere", "orders")

# Expressions that break on some rows of shop.traps, and on none of shop.no_traps.
BREAKING = (
    *("10 / divisor > 1", "number_text::integer > 0", "number_text::numeric > 1", "word ~ pattern"),
    *(
        "shop.loud(id)",
        "(array[1])[divisor] / divisor = 1",
        "sqrt(divisor - 1) > 0",
        "ln(divisor) > 0",
    ),
    *(
        "case when divisor <> 0 then 10 / divisor > 1 else false end",
        "('{\"a\": ' || word || '}')::json is not null",
    ),
    *(
        "divisor <> 0 and 10 / divisor > 1",
        "10 / divisor > 1 and divisor <> 0",
        "chr(divisor) = 'x'",
    ),
    *(
        "to_date(number_text, 'YYYY') > now()",
        "repeat(word, divisor) = word",
        "int4range(divisor, 1) is null",
    ),
)
# Those that break as a whole: no plan can be made of them.
BROKEN = (
    *(
        "nope > 1",
        "id = word",
        "id + word > 1",
        "word ~ '('",
        "word like 'a\\' escape 'ab'",
        "id > 'x'",
    ),
    *(
        "nope(id)",
        "id > 1 and",
        "(id > 1",
        "max(id) > 1",
        "id in ('a')",
        "word > 5",
        "id = any (1)",
    ),
    *(
        "'2024-13-01'::date > now()",
        "id::date > now()",
        "1 / 0 = 1",
        "id > 1; drop table shop.fine",
    ),
    *("2147483647 + 1 > id", "2147483648 > id", "id > 9223372036854775808", "'{1' = '{1}'::int[]"),
)


def cases() -> list[Case]:
    return [
        *numbered("singular", _singular()),
        *numbered("configured", _configured()),
        *numbered("broken", _broken()),
    ]


def _singular() -> Iterator[Case]:
    _, *blocks = FILE.read_text(encoding="utf-8").split("\n--- ")
    for block in blocks:
        name, sql = block.split("\n", 1)
        yield singular(name, sql.removesuffix("\n"))


def _configured() -> Iterator[Case]:
    sql = "select id, amount from shop.orders where id > 1"
    for config in (
        {"severity": "warn"},
        {"limit": 2},
        {"fail_calc": "sum(id)"},
        {"fail_calc": "max(amount)"},
        {"fail_calc": "sum(amount)"},
        {"warn_if": ">= 3", "error_if": ">= 30"},
        {"fail_calc": "count(distinct id)", "limit": 3, "error_if": "between 2 and 3"},
        {"where": "id > 3"},
        {"tags": ["x"]},
    ):
        yield singular("with_config", sql, config)
    yield singular("calc_of_none", "select 1 as n where false", {"fail_calc": "sum(n)"})


def _broken() -> Iterator[Case]:
    for expression in BREAKING:
        for relation in (TRAPS, NO_TRAPS):
            yield generic("never", relation, arguments={"condition": expression})
        config = {"where": "id < 3"}
        yield generic("never", TRAPS, arguments={"condition": expression}, config=config)
    for expression in BROKEN:
        yield generic("never", TRAPS, arguments={"condition": expression})
        yield generic("not_null", TRAPS, "id", config={"where": expression}, judged="either")
    for relation in (MISSING, NO_SCHEMA):
        yield generic("not_null", relation, "id")
        yield generic("unique", relation, "id")
        yield generic("never", relation, arguments={"condition": "id > 1"})
        yield generic("relationships", ORDERS, "id", arguments={"to": relation, "field": "id"})
        yield generic("as_many_rows", ORDERS, arguments={"other": relation})
    for test in ("not_null", "unique", "varies", "has_one", "ranked"):
        yield generic(test, ORDERS, "nope")
    yield generic("accepted_values", ORDERS, "nope", arguments={"values": ["x"]})
    yield generic("accepted_values", ORDERS, "id", arguments={"values": ["x", "1"]})
    yield generic("accepted_values", ORDERS, "state", arguments={"values": ["it's"]})
    yield generic("accepted_values", ORDERS, "state", arguments={"values": []})
    yield generic("accepted_values", ORDERS, "id", arguments={"values": [1, 2], "quote": False})
    yield generic("accepted_values", ORDERS, "state", arguments={"values": [1], "quote": False})
    yield generic("accepted_values", ORDERS, "id", arguments={"values": ["null"], "quote": False})
    yield generic("accepted_values", ORDERS, "tags", arguments={"values": ["{a}", "{}"]})
    yield generic("accepted_values", ORDERS, "notes", arguments={"values": ["{}", "[]"]})
    subquery = ["select id from shop.fine"]
    arguments = {"values": subquery, "quote": False}
    yield generic("accepted_values", ORDERS, "id", arguments=arguments, judged="either")
    for field in ("nope", "email", "id + 1", "id"):
        to = {"to": Relation("shop", "customers"), "field": field}
        yield generic("relationships", ORDERS, "customer", arguments=to, judged="either")
        yield generic("relationships", ORDERS, "state", arguments=to, judged="either")
    # The rules that share a scan with the ones that break.
    for relation in (TRAPS, NO_TRAPS):
        for column in ("id", "divisor", "word", "number_text", "pattern"):
            yield generic("not_null", relation, column)
            yield generic("unique", relation, column)
