"""Every rule type on clean, dirty and no rows, and on rows of NULLs: what must be found, by the
engine, and by dbt alone with the macros of the distribution."""

from __future__ import annotations

from typing import Any

import pytest

from quality.catalogue import RULE_TYPES
from quality.names import TableName
from quality.rules import Rule, RuleSet
from tests.conftest import PROJECT
from tests.differential.cases import Case, Relation
from tests.differential.engine_side import EngineSide
from tests.differential.plain_dbt import PlainDbt
from tests.differential.rule_types import CASES, CASES_ALONE
from tests.differential.rule_types.case import TypeCase

TABLES = ("clean", "dirty", "nulls", "empty")


def test_every_rule_type_has_a_case() -> None:
    judged_at_once = {entry.name for entry in RULE_TYPES.values() if entry.category != "H"}
    assert {case.type for case in CASES} == judged_at_once


@pytest.mark.parametrize("table", [*TABLES, *dict(CASES_ALONE)])
def test_engine_finds_what_must_be_found(table: str, engine_side: EngineSide) -> None:
    cases = CASES if table in TABLES else [case for name, case in CASES_ALONE if name == table]
    rules = tuple(
        Rule.model_validate({"name": f"r{number}", **case.rule})
        for number, case in enumerate(cases)
    )
    outcome = engine_side.check(RuleSet("demo", TableName("ruled", table), rules))
    assert outcome.error_code is None, outcome.error
    differing = [
        f"{case.type} {case.column} {case.arguments}: {case.expected(table)} is expected, found "
        f"{(found.status, found.failures, found.rows_tested)} by {found.path}: {found.message}"
        for case, found in zip(cases, outcome.results, strict=True)
        if (found.status, found.failures, found.rows_tested) != case.expected(table)
    ]
    assert not differing, "\n".join(differing)


def test_dbt_alone_finds_what_must_be_found(plain_dbt: PlainDbt) -> None:
    """Arguments by name, no word of StringX in the project but its macros."""
    cases = {
        f"case_{number:03}_{table}": (case, table)
        for number, case in enumerate(CASES)
        for table in TABLES
        if case.plain
    }
    for number, (table, case) in enumerate(CASES_ALONE):
        cases[f"alone_{number:03}_{table}"] = (case, table)
    said = plain_dbt.test(
        [_plain(name, case, table) for name, (case, table) in cases.items()],
        macros=PROJECT / "stringx" / "macros",
    )
    differing = [
        f"{case.type} {case.column} {case.arguments} on {table}: {case.expected(table)[:2]} is "
        f"expected, dbt found {(said[name].status, said[name].failures)}: {said[name].message}\n"
        f"{said[name].test.sql}"
        for name, (case, table) in cases.items()
        if (said[name].status, said[name].failures) != case.expected(table)[:2]
    ]
    assert not differing, "\n".join(differing)


def _plain(name: str, case: TypeCase, table: str) -> Case:
    arguments: dict[str, Any] = dict(case.arguments)
    for argument in Rule.model_validate(case.rule).typed_arguments().tables_by_path():
        other = TableName.parse(arguments[argument])
        arguments[argument] = Relation(other.schema, other.table)
    return Case(name, Relation("ruled", table), case.type, case.column, arguments=arguments)
