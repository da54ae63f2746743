"""Hypothesis makes tables with nasty values and constraints, and tests over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.differential.cases import Case, Relation, generic
from tests.differential.typed_columns import COLUMNS, literal

SCHEMA = "made_up"
KINDS = ("table", "table", "table", "view", "materialized view", "partitioned", "inherited")
# Types whose values can be compared with each other, so that most tests can be judged.
TYPES = {column.type: column for column in COLUMNS if " collate" not in column.type}
COMMON = ("integer", "numeric", "text", "date", "double precision", "boolean", "varchar(8)")
THRESHOLDS = (
    *("!= 0", "> 0", "> 1", ">= 2", "= 1", "< 2", "<> 3", "<= 1", "between 1 and 2", "> 100"),
    *("in (1, 2)", "!=1", "is not null", "% 2 = 1"),
)
FAIL_CALCS = ("count(*)", "count(*)", "count(*) + 1", "sum(1)", "count(*) / 2", "max(1)")


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class World:
    """One relation: statements that make it, of which those in `hopeful` may fail; its tests."""

    name: str
    columns: tuple[Column, ...]
    statements: tuple[str, ...]
    hopeful: tuple[str, ...]
    tests: tuple[Case, ...] = field(default=())


def worlds(examples: int, number: int | None) -> list[World]:
    """As many as asked for; the same ones each time unless another seed's number is given."""
    found: list[World] = []

    @settings(
        max_examples=examples,
        derandomize=number is None,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_worlds())
    def collect(world: World) -> None:
        found.append(world)

    (collect if number is None else seed(number)(collect))()
    return _renamed(found)


def _renamed(found: list[World]) -> list[World]:
    """Under names of their own; hypothesis cannot count."""
    made = []
    for place, world in enumerate(found):
        name = f"{world.name}_{place}"
        relation = Relation(SCHEMA, name)

        def own(text: str, old: str = world.name, new: str = name) -> str:
            return text.replace(f"{SCHEMA}.{old}", f"{SCHEMA}.{new}")

        tests = tuple(
            Case(
                name=f"w{place}_{number}_{case.test}",
                relation=relation,
                test=case.test,
                column=case.column,
                arguments={
                    key: relation if isinstance(value, Relation) else value
                    for key, value in case.arguments.items()
                },
                config=case.config,
            )
            for number, case in enumerate(world.tests)
        )
        statements = tuple(map(own, world.statements))
        made.append(World(name, world.columns, statements, tuple(map(own, world.hopeful)), tests))
    return made


@st.composite
def _worlds(draw: st.DrawFn) -> World:
    kind = draw(st.sampled_from(KINDS))
    types = st.one_of(st.sampled_from(COMMON), st.sampled_from(sorted(TYPES)))
    columns = tuple(Column(f"c{number}", draw(types)) for number in range(draw(st.integers(2, 5))))
    rows = draw(st.lists(st.tuples(*(_values(column) for column in columns)), max_size=7))
    table = f"{SCHEMA}.{kind.split()[0]}"
    listed = ", ".join(f"{column.name} {column.type}" for column in columns)
    base = table if kind not in ("view", "materialized view") else f"{table}_base"
    statements = [f"create table {base} ({listed})"]
    if kind == "partitioned":
        statements = [
            f"create table {base} ({listed}, part integer default 1) partition by list (part)",
            f"create table {base}_1 partition of {base} for values in (1)",
            f"create table {base}_2 partition of {base} default",
        ]
    target = base
    if kind == "inherited":
        statements.append(f"create table {base}_child () inherits ({base})")
    for number, row in enumerate(rows):
        if kind == "inherited":
            target = f"{base}_child" if number % 2 else base
        more = f", {number % 2 + 1}" if kind == "partitioned" else ""
        statements.append(f"insert into {target} values ({', '.join(map(literal, row))}{more})")
    hopeful = draw(st.lists(_constraints(base, columns), max_size=4))
    if kind in ("view", "materialized view"):
        condition = draw(st.sampled_from(["true", f"{columns[0].name} is not null"]))
        hopeful.append(f"create {kind} {table} as select * from {base} where {condition}")
    name = table.removeprefix(f"{SCHEMA}.")
    tests = draw(st.lists(_tests(Relation(SCHEMA, name), columns), min_size=12, max_size=20))
    return World(name, columns, tuple(statements), tuple(hopeful), tuple(tests))


def _values(column: Column) -> st.SearchStrategy[str | None]:
    known = TYPES[column.type]
    values = [*known.values("clean"), *known.values("dirty")]
    return st.one_of(st.none(), st.sampled_from(values), st.sampled_from(values[:2]))


