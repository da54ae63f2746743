"""Tests of single rows: shapes that are known, and shapes that only look like those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.differential.cases import Case, Relation, generic, numbered

ORDERS = Relation("shop", "orders")

# Predicates that hold for single rows, whatever stands in them.
EXPRESSIONS = (
    *("amount > 0", "amount >= 0 or amount is null", "id = 5 and customer is null", "true", "null"),
    *("amount > 0 and (state = 'paid' or state = 'open')", "state in ('paid', 'open')"),
    *("lower(state) = 'paid'", "state ilike 'P%'", "state ~* '^p'", "state similar to '(p|o)%'"),
    *(
        "state is distinct from 'paid'",
        "state is not distinct from null",
        "amount between 0 and 20",
    ),
    *("case when amount > 10 then state = 'open' else true end", "coalesce(amount, 0) = 0"),
    *("nullif(state, 'paid') is null", "placed >= date '2024-01-02'", "'a' = any (tags)"),
    *("placed > '2024-01-01'::date + interval '1 day'", "tags @> '{a}'", "tags[1] = 'a'"),
    *(
        "notes ->> 'gift' = 'true'",
        "notes ? 'gift'",
        "notes @> '{\"gift\": true}'",
        "notes = 'null'",
    ),
    *("exists (select 1 from shop.customers c where c.id = customer)", "id <> all (array[1, 2])"),
    *("customer in (select id from shop.customers)", "id % 2 = 0", "id # 3 > 1", "@ amount > 5"),
    *("amount > (select avg(amount) from shop.orders)", "extract(month from placed) = 1"),
    *("cast(amount as integer) > 0", "amount::text like '%.00'", "char_length(state) = 4"),
    *(
        "position('a' in state) > 0",
        "substring(state from 1 for 1) = 'p'",
        "trim(both ' ' from state) <> ''",
    ),
    *("overlay(state placing 'x' from 1) = 'xaid'", "placed at time zone 'UTC' is not null"),
    *(
        "(amount, id) > (5, 2)",
        "row(id, customer) = row(1, 1)",
        "(id, customer) in ((1, 1), (2, 1))",
    ),
    *("state = E'o\\'k'", "state = $q$o'k$q$", "state = U&'\\006Fpen'", "state = 'o''k'"),
    *(
        "state <> '-- not a comment'",
        "state /* in /* nested */ between */ = 'paid'",
        "not state = 'x'",
    ),
    *(
        "state = 'paid' -- the end\n",
        "state = 'a''b\\'",
        "state like 'p%' escape '!'",
        "state = 'pa' 'x'",
    ),
    *(
        "id operator(pg_catalog.>) 3",
        "id operator(shop.===) 3",
        "shop.loud(0) is false",
        "random() >= 0",
    ),
    *(
        "clock_timestamp() > placed",
        "current_date > placed",
        "now() >= placed",
        "txid_current() > 0",
    ),
    *(
        "'x' || state is null",
        "state collate \"C\" < 'Z'",
        "amount is not null is true",
        "not not true",
    ),
    *("amount = 'NaN'", "id = id", "customer is null = (id = 5)", "-amount < +5", "id << 1 > 3"),
    *("json_array_length(notes::json) = 0", "pg_typeof(id) = 'integer'::regtype", "id isnull"),
    *("placed notnull", "(placed, placed) overlaps (date '2024-01-01', date '2024-01-03')"),
    *(
        "num_nulls(id, customer, amount) = 0",
        "greatest(id, customer) = id",
        "id between symmetric 5 and 2",
    ),
    *("state < any (array['p', 'q'])", "orders.id > 3", "orders is not null", "count(*) > 1", "id"),
    *(
        "not exists (select)",
        "(select true)",
        "(select count(*) from shop.orders o where o.id = id) > 0",
    ),
    *(
        "id = 1 or",
        "id ==",
        ")",
        "id > 3 limit 1",
        "generate_series(1, 2) = 1",
        "sum(id) over () > 3",
    ),
)
# What is selected decides how many rows there are.
SELECTED = (
    *(
        "id",
        "*",
        "1",
        "id, amount",
        "orders.id",
        "orders.*",
        "null",
        "'x'",
        "id as renamed",
        "id renamed",
    ),
    *(
        "missing",
        "orders.missing",
        "other.id",
        "lower(id)",
        "1 / 0",
        "distinct state",
        "distinct on (state) id",
    ),
    *(
        "all id",
        "generate_series(1, 3)",
        "generate_series(1, id)",
        "unnest(tags)",
        "shop.twice(id)",
    ),
    *(
        "shop.several(state)",
        "shop.total(amount)",
        "count(*)",
        "max(amount)",
        "string_agg(state, ',')",
    ),
    *(
        "jsonb_object_keys(notes)",
        "row_number() over ()",
        "(select 1)",
        "(select id from shop.fine)",
    ),
    *(
        "id, unnest(tags) as tag",
        "regexp_split_to_table(state, 'a')",
        "",
        "random()",
        "(orders).id",
        "orders",
    ),
    *(
        'id as "select"',
        "exists (select 1)",
        "array(select 1)",
        "case when id > 1 then 1 end",
        "id + 1",
    ),
    *(
        "bool_or(true)",
        "count(*) filter (where id > 1)",
        "id::text",
        "coalesce(state, 'x')",
        "distinct id, state",
    ),
    *(
        "sum(1)",
        "any_value(id)",
        "grouping(id)",
        "id, count(*)",
        "ctid",
        "tableoid",
        "$1",
        "id as id, id as id",
    ),
    *(
        "currval('made.numbers')",
        "current_user",
        "current_date",
        "default",
        "t.id",
        "id, id",
        "1.5e3, E'\\n'",
    ),
)
# What follows the condition of `select <column> from <model> where …`.
TAILS = (
    *(
        "",
        "order by id",
        "limit 2",
        "limit 0",
        "offset 1",
        "limit 3 offset 1",
        "fetch first 1 row only",
    ),
    *(
        "order by id desc limit 1",
        "union all select 1",
        "union select 1",
        "except select 1",
        "intersect select 5",
    ),
    *(
        "group by id",
        "group by id having count(*) > 1",
        "group by id having count(*) > 2",
        "having count(*) > 3",
    ),
    *(
        "group by id, state",
        "group by id having sum(amount) > 0",
        "group by rollup (id)",
        "group by grouping sets ((id), ())",
    ),
    *(
        "group by id order by id",
        "for update",
        "for share",
        "window w as (order by id)",
        "-- the end",
        ";",
        ";;",
    ),
    *(
        "group by 1 having count(*) > 1",
        "group by id having count(id) > 1",
        "group by id having max(state) > 'o'",
    ),
    *(
        "limit (select 2)",
        "limit all",
        "limit null",
        "group by id having true",
        "group by distinct id",
        "and 1 = 1",
    ),
)


def cases() -> list[Case]:
    return [
        *numbered("expression", _expressions()),
        *numbered("selected", _selected()),
        *numbered("tail", _tails()),
    ]


def _expressions() -> Iterator[Case]:
    tests = ("holds", "holds_in_every_row", "expected", "never")
    for number, expression in enumerate(EXPRESSIONS):
        if tests[number % 4] == "never":
            yield generic("never", ORDERS, arguments={"condition": expression})
        else:
            arguments = {"expression": expression}
            yield generic(tests[number % 4], ORDERS, arguments=arguments)
        if number % 4 == 1:
            where = {"where": "id > 1"}
            yield generic("never", ORDERS, arguments={"condition": expression}, config=where)


def _selected() -> Iterator[Case]:
    for number, selected in enumerate(SELECTED):
        arguments = {"selected": selected, "condition": "id > 1"}
        if number % 3 == 0:
            yield generic("listed", ORDERS, arguments=arguments)
        config: dict[str, Any] = {"where": "id < 5"} if number % 2 else {"limit": 3}
        yield generic("listed", ORDERS, arguments=arguments, config=config)
    for alias in ("o", "orders", "shop", "id", "dbt_subquery"):
        for selected in ("o.id", "id", "orders.id", "shop.orders.id", "*", f"{alias}.*"):
            for condition in ("o.id > 1", f"{alias}.state = 'open'", "o is not null"):
                arguments = {"named": alias, "selected": selected, "condition": condition}
                if alias == "o" or selected == "id":
                    yield generic("renamed", ORDERS, arguments=arguments)
    renamed = {"named": "o (a, b, c)", "selected": "a", "condition": "b > 1"}
    yield generic("renamed", ORDERS, arguments=renamed)
    sampled = {"named": "o tablesample bernoulli (0)", "selected": "id", "condition": "true"}
    yield generic("renamed", ORDERS, arguments=sampled)
    crossed = {"named": "o, shop.steps", "selected": "id", "condition": "n > 1"}
    yield generic("renamed", ORDERS, arguments=crossed)
    joined = {"named": "o natural join shop.steps", "selected": "id", "condition": "id > 3"}
    yield generic("renamed", ORDERS, arguments=joined)


def _tails() -> Iterator[Case]:
    for number, tail in enumerate(TAILS):
        arguments = {"condition": "id > 3", "tail": tail}
        configs: tuple[dict[str, Any], ...] = ({}, {"limit": 2}, {"where": "state is not null"})
        yield generic("tail", ORDERS, "id", arguments=arguments)
        if number % 3:
            yield generic("tail", ORDERS, "id", arguments=arguments, config=configs[number % 3])
