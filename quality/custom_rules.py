"""Whether rules with their author's own SQL may run: the permission, and the schemas."""

from __future__ import annotations

from collections.abc import Collection

from quality.custom_sql import Refused, refuse_other_schemas
from quality.errors import Fault
from quality.names import TableName
from quality.rules import Rule

FORBIDDEN = "custom_sql_forbidden"


def has_custom_sql(rule: Rule) -> bool:
    """Whether the rule needs the permission for custom SQL."""
    return rule.rule_type.arguments.is_custom_sql


def faults_of_custom_sql(
    table: TableName,
    rules: Collection[Rule],
    *,
    is_allowed: bool,
    schemas: Collection[str] = (),
) -> list[Fault]:
    """What stands against the rules' own SQL. `schemas` are those that it may read, besides the
    table's own; without any it is that one alone."""
    faults: list[Fault] = []
    for place, rule in enumerate(rules):
        if not has_custom_sql(rule):
            continue
        path = f"rules[{place}]"
        if not is_allowed:
            words = f"{rule.type} is custom SQL, which STRINGX_CUSTOM_SQL=true allows"
            faults.append(Fault(path, FORBIDDEN, words))
            continue
        faults += _faults_of_queries(rule, path, {table.schema, *schemas})
    return faults


def _faults_of_queries(rule: Rule, path: str, schemas: set[str]) -> list[Fault]:
    faults: list[Fault] = []
    arguments = rule.typed_arguments()
    for below, query in arguments.queries_by_path().items():
        try:
            refuse_other_schemas(query, schemas)
        except Refused as refusal:
            faults.append(Fault(f"{path}.arguments.{below}", refusal.code, str(refusal)))
        if rule.where and not query.reads_checked:
            words = "narrows `checked`, which the query does not read"
            faults.append(Fault(f"{path}.where", "sql_checked_unused", words))
    for below, other in arguments.tables_by_path().items():
        schema = TableName.parse(other.name).schema
        if schema not in schemas:
            words = f"must not read {other.name}: allowed are {', '.join(sorted(schemas))}"
            faults.append(
                Fault(
                    f"{path}.arguments.{below}",
                    "sql_schema_forbidden",
                    f"{words} (STRINGX_CUSTOM_SQL_SCHEMAS)",
                )
            )
    return faults
