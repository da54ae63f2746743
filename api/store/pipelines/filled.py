"""Which tables pipelines fill, for those who may see only some."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import BigInteger, ColumnElement, Connection, any_, literal, text
from sqlalchemy.dialects.postgresql import ARRAY

_OF_PIPELINES = text(
    """
    select pipeline_id, connection, table_name from pipeline_table
    where cast(:id as bigint) is null or pipeline_id = :id
    """
)
_NAMED = text("select id from pipeline where name = :name")
_OF_EXECUTION = text("select pipeline_id from pipeline_execution where id = :id")
_OF_RULE = text("select pipeline_id from anomaly_detection_rule where id = :id")


def within(
    db: Connection, is_for: Callable[[str, str], bool], pipeline_id: int | None = None
) -> list[int]:
    """The pipelines, or whether the one, that fill tables and none but those which `is_for`
    (connection, table) accepts."""
    verdicts: dict[int, bool] = {}
    for row in db.execute(_OF_PIPELINES, {"id": pipeline_id}):
        is_theirs = is_for(row.connection, row.table_name)
        verdicts[row.pipeline_id] = verdicts.get(row.pipeline_id, True) and is_theirs
    return sorted(number for number, is_theirs in verdicts.items() if is_theirs)


def among(column: ColumnElement[int], ids: list[int]) -> ColumnElement[bool]:
    """Whether a pipeline's id is one of these, as a condition."""
    return column == any_(literal(ids, ARRAY(BigInteger)))


def named(db: Connection, name: str) -> int | None:
    """The id of the pipeline of that name."""
    return db.scalar(_NAMED, {"name": name})


def of_execution(db: Connection, execution_id: int) -> int | None:
    """Whose execution it is."""
    return db.scalar(_OF_EXECUTION, {"id": execution_id})


def of_rule(db: Connection, rule_id: int) -> int | None:
    """The pipeline that an anomaly rule is about."""
    return db.scalar(_OF_RULE, {"id": rule_id})
