"""The guard of SQL that authors of rules write: what may be read, and each refusal by its code."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from quality.custom_rules import faults_of_custom_sql
from quality.custom_sql import Query, Refused, read_expression, read_query
from quality.names import TableName
from quality.rules import Rule

ALLOWED: list[tuple[str, list[str], bool, int | None]] = [
    ("select * from s.t where a > 1", ["s.t"], False, None),
    ("select c.id from checked c join s.u using (id)", ["s.u"], True, 1),
    ("with x as (select 1 as n), y as (select n from x) select n from y", [], False, 1),
    ('select 1 from "Odd.Schema"."t""q"', ['"Odd.Schema"."t""q"'], False, 1),
    ("select a from s.t union all (select b from s.u except select c from s.t)",
     ["s.t", "s.u"], False, 1),
    ("select (select count(*) from s.t) - (select count(*) from s.u)", ["s.t", "s.u"], False, 1),
    ("select 1 where exists (select from s.t, lateral (select 2) l)", ["s.t"], False, 1),
    ("select n, rank() over (partition by a order by b) from checked", [], True, 2),
    ("select g from generate_series(1, 10) g", [], False, 1),
    (("select count(*) filter (where a > 1), percentile_cont(0.5) within group (order by b) "
     "from s.t group by rollup (c)"), ["s.t"], False, 2),
    (("select extract(epoch from now() - a), a at time zone 'utc', b similar to 'x%', c::int[], "
     "cast(d as numeric(10, 2)), interval '1 day', current_date - 1, E'\\\\d' from s.t"),
     ["s.t"], False, 8),
    ("select '; drop table s.t; --', $$ -- $$ from s.t", ["s.t"], False, 2),
]  # fmt: skip
REFUSED: list[tuple[str, str]] = [
    ("insert into s.t values (1)", "sql_not_a_select"),
    ("update s.t set a = 1", "sql_not_a_select"),
    ("delete from s.t", "sql_not_a_select"),
    ("copy s.t to '/tmp/x'", "sql_not_a_select"),
    ("copy (select 1) to program 'id'", "sql_not_a_select"),
    ("do 'begin end'", "sql_not_a_select"),
    ("call f()", "sql_not_a_select"),
    ("set role postgres", "sql_not_a_select"),
    ("explain analyze select 1", "sql_not_a_select"),
    ("declare c cursor for select 1", "sql_not_a_select"),
    ("create table x as select 1", "sql_not_a_select"),
    ("with d as (delete from s.t returning a) select * from d", "sql_writes"),
    ("select * from (with d as (update s.t set a = 1 returning a) select * from d) x",
     "sql_writes"),
    ("select * into x from s.t", "sql_writes"),
    ("select * from s.t for update", "sql_locks"),
    ("select * from (select * from s.t for share) x", "sql_locks"),
    ("select 1; select 2", "sql_semicolon"),
    ("select 1;", "sql_semicolon"),
    ("", "sql_several_statements"),
    ("select 1 -- ) x", "sql_comment"),
    ("select /* ) */ 1", "sql_comment"),
    ("select {{ target.password }}", "sql_template"),
    ("select '{% do run_query(1) %}'", "sql_template"),
    ("select '\\'' or 1", "sql_syntax"),
    ("select 'a\\b'", "sql_backslash"),
    ("select (", "sql_syntax"),
    ("select $1", "sql_parameter"),
    ("select * from t", "sql_relation_unqualified"),
    # Outside of its own WITH the name would be a table of the search path.
    ("select * from x where exists (with x as (select 1) select * from x)",
     "sql_relation_unqualified"),
    ("with a as (select * from b), b as (select 1) select * from a", "sql_relation_unqualified"),
    ("with a as (select * from a) select * from a", "sql_relation_unqualified"),
    ("with checked as (select 1) select * from checked", "sql_checked"),
    ("with recursive a as (select 1 union all select * from a) select * from a", "sql_recursive"),
    ("select * from other.s.t", "sql_other_database"),
    ("select * from pg_catalog.pg_authid", "sql_system_relation"),
    ("select * from information_schema.columns", "sql_system_relation"),
    ("select * from pg_toast.pg_toast_1", "sql_system_relation"),
    ("select * from s.t tablesample system (1)", "sql_not_allowed"),
    ("select * from xmltable('x' passing 'y' columns a int)", "sql_not_allowed"),
    ("select 'pg_authid'::regclass", "sql_type_forbidden"),
    ("select 'f'::s.own_type", "sql_type_forbidden"),
    ("select a operator(s.=) b from s.t", "sql_operator_forbidden"),
    ("select a collate s.own from s.t", "sql_collation_forbidden"),
    ("select current_user", "sql_function_forbidden"),
    *((f"select {call}", "sql_function_forbidden") for call in (
        "pg_sleep(1)", "pg_catalog.pg_sleep(1)", "public.lower('x')", "lo_import('/etc/passwd')",
        "pg_read_file('/etc/passwd')", "pg_read_binary_file('x')", "pg_ls_dir('/')",
        "pg_stat_file('x')", "set_config('a', 'b', false)", "current_setting('a')",
        "nextval('s.q')", "setval('s.q', 1)", "random()", "gen_random_uuid()", "clock_timestamp()",
        "txid_current()", "pg_terminate_backend(1)", "pg_advisory_lock(1)", "pg_notify('a', 'b')",
        "query_to_xml('select 1', true, true, '')", "table_to_xml('s.t', true, true, '')",
        "database_to_xml(true, true, '')", "dblink('host=x', 'select 1')", "repeat('x', 100000000)",
        "lpad('x', 100000000)", "pg_logical_emit_message(true, 'a', 'b')", "version()",
        "inet_server_addr()", "has_table_privilege('s.t', 'select')", "ts_stat('select 1')",
        "pg_reload_conf()", "pg_switch_wal()", "cursor_to_xml('c', 1, true, true, '')",
    )),
    ("select * from dblink('host=x', 'select 1') as t(a int)", "sql_function_forbidden"),
    ("select * from s.t where pg_sleep(1) is null", "sql_function_forbidden"),
    ("select * from s.t order by pg_sleep(1)", "sql_function_forbidden"),
    ("select 1 limit (select count(*) from pg_catalog.pg_class)", "sql_system_relation"),
    ("select sum(a) over (order by pg_sleep(1)) from s.t", "sql_function_forbidden"),
    ("values (pg_sleep(1))", "sql_function_forbidden"),
    ("select count(*) filter (where pg_sleep(1) is null) from s.t", "sql_function_forbidden"),
    ("select case when pg_sleep(1) is null then 1 end", "sql_function_forbidden"),
    ("select array[pg_sleep(1)]", "sql_function_forbidden"),
    ("select " + "not " * 5000 + "true", "sql_too_deep"),
]  # fmt: skip
EXPRESSIONS: list[tuple[str, list[str]]] = [
    ("a > 1 and B <= 2", ["a", "b"]),
    ('"Odd ""name""" = coalesce("B c", 0)', ['Odd "name"', "B c"]),
    ("sum(a) / nullif(count(*), 0)", ["a"]),
    ("a = any (array[1, 2]) or b in (1, 2) or c between 1 and 2", ["a", "b", "c"]),
    ("case when a then b else c end is not null", ["a", "b", "c"]),
    ("now() - a < interval '1 day'", ["a"]),
    ("x ~ E'^\\\\d+$'", ["x"]),
]
NO_EXPRESSIONS: list[tuple[str, str]] = [
    ("a) or (b", "sql_syntax"),
    ("1) from s.secret where (1 = 1", "sql_syntax"),
    ("a, b", "sql_not_an_expression"),
    ("a from s.t", "sql_not_an_expression"),
    ("a as b", "sql_not_an_expression"),
    ("distinct a", "sql_not_an_expression"),
    ("a union select b", "sql_not_an_expression"),
    ("a order by b", "sql_not_an_expression"),
    ("a limit 1", "sql_not_an_expression"),
    ("a into x", "sql_not_an_expression"),
    ("a where b", "sql_not_an_expression"),
    ("a group by b", "sql_not_an_expression"),
    ("", "sql_not_an_expression"),
    ("a -- b", "sql_comment"),
    ("a; select 1", "sql_semicolon"),
    ("{{ a }}", "sql_template"),
    ("t.a > 1", "sql_column_qualified"),
    ("s.t.a > 1", "sql_column_qualified"),
    ("t.* is null", "sql_column_qualified"),
    ("(select 1) > 0", "sql_subquery"),
    ("a in (select b from s.t)", "sql_subquery"),
    ("exists (select 1)", "sql_subquery"),
    ("sum(a) over () > 1", "sql_window"),
    ("generate_series(1, 2) > 1", "sql_function_forbidden"),
    ("pg_sleep(1) is null", "sql_function_forbidden"),
    ("a::regclass is null", "sql_type_forbidden"),
    ("$1 > 0", "sql_parameter"),
]


