"""Whether a scope fits the table that it narrows."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from quality.engine.plan.shapes import RelationName
from quality.engine.target.catalogue import Facts
from quality.engine.target.session import condition
from quality.engine.target.snapshot import Snapshot
from quality.errors import InvalidInput
from quality.predicates import Predicate

_TYPE = """
select pg_catalog.format_type(atttypid, atttypmod) from pg_catalog.pg_attribute
where attrelid = {table}::regclass and attname = {column}
"""


def refuse_unknown_columns(
    scope: Sequence[Predicate], relation: RelationName, facts: Facts
) -> None:
    """Raise InvalidInput (`scope_column_not_found`) where the table has not what is named."""
    for predicate in scope:
        if predicate.column not in facts.columns:
            raise InvalidInput(
                f'the scope names the column "{predicate.column}", which {relation.sql} has not',
                code="scope_column_not_found",
            )


def refuse_unfit(scope: Sequence[Predicate], relation: RelationName, snapshot: Snapshot) -> None:
    """Raise InvalidInput (`scope_rejected`) where a column is compared with what it cannot be."""
    questions = [
        f"explain select from {relation.sql} where {condition(predicate).as_string(None)}"
        for predicate in scope
    ]
    for predicate, answer in zip(scope, snapshot.ask(questions), strict=True):
        if answer.failed and answer.cause == "database":
            words = f'the scope does not fit the column "{predicate.column}" of {relation.sql}'
            type_ = _type_of(predicate.column, relation, snapshot)
            of_type = f", which is of type {type_}" if type_ else ""
            raise InvalidInput(f"{words}{of_type}: {answer.message}", code="scope_rejected")


def _type_of(column: str, relation: RelationName, snapshot: Snapshot) -> str | None:
    question = sql.SQL(_TYPE).format(table=sql.Literal(relation.sql), column=sql.Literal(column))
    (answer,) = snapshot.ask([question.as_string(None)])
    return None if answer.failed or not answer.rows else answer.rows[0][0]
