"""Rules of every type of the catalogue, and the checks that run them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quality.names import TableName
from quality.predicates import Predicate
from quality.rules import Rule, RuleSet
from tests.differential import cases_types
from tests.differential.rule_types import CASES
from tests.differential.typed_columns import COLUMNS

RuleText = dict[str, Any]


def rule(kind: str, column: str | None = None, **arguments: Any) -> RuleText:
    found: RuleText = {"type": kind, "arguments": arguments}
    return found if column is None else {**found, "column": column}


PARENT = {"to": "ruled.parents", "field": "key"}
RULES: tuple[RuleText, ...] = (
    rule("not_null", "id"),
    rule("not_null", "kind"),
    rule("not_null", 'Odd "name"'),
    rule("not_null_proportion", "low", at_least=0.9),
    rule("not_null_proportion", "low", at_least=0.5),
    rule("not_null_proportion", "low", at_least=0, at_most=0.5),
    rule("not_null_proportion", "high", at_least=1 / 3, at_most=5 / 6),
    rule("not_empty_string", "name"),
    rule("not_empty_string", "name", trim_whitespace=False),
    rule("row_count_between", min_value=1, max_value=5),
    rule("row_count_between", min_value=4),
    rule("row_count_between", max_value=0),
    rule("unique", "id"),
    rule("unique", "name"),
    rule("unique", "flag"),
    rule("unique", 'Odd "name"'),
    rule("unique_combination_of_columns", columns=["id", "other"]),
    rule("unique_combination_of_columns", columns=["id"]),
    rule("unique_combination_of_columns", columns=["id", "kind", "name"]),
    rule("accepted_values", "kind", values=["x", "y"]),
    rule("accepted_values", "id", values=[1, 3, 2.0]),
    rule("accepted_values", "flag", values=[True]),
    rule("accepted_values", 'Odd "name"', values=["it's", "a", "%s", "back\\slash"]),
    rule("accepted_values", "kind", values=[1]),
    rule("not_accepted_values", "kind", values=["z", "w", "q"]),
    rule("not_accepted_values", "id", values=[1, 2]),
    rule("not_accepted_values", "id", values=["one"]),
    rule("accepted_range", "low", min_value=-4, max_value=9),
    rule("accepted_range", "low", max_value=9, inclusive=False),
    rule("accepted_range", "low", min_value=1),
    rule("accepted_range", "high", min_value=1e-07, max_value=5.5),
    rule("accepted_range", "seen", min_value="2020-01-01", max_value="2999-01-01"),
    rule("accepted_range", "seen", min_value="yesterday or so"),
    rule("string_length_between", "name", min_value=1, max_value=2),
    rule("string_length_between", "low", min_value=1),
    rule("match_regex", "name", regex=r"^[a-f]{2}$"),
    rule("match_regex", "name", regex=r"\\"),
    rule("match_regex", "name", regex="("),
    rule("relationships", "other", **PARENT),
    rule("relationships", "kind", to="ruled.parents", field="code"),
    rule("relationships", "kind", to="ruled.parents", field="key"),
    rule("relationships", "other", to="ruled.not_there", field="key"),
    rule("column_greater_than", "high", other_column="low"),
    rule("column_greater_than", "high", other_column="low", or_equal=True),
    rule("column_greater_than", "name", other_column="low"),
    rule("recency", "seen", datepart="day", interval=1),
    rule("recency", "seen", datepart="month", interval=2),
    rule("recency", "low", datepart="month", interval=2),
    rule("not_null", "not_there"),
)
SETTINGS: tuple[dict[str, Any], ...] = (
    {"severity": "warn"},
    {"warn_if": "> 1", "error_if": "> 2"},
    {"error_if": ">= 2"},
    {"severity": "warn", "warn_if": "= 2"},
    {"warn_if": "!= 0", "error_if": "> 1000"},
    {"warn_if": "= 0", "error_if": "> 1000"},
    {"warn_if": "> 1000", "error_if": "= 0"},
    {"warn_if": "<= 3", "error_if": "< 2"},
)
WHERES: tuple[list[dict[str, Any]], ...] = (
    [{"column": "id", "op": "is_not_null"}],
    [{"column": "kind", "op": "in", "value": ["x", "z"]}, {"column": "id", "op": "<=", "value": 1}],
    [{"column": "low", "op": "between", "value": [-5, 9]}],
    [{"column": 'Odd "name"', "op": "!=", "value": "it's"}],
    [{"column": "high", "op": "=", "value": "NaN"}],
    [{"column": "flag", "op": "=", "value": True}],
    [{"column": "name", "op": ">=", "value": "back\\slash"}],
    [{"column": "id", "op": "=", "value": "x"}],
)
SCOPES: tuple[list[dict[str, Any]], ...] = (
    [{"column": "id", "op": "=", "value": 2}],
    [{"column": "seen", "op": "is_null"}, {"column": "kind", "op": "!=", "value": "w"}],
    [{"column": "id", "op": ">", "value": 1000}],
    [{"column": 'Odd "name"', "op": "in", "value": ["it's", "%s", 'a"b', "\\"]}],
)
# Columns of types that the engine leaves to dbt's SQL (see cases_types).
LEFT_ALONE = [column.name for column in COLUMNS if column.type in cases_types.LEFT_ALONE]
TABLES = ("clean", "dirty", "empty", "nulls")
OTHERS = ("bound", "seen_through", "parted")


@dataclass(frozen=True, slots=True)
class Check:
    """Rules of one table, run together on the rows that the scope leaves."""

    name: str
    rule_set: RuleSet
    scope: tuple[Predicate, ...] = ()


def checks() -> list[Check]:
    return list(_checks())


def _checks() -> Iterator[Check]:
    for table in TABLES:
        yield _check(table, f"ruled.{table}", RULES)
    for number, table in enumerate(OTHERS):
        yield _check(table, f"ruled.{table}", RULES[number % 2 :: 2])
    configured = [
        {**text, **SETTINGS[(number + shift) % len(SETTINGS)]}
        for number, text in enumerate(RULES)
        for shift in (0, 3)[: 1 + number % 2]
    ]
    yield _check("configured", "ruled.dirty", configured)
    narrowed = [{**text, "where": WHERES[n % len(WHERES)]} for n, text in enumerate(RULES)]
    yield _check("narrowed", "ruled.dirty", narrowed)
    for number, scope in enumerate(SCOPES):
        rules = (RULES if number < 2 else narrowed)[number % 2 :: 2]
        yield _check(f"scoped_{number}", "ruled.dirty", rules, scope)
    yield _check("bound_scoped", "ruled.bound", RULES[1::2], SCOPES[0])
    yield _check("bound_narrowed", "ruled.bound", narrowed[::2])
    yield from _of_every_type([case.rule for case in CASES])
    yield _check("types_dirty", "tables.dirty", list(_of_types()))
    yield _check("types_clean", "tables.clean", list(_of_types())[1::3])
    yield _check("quoted", '"Odd.Schema"."t""q"', [rule("not_null", 'c"q'), rule("unique", "c'q")])
    reserved = [rule(t, c) for t in ("not_null", "unique") for c in ("order", "User", "%s", "$1")]
    yield _check("reserved", '"Odd.Schema".select', reserved)
    proved = [rule(t, c) for t in ("not_null", "unique") for c in ("id", "word", "parent")]
    related = [rule("relationships", "parent", to="guarded.parents", field="key")]
    yield _check("guarded", "guarded.children", [*proved, *related])
    hidden = [rule(t, c) for t in ("not_null", "unique") for c in ("shown", "hidden", "ref")]
    where = [{"column": "ref", "op": "is_not_null"}]
    more = [{**text, "where": where} for text in hidden]
    yield _check("hidden", "guarded.columns", [*hidden, *more])
    yield _check("refused", "guarded.refused", [rule("not_null", "id"), rule("unique", "id")])
    yield _check("no_table", "ruled.not_there", [rule("not_null", "id"), rule("unique", "id")])


def _of_every_type(rules: Sequence[RuleText]) -> Iterator[Check]:
    """What `test_rule_types` tries on whole tables, narrowed and on other relations, in parts."""
    narrowed = [{**text, "where": WHERES[n % len(WHERES)]} for n, text in enumerate(rules)]
    yield _check("every_type_narrowed", "ruled.dirty", narrowed[::2])
    yield _check("every_type_scoped", "ruled.dirty", rules[1::2], SCOPES[0])
    for number, table in enumerate(OTHERS):
        yield _check(f"every_type_{table}", f"ruled.{table}", rules[number :: len(OTHERS)])


def _of_types() -> Iterator[RuleText]:
    for column in COLUMNS:
        listed = [value for value in column.values("clean") if value is not None]
        yield rule("unique", column.name)
        yield rule("accepted_values", column.name, values=listed)
        yield rule("not_accepted_values", column.name, values=listed)


def _check(
    name: str, table: str, rules: Sequence[RuleText], scope: Sequence[dict[str, Any]] = ()
) -> Check:
    found = tuple(
        Rule.model_validate({"name": f"r{number}", **text}) for number, text in enumerate(rules)
    )
    return Check(
        name,
        RuleSet("demo", TableName.parse(table), found),
        tuple(Predicate.model_validate(predicate) for predicate in scope),
    )