@pytest.mark.parametrize(("text", "tables", "reads_checked", "columns"), ALLOWED)
def test_a_reading_select_is_read(
    text: str, tables: list[str], reads_checked: bool, columns: int | None
) -> None:
    names = tuple(TableName.parse(table) for table in tables)
    assert read_query(text) == Query(names, reads_checked, columns)


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_anything_else_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_query(text)
    assert (refused.value.code, "\n" in str(refused.value)) == (code, False)


@pytest.mark.parametrize(("text", "columns"), EXPRESSIONS)
def test_an_expression_names_its_columns(text: str, columns: list[str]) -> None:
    assert list(read_expression(text)) == columns


@pytest.mark.parametrize(("text", "code"), NO_EXPRESSIONS)
def test_what_is_more_than_an_expression_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_expression(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("failed_rows_sql", {"query": "select pg_sleep(1)"}),
        ("metric_sql", {"query": "select pg_sleep(1)", "max_value": 1}),
        ("expression_is_true", {"expression": "pg_sleep(1) is null"}),
        ("expression_between", {"expression": "max(pg_sleep(1))", "max_value": 1}),
        ("aggregation_equals_other_table",
         {"expression": "max(pg_sleep(1))", "compare_model": "s.t"}),
        ("aggregation_equals_other_table",
         {"expression": "max(a)", "compare_expression": "max(pg_sleep(1))",
          "compare_model": "s.t"}),
    ],
)  # fmt: skip
def test_every_door_of_custom_sql_is_guarded(kind: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Rule.model_validate({"type": kind, "arguments": arguments})
    (error,) = refused.value.errors()
    assert error["type"] == "sql_function_forbidden"
    assert error["loc"][0] == "arguments"


def test_a_metric_is_one_number() -> None:
    with pytest.raises(ValidationError, match="one column"):
        Rule.model_validate(
            {"type": "metric_sql", "arguments": {"query": "select 1, 2", "max_value": 1}}
        )


def test_permission_and_schemas() -> None:
    table = TableName("s", "t")
    where = [{"column": "a", "op": "=", "value": 1}]

    def codes(rule: dict[str, Any], **settings: Any) -> list[str]:
        found = [Rule.model_validate({"name": "r", **rule})]
        faults = faults_of_custom_sql(table, found, **{"is_allowed": True, **settings})
        return [fault.code for fault in faults]

    def reading(query: str) -> dict[str, Any]:
        return {"type": "failed_rows_sql", "arguments": {"query": query}}

    aggregate = {
        "type": "aggregation_equals_other_table",
        "arguments": {"expression": "max(a)", "compare_model": "other.t"},
    }
    for rule in (reading("select 1"), aggregate):
        assert codes(rule, is_allowed=False) == ["custom_sql_forbidden"]
    assert codes({"type": "not_null", "column": "a"}, is_allowed=False) == []
    assert codes(reading("select * from s.u")) == []
    assert codes(reading("select * from other.t")) == ["sql_schema_forbidden"]
    assert codes(reading("select * from other.t"), schemas={"other"}) == []
    assert codes(aggregate) == ["sql_schema_forbidden"]
    assert codes(aggregate, schemas={"other"}) == []
    assert codes({**reading("select * from s.t"), "where": where}) == ["sql_checked_unused"]
    assert codes({**reading("select * from checked"), "where": where}) == []
