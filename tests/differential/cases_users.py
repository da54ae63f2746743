"""Generic tests such as packages have them, on tables and on models."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.cases import Case, Relation, generic, numbered

ORDERS = Relation("shop", "orders")
CUSTOMERS = Relation("shop", "customers")
FINE = Relation("shop", "fine")
NOTHING = Relation("shop", "nothing")
MANY = Relation("shop", "many")
STEPS = Relation("shop", "steps")
PERIODS = Relation("shop", "periods")
PASSING = Relation("marts", "doubled", "model")
EPHEMERAL = Relation(
    "made", "fleeting", "model", "select id, name, amount from made.base where amount is not null"
)


def cases() -> list[Case]:
    return [
        *numbered("of_users", _of_users()),
        *numbered("model", _models()),
    ]


def _of_users() -> Iterator[Case]:
    for relation in (ORDERS, NOTHING):
        for column in ("id", "customer", "amount", "state")[:: 3 if relation == NOTHING else 1]:
            yield generic("varies", relation, column)
            yield generic("has_one", relation, column)
            yield generic("ranked", relation, column)
            share = {"at_least": 0.9}
            yield generic("share_known", relation, column, arguments=share)
            to = {"to": CUSTOMERS, "field": "id"}
            for test in ("relationships", "related", "known_in", "same_kinds"):
                yield generic(test, relation, column, arguments=to)
        for low, high, inclusive in ((0, 20, True), (0, None, False), (None, 10, False)):
            arguments = {"low": low, "high": high, "inclusive": inclusive}
            yield generic("in_range", relation, "amount", arguments=arguments)
        yield generic("filled", relation, "state")
        yield generic("filled", relation, "state", arguments={"trim": False})
        for condition in ("id > 3", "id > 3 or state = 'paid'", "false"):
            yield generic("null_where", relation, "state", arguments={"condition": condition})
            chain = {"first": condition, "second": "amount > 0 or state is null"}
            yield generic("chained", relation, "state", arguments=chain)
    for join in ("inner join", "right join", "full join", "left outer join", "cross join"):
        to = {"to": CUSTOMERS, "field": "id", "join": join}
        yield generic("known_in", ORDERS, "customer", arguments=to)
    for tail in ("or from_field > 2", "and from_field > 2", "limit 1", "order by 1"):
        to = {"to": CUSTOMERS, "field": "id", "tail": tail}
        yield generic("known_in", ORDERS, "customer", arguments=to)
    where = {"to": CUSTOMERS, "field": "id", "from_where": "id > 2", "to_where": "id > 1"}
    yield generic("related", ORDERS, "customer", arguments=where)
    yield generic("in_step", STEPS, "n")
    yield generic("in_step", FINE, "id")
    yield generic("no_overlap", PERIODS, arguments={"low": "low", "high": "high"})
    yield generic("as_many_rows", ORDERS, arguments={"other": FINE})
    yield generic("as_many_rows", ORDERS, arguments={"other": ORDERS})
    yield generic("same_rows", ORDERS, arguments={"other": NOTHING})
    yield generic("same_rows", MANY, arguments={"other": MANY})


def _models() -> Iterator[Case]:
    for relation in (PASSING, EPHEMERAL):
        for column in ("id", "name", "amount"):
            yield generic("not_null", relation, column, judged="either")
            yield generic("unique", relation, column, judged="either")
            where = {"where": "id > 1"}
            yield generic("unique", relation, column, config=where, judged="either")
            to = {"to": Relation("made", "base"), "field": "id"}
            yield generic("relationships", relation, column, arguments=to, judged="either")
        to = {"to": EPHEMERAL, "field": "id"}
        yield generic("relationships", ORDERS, "customer", arguments=to, judged="either")
