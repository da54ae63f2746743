"""What is recognised in compiled SQL, and what looks like it and is not."""

from __future__ import annotations

from typing import Any

import pytest

from quality.engine.plan.lexing import Unreadable, render, tokens_of
from quality.engine.plan.recognition import recognise
from quality.engine.plan.shapes import Aggregate, Duplicates, Orphans, Rows, Values

BUILT_IN_RELATIONSHIPS = """
with child as (
    select customer as from_field from "d"."shop"."orders" where customer is not null
),
parent as (
    select id as to_field from "d"."shop"."customers"
)
select from_field from child
left join parent on child.from_field = parent.to_field
where parent.to_field is null
"""


@pytest.mark.parametrize(
    ("sql", "shape", "parts"),
    [
        ('select "a" from "d"."s"."t" where "a" is null', Rows, {"predicate": '"a" is null'}),
        (
            "select * from (select * from s.t where b > 1) dbt_subquery where a is null",
            Rows,
            {"predicate": "a is null", "conditions": ("b > 1",)},
        ),
        (
            "with m as (select * from t), v as (select * from m where not (a = 1)) select * from v",
            Rows,
            {"predicate": "not (a = 1)"},
        ),
        ("select o.a from s.orders as o where o.a > o.b", Rows, {"predicate": '"a" > "b"'}),
        ("select orders.a from s.orders where orders.a > 1", Rows, {"predicate": '"a" > 1'}),
        ("select m.user from t m where m.user is null", Rows, {"predicate": '"user" is null'}),
        (
            "select a from t where a is distinct from extract(year from b)",
            Rows,
            {"predicate": "a is distinct from extract(year from b)"},
        ),
        ("select 1 from t where (a).b is null -- why", Rows, {"predicate": "(a).b is null"}),
        (
            (
                "with a as (select c as value_field, count(*) as n_records from t group by c) "
                "select * from a where value_field not in ('a', 'b')"
            ),
            Values,
            {"key": "c", "predicate": "c not in ('a', 'b')"},
        ),
        (
            "select c as v, count(*) as n from t where c in (-1, 2) group by c",
            Values,
            {"key": "c", "predicate": "c in (-1, 2)"},
        ),
        (
            (
                "select c as unique_field, count(*) as n_records from t where c is not null "
                "group by c having count(*) > 1"
            ),
            Duplicates,
            {"keys": ("c",), "with_nulls": False, "conditions": ()},
        ),
        (
            "select a, b from t where d > 1 group by a, b having count(*) > 1",
            Duplicates,
            {"keys": ("a", "b"), "with_nulls": True, "conditions": ("d > 1",)},
        ),
        (
            "select n from (select count(*) as n, max(a) as m from t) x where n < 3 or m is null",
            Aggregate,
            {"measures": (("n", "count(*)"), ("m", "max(a)"))},
        ),
        (BUILT_IN_RELATIONSHIPS, Orphans, {"key": "customer", "field": "id"}),
    ],
)
def test_a_shape_is_recognised(sql: str, shape: type, parts: dict[str, Any]) -> None:
    found = recognise(sql)
    assert isinstance(found, shape)
    for name, value in parts.items():
        holder = found.subject if name == "conditions" else found
        assert getattr(holder, name) == value


@pytest.mark.parametrize(
    "sql",
    [
        "select distinct a from t where b = 1",
        "select unnest(a) from t where b = 1",
        "select max(a) from t where b = 1",
        "select a from t where b = 1 limit 5",
        "select a from t where b = 1 order by a",
        "select a from t where b = 1 union all select a from u where b = 1",
        "select a from t, u where b = 1",
        "select a from t join u using (a) where b = 1",
        "select a from only t where b = 1",
        "select a from f(1) where b = 1",
        "select a from t tablesample system (10) where b = 1",
        "select a from t where exists (select 1 from u)",
        "select a from t where other.b = 1",
        "select a from t where shop.f(b)",
        "select o.a from t o where o is null",
        "select a from t o (a, b) where b = 1",
        "with t as (select * from u where c = 1) select a from t where row(t.*) is null",
        "with a as (select b as c from t) select * from a where c = 1",
        "with a as (select * from t limit 3) select * from a where c = 1",
        "with recursive a as (select * from a) select * from a where b = 1",
        "with a as materialized (select * from t) select * from a where b = 1",
        "select c, count(*) from t group by c having count(*) > 2",
        "select c, count(*) from t group by c having sum(n) > 1",
        "select c, d, count(*) from t where c = 1 group by c, d",
        "select c, sum(n) from t where c = 1 group by c",
        "select lower(c) from t group by lower(c) having count(*) > 1",
        "select * from (select c as v, count(*) as n from t group by c) x where n > 1",
        "select * from (select c as v from t group by c) x where v::text not in ('a')",
        "select * from (select c as v from t group by c) x where v not in ('a'::text)",
        "select * from (select c as v from t group by c having count(*) > 1) x where v in (1)",
        "select n from (select count(distinct a) as n from t) x where n > 1",
        "select n from (select sum(a) / 2 as n from t) x where n > 1",
        "select n from (select count(*) as n from t) x where n > m",
        "select a from t where a = $1",
        "select a from t where a = $$x$$",
        "select a from t where a = 'back\\slash'",
        "select a from t where a = U&'\\0041'",
        "select a from t where a = 'x' 'y'",
        "select a from t where a = 1;",
        "select a from t where (a = 1",
        "values (1)",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(sql: str) -> None:
    assert recognise(sql) is None


def test_a_name_of_an_earlier_query_hides_the_table() -> None:
    sql = "with t as (select * from t where a = 1) select * from t where b = 2"
    found = recognise(sql)
    assert isinstance(found, Rows)
    assert (found.subject.conditions, found.predicate) == (("a = 1",), "b = 2")


def test_rendered_tokens_are_the_same_sql() -> None:
    text = """a <> -1 and "b""c" ~ E'it\\'s' and c->>'x' = any(array[1, 2]) and d::int4 > 1.5e3"""
    assert render(tokens_of(text)) == text


def test_names_are_replaced_and_functions_and_fields_are_not() -> None:
    tokens = tokens_of('n + n(1) + (x).n + "n" > N')
    assert render(tokens, {"n": "q"}) == "q + n(1) + (x).n + q > q"


@pytest.mark.parametrize(
    "text", ["'open", '"open', "(", ")", "a /* b /* c */", "x'1f'", "a$b", "1a", "a\x00"]
)
def test_text_that_could_be_read_in_two_ways_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        tokens_of(text)