@st.composite
def _constraints(draw: st.DrawFn, table: str, columns: tuple[Column, ...]) -> str:
    column = draw(st.sampled_from(columns))
    other = draw(st.sampled_from(columns)).name
    name = column.name
    index = f"create unique index on {table} ({name}"
    return draw(
        st.sampled_from(
            [
                f"alter table {table} alter {name} set not null",
                f"alter table {table} add constraint n_{name} not null {name} not valid",
                f"alter table {table} add constraint u_{name} unique ({name})",
                f"alter table {table} add constraint u_{name} unique nulls not distinct ({name})",
                f"alter table {table} add unique ({name}, {other})",
                f"alter table {table} add primary key ({name})",
                f"alter table {table} add unique ({name}) deferrable initially deferred",
                f"alter table {table} add check ({draw(_predicates(columns))})",
                f"alter table {table} add check ({draw(_predicates(columns))}) not valid",
                f"alter table {table} add check ({draw(_predicates(columns))}) no inherit",
                f"{index}) where {draw(_predicates(columns))}",
                f"{index}, {other})",
                f"{index}) include ({other})",
                f"alter table only {table} add check ({name} is not null) not valid",
                f"analyze {table}",
            ]
        )
    )


def _literals(column: Column) -> st.SearchStrategy[str]:
    known = TYPES[column.type]
    values = [value for value in known.values("clean") if value and "{" not in value]
    return st.sampled_from([literal(value) for value in values or ["x"]])


@st.composite
def _predicates(draw: st.DrawFn, columns: tuple[Column, ...], depth: int = 2) -> str:
    column = draw(st.sampled_from(columns))
    name, value = column.name, draw(_literals(column))
    other = draw(st.sampled_from(columns)).name
    if depth and draw(st.booleans()):
        left, right = (draw(_predicates(columns, depth - 1)) for _ in range(2))
        together = ("{} and {}", "{} or {}", "not ({}) or {}", "({}) = ({})", "({} or {}) is true")
        return draw(st.sampled_from(together)).format(left, right)
    return draw(
        st.sampled_from(
            [
                f"{name} is null",
                f"{name} is not null",
                f"{name} = {value}",
                f"{name} <> {value}",
                f"{name} < {value}",
                f"{name} >= {value}",
                f"{name} in ({value}, {draw(_literals(column))})",
                f"{name} not in ({value})",
                f"{name} between {value} and {draw(_literals(column))}",
                f"{name} is distinct from {other}",
                f"{name} = {other}",
                f"{name}::text like '%1%'",
                f"coalesce({name}::text, '') <> ''",
                f"case when {name} is null then {other} is null else true end",
                f"length({name}::text) > 2 -- long\n",
                f"({name}, 1) = ({other}, 1)",
                "true",
                "null",
            ]
        )
    )


@st.composite
def _tests(draw: st.DrawFn, relation: Relation, columns: tuple[Column, ...]) -> Case:
    column = draw(st.sampled_from(columns))
    other = draw(st.sampled_from(columns))
    predicate = draw(_predicates(columns))
    name = column.name
    arguments: dict[str, dict[str, Any]] = {
        "not_null": {},
        "unique": {},
        "accepted_values": {
            "values": draw(st.lists(_literals(column), min_size=1, max_size=3)),
            "quote": False,
        },
        "relationships": {"to": relation, "field": other.name},
        "varies": {},
        "has_one": {},
        "ranked": {},
        "in_range": {"low": draw(_literals(column)), "inclusive": draw(st.booleans())},
        "filled": {},
        "null_where": {"condition": predicate},
        "holds": {"expression": f"is not null and ({predicate})"},
        "grouped_first": {
            "by": name,
            "condition": f"value_field not in ({draw(_literals(column))})",
        },
        "share_known": {"at_least": draw(st.sampled_from([0, 0.5, 1]))},
        "tail": {
            "condition": predicate,
            "tail": draw(st.sampled_from(["", "limit 2", "order by 1"])),
        },
        "never": {"condition": predicate},
        "expected": {"expression": predicate},
        "unique_together": {"columns": [name, other.name]},
        "grouped": {
            "selected": name,
            "by": name,
            "having": draw(st.sampled_from(["count(*) > 1", "count(*) > 2", "count(*) >= 1"])),
            "condition": predicate,
        },
        "aggregate_is": {
            "aggregate": draw(st.sampled_from(["count(*)", f"count({name})", f"max({name})"])),
            "condition": draw(st.sampled_from(["measured is null", "measured::text > '2'"])),
        },
    }
    of_table = ("never", "expected", "unique_together", "grouped", "grouped_first", "aggregate_is")
    test = draw(st.sampled_from(("not_null", "unique", *arguments)))
    return generic(
        test,
        relation,
        None if test in of_table else name,
        arguments=arguments[test],
        config=draw(_configs(columns)),
    )


@st.composite
def _configs(draw: st.DrawFn, columns: tuple[Column, ...]) -> dict[str, Any]:
    choices: dict[str, st.SearchStrategy[Any]] = {
        "severity": st.sampled_from(["error", "warn", "WARN"]),
        "warn_if": st.sampled_from(THRESHOLDS),
        "error_if": st.sampled_from(THRESHOLDS),
        "limit": st.integers(0, 3),
        "where": _predicates(columns),
        "fail_calc": st.sampled_from(FAIL_CALCS),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(choices)), max_size=3, unique=True))
    return {name: draw(choices[name]) for name in chosen}
