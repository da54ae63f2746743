"""Tests that group or aggregate, some of which only look like the known ones."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.cases import Case, Relation, generic, numbered

ORDERS = Relation("shop", "orders")
NOTHING = Relation("shop", "nothing")
DIRTY = Relation("tables", "dirty")

GROUPED = (
    ("id", "id", "count(*) > 1"),
    ("id, state", "id, state", "count(*) > 1"),
    ("id", "id", "count(*) > 2"),
    ("id", "id", "count(*) >= 2"),
    ("id", "id", "count(*) = 1"),
    ("id", "id", "1 < count(*)"),
    ("id", "id", "count(id) > 1"),
    ("id", "id", "count(1) > 1"),
    ("id", "id", "count(distinct state) > 1"),
    ("id", "id", "count(*) > 1 and max(state) = 'o''k'"),
    ("id", "id", "count(*) > 1 or max(state) = 'paid'"),
    ("id", "id", "sum(quantity) > 1"),
    ("id, max(state)", "id", "count(*) > 1"),
    ("max(id)", "state", "count(*) > 1"),
    ("state", "id", "count(*) > 1"),
    ("count(*)", "id", "count(*) > 1"),
    ("1", "id", "count(*) > 1"),
    ("id", "1", "count(*) > 1"),
    ("id", "id, 1", "count(*) > 1"),
    ("id", "(id)", "count(*) > 1"),
    ("id", "(id, state)", "count(*) > 1"),
    ("id + 0 as id", "id", "count(*) > 1"),
    ("lower(state) as state", "lower(state)", "count(*) > 1"),
    ("lower(state) as state", "state", "count(*) > 1"),
    ("state as id", "state", "count(*) > 1"),
    ("id", "orders.id", "count(*) > 1"),
    ("missing", "id", "count(*) > 1"),
    ("id", "missing", "count(*) > 1"),
    ("id", "id", "count(*) > 1 and id > 3"),
    ("id", "id", "not count(*) > 1"),
    ("id", "id", "count(*) > 1 -- twice"),
    ("unnest(array[1, 2])", "id", "count(*) > 1"),
    ("id, unnest(tags)", "id, tags", "count(*) > 1"),
    ("distinct 1", "id", "count(*) > 0"),
    ("notes", "notes", "count(*) > 1"),
    ("tags", "tags", "count(*) > 1"),
    ("id", "id", "count(*) over () > 1"),
    ("id", "id", "count(*) > 1.5"),
    ("id", "id", "count(*) > '1'"),
    ("id, state", "state, id", "count(*) > 1"),
    ("id", "id, state, customer, amount", "count(*) > 1"),
)
# Over `select <by> as value_field, count(*) as n_records … group by <by>`.
OVER_GROUPS = (
    *(
        "value_field not in ('paid')",
        "value_field in ('paid', 'open')",
        "n_records > 1",
        "n_records = 1",
    ),
    *(
        "value_field is null",
        "value_field is not null",
        "value_field not in ('paid', null)",
        "true",
    ),
    *(
        "value_field not in ('paid') and n_records > 1",
        "value_field not in ('paid') or value_field is null",
    ),
    *(
        "not value_field in ('paid')",
        "lower(value_field) not in ('paid', 'open')",
        "value_field ~ '^p'",
    ),
    *(
        "value_field not in (select state from shop.fine)",
        "state not in ('paid')",
        "id > 1",
        "missing > 1",
    ),
    *("all_values.value_field <> 'paid'", "value_field not in ()", "value_field not in (1, 2)"),
    *("value_field not in ('paid') order by 1 limit 1", "value_field <> all ('{paid,open}')"),
    *(
        "n_records > (select 1)",
        "count(*) > 1",
        "value_field = value_field",
        "all_values is not null",
    ),
)
# Values that are equal and not the same: what a group stands for depends on which row it keeps.
TWINS = (
    ("exact", "value_field::text = '1.00'"),
    ("exact", "scale(value_field) > 1"),
    ("folded", "value_field::text = 'red'"),
    ("folded", "value_field in ('red'::text)"),
    ("folded", "value_field not in ('red')"),
    ("span", "value_field::text = '24:00:00'"),
    ("span", "extract(day from value_field) = 1"),
    ("docb", "value_field::text like '%1.0%'"),
    ("single", "1 / value_field > 0"),
    ("single", "value_field::text = '-0'"),
    ("wide", "value_field::text = '-0'"),
    ("padded", "value_field = 'ab'"),
    ("padded", "char_length(value_field) = 0"),
    ("scale", "(value_field).n::text = '1.00'"),
    ("address", "text(value_field) = '10.0.0.1/32'"),
)


def cases() -> list[Case]:
    return [
        *numbered("grouped", _grouped()),
        *numbered("aggregate", _aggregates()),
    ]


def _grouped() -> Iterator[Case]:
    for number, (selected, by, having) in enumerate(GROUPED):
        arguments = {"selected": selected, "by": by, "having": having}
        yield generic("grouped", ORDERS, arguments=arguments)
        if number % 2 == 0:
            narrowed = {**arguments, "condition": "id is not null"}
            yield generic("grouped", ORDERS, arguments=narrowed)
    for condition in OVER_GROUPS:
        arguments = {"by": "state", "condition": condition}
        yield generic("grouped_first", ORDERS, arguments=arguments)
        within = condition.replace("value_field", "v").replace("n_records", "n")
        yield generic("grouped_inside", ORDERS, arguments={"by": "state", "condition": within})
    for column, condition in TWINS:
        arguments = {"by": column, "condition": condition}
        yield generic("grouped_first", DIRTY, arguments=arguments)
    for columns in (["id"], ["id", "state"], ["customer", "state"], ["state"], ["lower(state)"]):
        yield generic("unique_together", ORDERS, arguments={"columns": columns})
        yield generic("unique_together", NOTHING, arguments={"columns": columns})


def _aggregates() -> Iterator[Case]:
    for relation in (ORDERS, NOTHING):
        for aggregate, condition in (
            ("count(*)", "measured < 5"),
            ("count(*)", "not measured between 1 and 5"),
            ("count(state)", "measured < 7"),
            ("count(distinct state)", "measured > 3"),
            ("max(placed)", "measured < current_date - 1 or measured is null"),
            ("min(amount)", "measured < 0"),
            ("sum(amount)", "measured > 10"),
            ("avg(amount)", "measured is null"),
            ("sum(amount) / count(*)", "measured > 1"),
            ("count(*) filter (where id > 3)", "measured > 2"),
            ("bool_and(id > 0)", "not measured"),
            ("percentile_cont(0.5) within group (order by id)", "measured > 3"),
            ("string_agg(state, ',' order by id)", "measured like 'paid%'"),
            ("shop.total(amount)", "measured > 0"),
            ("count(*)", "measured > (select count(*) from shop.fine)"),
            ("max(id)", "measured > 1 / 0"),
            ("max(missing)", "measured > 1"),
            ("sum(id) over ()", "measured > 1"),
            ("id", "measured > 1"),
            ("1", "measured = 1"),
            ("count(*), 1 as other", "measured > other"),
            ("max(id) + min(id)", "measured > 1"),
            ("unnest(array_agg(id))", "measured > 1"),
            ("count(*)", "m.measured > 1"),
            ("count(*)", "count(*) > 1"),
            ("count(*)", "true"),
            ("max(state)", "measured ~ 'p' limit 1"),
        ):
            arguments = {"aggregate": aggregate, "condition": condition}
            if relation == ORDERS or "count" in aggregate or "max" in aggregate:
                yield generic("aggregate_is", relation, arguments=arguments)
        for aggregate in ("count(*)", "sum(quantity)", "max(id)", "count(distinct customer)"):
            for condition in ("id > 3", "state is null", "false"):
                arguments = {"aggregate": aggregate, "condition": condition}
                yield generic("counted", relation, arguments=arguments)
        for interval in (1, 1000):
            arguments = {"field": "placed", "datepart": "month", "interval": interval}
            yield generic("fresh", relation, arguments=arguments)
