"""Whether rules could run on their target, asked of the target itself."""

from __future__ import annotations

from quality.engine.target.session import Relation, Session
from quality.errors import Fault
from quality.names import TableName
from quality.rules import Rule, RuleSet


def faults_of_names(rule_set: RuleSet, relation: Relation, session: Session) -> list[Fault]:
    """What the rules name and the target has not, and regular expressions that are none."""
    faults: list[Fault] = []
    for index, rule in enumerate(rule_set.rules):
        for path, column in _named_columns(rule):
            if column not in relation.columns:
                faults.append(_no_column(f"rules[{index}].{path}", column, rule_set.table))
        faults += _faults_of_arguments(rule, f"rules[{index}].arguments", session)
    return faults


def _named_columns(rule: Rule) -> list[tuple[str, str]]:
    named: list[tuple[str, str]] = []
    # A rule about the table's own definition may name columns that should be there.
    if rule.column is not None and rule.rule_type.category != "M":
        named.append(("column", rule.column))
    named += [
        (f"arguments.{path}", column)
        for path, column in rule.typed_arguments().columns_by_path().items()
    ]
    named += [
        (f"where[{place}].column", predicate.column) for place, predicate in enumerate(rule.where)
    ]
    for field in ("group_by", "sample_columns", "mask"):
        named += [(f"{field}[{at}]", column) for at, column in enumerate(getattr(rule, field))]
    return named


def _faults_of_arguments(rule: Rule, path: str, session: Session) -> list[Fault]:
    for below, regex in rule.typed_arguments().regexes_by_path().items():
        words = session.try_regex(regex)
        if words is not None:
            return [Fault(f"{path}.{below}", "regex_invalid", words)]
    for below, other in rule.typed_arguments().tables_by_path().items():
        table = TableName.parse(other.name)
        relation = session.relation(table)
        if relation is None:
            words = f"there is no table {table} on the target"
            return [Fault(f"{path}.{below}", "table_not_found", words)]
        for place, column in other.columns.items():
            if column not in relation.columns:
                return [_no_column(f"{path}.{place}", column, table)]
    return []


def _no_column(path: str, column: str, table: TableName) -> Fault:
    return Fault(path, "column_not_found", f'there is no column "{column}" in {table}')
