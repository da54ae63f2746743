"""Every way to configure a test: severity, thresholds, limit, fail_calc and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.differential.cases import Case, Relation, generic, numbered

MANY = Relation("shop", "many")
FINE = Relation("shop", "fine")
ORDERS = Relation("shop", "orders")
CUSTOMERS = Relation("shop", "customers")

SIMPLE = (
    *(" != 0 ", ">5", "!=0", "=142", "<999", "> 007", "!= 142"),
    *("!= 0", "<> 0", "= 0", "> 0", ">= 1", "< 1", "<= 0", "> 142", "= 142", "> 1000000000000"),
)
# As the database judges them: a number of rows alone does not say what holds.
THRESHOLDS = (
    *("between 1 and 5", "between 100 and 200", "not between 1 and 200", "in (1, 142)"),
    *("not in (0)", "is null", "is not null", "is distinct from 0", "% 2 = 0", "* 2 > 200"),
    *("+ 1 = 143", "> 1 + 1", "> 10 and true", "> 10 or true", "= 3 or 1 = 1", "::text like '1%'"),
    *("> 1.5", "> '5'", "> (select count(*) from shop.fine)", "> 5 /* more than five */"),
    *("> all (array[1, 2])", "= any ('{142,7}')", "> -1", "between symmetric 200 and 100"),
)
ODD_THRESHOLDS = (
    *(
        "> 'x'",
        "> x",
        "5",
        "> 5 -- five",
        "",
        "and",
        "> 5; select 1",
        "+ 1",
        "* 0",
        "- 142",
        "> 5,",
    ),
    *(
        "> 5)",
        "is true",
        "::boolean",
        "::text",
        "|| ''",
        "> 1/0",
        "> count(distinct n)",
        ":: int > 3",
    ),
    *(
        "> 0 as failures, 1 as x",
        "= max(1)",
        "= null",
        "is unknown",
        "> 0 is true",
        "> 100 is null",
    ),
)
FAIL_CALCS = (
    *(
        "count(*)",
        "COUNT(*)",
        " count( * ) ",
        "count(1)",
        "sum(n)",
        "max(n)",
        "min(id)",
        "count(n)",
    ),
    *("count(distinct n)", "count(*) + 1", "1 + 1", "0", "null", "sum(n) * 1.5", "avg(id)", "'7'"),
    *("sum(n)::int", "count(*)::text", "count(*) > 0", "case when count(*) > 3 then 1 else 0 end"),
    *("count(*) filter (where n > 3)", "coalesce(sum(n), 0)", "sum(nope)", "count(*)::numeric / 3"),
    *(
        "sum(failures)",
        "max(word)",
        "-count(*)",
        "count(*) * 2.0",
        "round(avg(n), 2)",
        "sum(id)::float",
    ),
    *(
        "1e3",
        "(select 5)",
        "count(*), 1",
        "",
        "count(*) -- all",
        "9223372036854775808",
        "1e300::float",
    ),
    *("'NaN'::float", "max(current_date)", "array[1]", "bool_or(true)", "count(*) /* n */", "true"),
)
WHERES = (
    *("id > 500", "id > 5000", "true", "false", "null", "n = 1 or n = 2", "not n > 3", "1 = 1"),
    *("id > 5 -- more", "id > 5 -- more\n", "id /* in\n between */ > 5", "word like 'w1%'", "n"),
    *(
        "id > 5) or (true",
        "true order by id limit 3",
        "true limit 5",
        "id in (select id from shop.fine)",
    ),
    *("id = 1 union all select * from shop.many", "true) a, (select 1 as z", "word = 'it''s'"),
    *(
        "word = E'w\\\\x31'",
        "word = $$w1$$",
        "word = U&'w\\0031'",
        'shop."many".id > 3',
        "many.id > 3",
    ),
    *(
        "id > 3;",
        "id > 10 offset 20",
        "exists (select 1)",
        "missing > 1",
        "row_number() over () = 1",
    ),
    *(
        "count(*) > 1",
        "random() >= 0",
        "ctid is not null",
        "many is not null",
        "many.* is not null",
    ),
    *("(id, n) > (900, 3)", "case when id > 500 then n > 3 else false end", "n is distinct from 3"),
    *(
        "id > 900 fetch first 2 rows only",
        "id between 1 and 20 and n in (1,2)",
        "1",
        "'t'",
        "'yes' = word",
    ),
    *(
        "id > 5 group by id, n, word",
        "id > 990 for update",
        "-id < -990",
        "id >5and n>2",
        "n=-1or n=2",
    ),
)


def cases() -> list[Case]:
    return [
        *numbered("severity", _severities()),
        *numbered("threshold", _thresholds()),
        *numbered("limit", _limits()),
        *numbered("calc", _fail_calcs()),
        *numbered("where", _wheres()),
        *numbered("combined", _combined()),
    ]


def _severities() -> Iterator[Case]:
    for severity in ("error", "warn", "ERROR", "wArN"):
        for thresholds in (
            {},
            {"warn_if": "> 1000"},
            {"error_if": "> 1000"},
            {"warn_if": "> 10", "error_if": "> 1000"},
            {"warn_if": "> 1000", "error_if": "> 10"},
        ):
            config: dict[str, Any] = {"severity": severity, **thresholds}
            yield generic("not_null", MANY, "n", config=config)


def _thresholds() -> Iterator[Case]:
    for threshold in (*SIMPLE, *THRESHOLDS):
        sure = None if threshold in SIMPLE else "either"
        config = {"warn_if": threshold, "error_if": "> 9999"}
        yield generic("not_null", MANY, "n", config={"error_if": threshold}, judged=sure)
        if threshold in (*SIMPLE[::2], *THRESHOLDS[::2]):
            yield generic("unique", MANY, "word", config=config, judged=sure)
    for threshold in ODD_THRESHOLDS:
        config = {"warn_if": threshold, "severity": "warn"}
        yield generic("not_null", MANY, "n", config={"error_if": threshold}, judged="either")
        if threshold in ODD_THRESHOLDS[::3]:
            yield generic("not_null", FINE, "id", config=config, judged="either")


def _limits() -> Iterator[Case]:
    for limit in (0, 1, 3, 141, 142, 143, 10**12, -1):
        judged = "either" if limit < 0 else None
        for test, column in (("not_null", "n"), ("unique", "word"), ("unique", "id")):
            yield generic(test, MANY, column, config={"limit": limit}, judged=judged)
        config = {"limit": limit, "error_if": "> 2", "warn_if": "> 0"}
        listed = {"values": ["w1", "w2"]}
        yield generic(
            "accepted_values", MANY, "word", arguments=listed, config=config, judged=judged
        )
        yield generic("has_one", MANY, "n", config={"limit": limit})


def _fail_calcs() -> Iterator[Case]:
    for number, fail_calc in enumerate(FAIL_CALCS):
        config = {"fail_calc": fail_calc}
        column = ("n", "id")[number % 2]
        if number % 4 < 2:
            yield generic("not_null", MANY, column, config=config, judged="either")
        yield generic("never", MANY, arguments={"condition": "n > 5"}, config=config)
    for fail_calc in ("sum(n_records)", "max(n_records)", "count(*)", "sum(n_records) - count(*)"):
        config = {"fail_calc": fail_calc}
        yield generic("unique", MANY, "word", config=config, judged="either")
        yield generic("unique", MANY, "id", config=config, judged="either")
        listed = {"values": ["w1", "w2"]}
        yield generic(
            "accepted_values", MANY, "word", arguments=listed, config=config, judged="either"
        )


def _wheres() -> Iterator[Case]:
    listed = {"values": ["w1", "w2"]}
    to = {"to": FINE, "field": "id"}
    for number, where in enumerate(WHERES):
        config = {"where": where}
        yield generic("not_null", MANY, "n", config=config, judged="either")
        if number % 3 == 0:
            yield generic("unique", MANY, "word", config=config, judged="either")
        elif number % 3 == 1:
            yield generic(
                "accepted_values", MANY, "word", arguments=listed, config=config, judged="either"
            )
        else:
            yield generic("relationships", MANY, "n", arguments=to, config=config, judged="either")
    for where in ("id > 500", "id > 5000", "n = 1 or n = 2", "not n > 3"):
        config = {"where": where}
        yield generic("not_null", MANY, "n", config=config)
        yield generic("unique", MANY, "word", config=config)
        yield generic("accepted_values", MANY, "word", arguments=listed, config=config)
        yield generic("relationships", MANY, "n", arguments=to, config=config)


def _combined() -> Iterator[Case]:
    listed = {"values": ["paid", "open"]}
    for limit in (None, 2):
        for where in (None, "id < 5"):
            for severity in ("error", "warn"):
                for warn_if, error_if in (("!= 0", "!= 0"), ("> 1", "> 2")):
                    config = {"severity": severity, "warn_if": warn_if, "error_if": error_if}
                    config |= {"limit": limit} if limit else {}
                    config |= {"where": where} if where else {}
                    yield generic("not_null", ORDERS, "customer", config=config)
                    yield generic("unique", ORDERS, "customer", config=config)
                    yield generic(
                        "accepted_values", ORDERS, "state", arguments=listed, config=config
                    )
                    to = {"to": CUSTOMERS, "field": "id"}
                    yield generic("relationships", ORDERS, "customer", arguments=to, config=config)
