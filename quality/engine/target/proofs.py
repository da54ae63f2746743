"""What the catalogue proves about a test, and what of it could not run at all.

A proof holds for every snapshot in which the relation's signature is the one it was made for: a
change of columns, constraints or indexes is a change of the signature. With row security nothing is
proved: a policy hides rows, may raise an error, and says what it likes of who asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quality.engine.plan.duplicates import exact_duplicates
from quality.engine.plan.lexing import tokens_of
from quality.engine.plan.planning import PlannedTest
from quality.engine.plan.scan import Entry, exact_values, scans
from quality.engine.plan.shapes import (
    Aggregate,
    Digest,
    Duplicates,
    Orphans,
    RelationName,
    Rows,
    Shape,
    Values,
)
from quality.engine.target.catalogue import Facts
from quality.engine.target.meaning import functions_in, is_lasting, is_readable
from quality.engine.target.wire import Answer

# Sorting these is slower than sorting their hashes. The functions are those of the types' default
# hash operator classes (pg_amproc): equal values have equal hashes, by the column's collation.
_HASHES = {
    "text": "hashtextextended",
    "varchar": "hashtextextended",
    "bpchar": "hashbpcharextended",
    "uuid": "uuid_hash_extended",
    "numeric": "hash_numeric_extended",
    "jsonb": "jsonb_hash_extended",
}
_INTEGERS = ("int2", "int4", "int8")
_HASHED_IN_RECORDS = {
    *_HASHES,
    *_INTEGERS,
    *("float4", "float8", "bool", "date", "timestamp", "timestamptz"),
}
# Since this version records have hashes, and long lists of numbers are looked up by them.
_LOOKS_UP_NUMBERS = 140000
_IS_NULL = re.compile(r'("(?:[^"]|"")+"|[A-Za-z_]\w*)\s+is\s+null', re.I)


@dataclass(frozen=True, slots=True)
class Readiness:
    """How a test can run on a relation as its catalogue is now.

    `alone`: only as dbt wrote it. `broken`: the database refuses it. `proof` names what makes every
    row pass. `digest` and `bytewise` are for `Duplicates`.
    """

    alone: bool = False
    broken: bool = False
    proof: str | None = None
    digest: Digest | None = None
    bytewise: str | None = None

    def completed(self, planned: PlannedTest, *, with_hashes: bool) -> PlannedTest:
        """The test with what is known of its columns."""
        shape, digest = planned.shape, self.digest
        if not isinstance(shape, Duplicates) or digest is None:
            return planned
        if not (with_hashes or digest.is_key):
            return planned
        known = replace(shape, digest=self.digest, bytewise=self.bytewise)
        return replace(planned, shape=known)


def questions_of(planned: PlannedTest) -> list[str]:
    """The statements whose answers `readiness` needs.

    The plans of the test as dbt wrote it and in each form that it could take here; whether it is
    the same however often it is asked; and of tests on rows the plan of these.
    """
    forms = [wrapped(planned), *_own_forms(planned)]
    statements = [f"explain (format json, costs off) {form}" for form in forms]
    shape = planned.shape
    if isinstance(shape, (Rows, Values)):
        statements.append(f"explain (format json, costs off) {failing_rows(shape)}")
    if functions := _functions(shape):
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in functions)
        volatile = (
            f"select from pg_catalog.pg_proc where provolatile = 'v' and proname in ({quoted})"
        )
        statements.append(f"select exists ({volatile})")
    return statements


def _own_forms(planned: PlannedTest) -> list[str]:
    shape = planned.shape
    if shape is None or isinstance(shape, Orphans):
        return []
    forms = [scan.statement for scan in scans([Entry(0, planned, exactly=True)])]
    if isinstance(shape, Values):
        forms.append(exact_values([planned]))
    elif isinstance(shape, Duplicates):
        forms.append(exact_duplicates(shape))
    return forms


def readiness(
    planned: PlannedTest, answers: Sequence[Answer], facts: Mapping[RelationName, Facts]
) -> Readiness:
    """What the answers to `questions_of`, and the catalogue, say of a test."""
    if answers[0].failed:
        return Readiness(alone=True, broken=True)
    if any(answer.failed for answer in answers):
        return Readiness(alone=True)
    shape = planned.shape
    if shape is None or not is_readable(_expressions(shape)):
        return Readiness(alone=True)
    known = facts.get(shape.subject.relation)
    if known is None or shape.subject.relation.database not in (None, known.database):
        return Readiness(alone=True)
    if isinstance(shape, Values) and tokens_of(shape.key)[0].identifier not in known.simple:
        return Readiness(alone=True)
    if _functions(shape):
        *answers, volatile = answers
        if volatile.rows[0][0] == "t":
            return Readiness(alone=True)
    if isinstance(shape, Rows) and not shape.selected <= known.columns.keys():
        return Readiness(alone=True)
    if isinstance(shape, (Rows, Values)):
        return Readiness(proof=_of_rows(shape, known, answers[-1]))
    if isinstance(shape, Duplicates):
        keys = {tokens_of(key)[0].identifier for key in shape.keys}
        if not keys <= known.simple:
            return Readiness(alone=True)
        return Readiness(
            proof=_of_uniqueness(shape, known),
            digest=_digest(shape, known),
            bytewise=_bytewise(shape, known),
        )
    if isinstance(shape, Orphans):
        return Readiness(alone=True, proof=_of_reference(shape, known, facts.get(shape.parent)))
    return Readiness()


def wrapped(planned: PlannedTest) -> str:
    """The statement that dbt sends for a test (its macro `get_test_sql`), or the measures alone."""
    test = planned.test
    if planned.only_measures:
        return test.sql
    limit = "" if test.limit is None else f"\n  limit {test.limit}"
    return (
        f"select\n  {test.fail_calc} as failures,\n"
        f"  {test.fail_calc} {test.warn_if} as should_warn,\n"
        f"  {test.fail_calc} {test.error_if} as should_error\n"
        f"from (\n  {test.sql}{limit}\n) dbt_internal_test"
    )


def failing_rows(shape: Rows | Values) -> str:
    """A query of the rows for which the predicate holds."""
    conditions = [*shape.subject.conditions, shape.predicate]
    return f"select from {shape.subject.relation.sql} where " + " and ".join(
        f"({condition})" for condition in conditions
    )


def permission_query(planned: PlannedTest) -> str:
    """Reads nothing, and fails where the role may not read what the test would."""
    return f"select from (\n{planned.test.sql}\n) proved where false"


def _of_rows(shape: Rows | Values, facts: Facts, plan: Answer) -> str | None:
    if facts.row_security:
        return None
    match = _IS_NULL.fullmatch(shape.predicate.strip())
    if match is not None:
        column = tokens_of(match[1])[0].column or ""
        if column in facts.not_null:
            name = facts.not_null[column]
            return f'NOT NULL of "{column}"' + (f" ({name})" if name else "")
    # PostgreSQL's own prover: a predicate that the constraints refute becomes a constant false.
    # Only for a plain table, because what lies below others can change unseen. A function may have
    # been replaced since the constraint looked at the rows, and what a text means may change.
    if facts.kind != "r" or not facts.checks or _functions(shape):
        return None
    if not is_lasting([*shape.subject.conditions, shape.predicate], facts):
        return None
    if _is_constant_false(json.loads(plan.rows[0][0] or "[]")):
        return "CHECK " + ", ".join(facts.checks)
    return None


def _of_uniqueness(shape: Duplicates, facts: Facts) -> str | None:
    if facts.row_security:
        return None
    keys = {tokens_of(key)[0].identifier for key in shape.keys}
    for columns, nulls_not_distinct, name in facts.unique_keys:
        if not columns <= keys:
            continue
        if len(keys) == 1 and not shape.with_nulls:
            return f"UNIQUE index {name}"
        if nulls_not_distinct or all(column in facts.not_null for column in columns):
            return f"UNIQUE index {name}"
    return None


def _digest(shape: Duplicates, facts: Facts) -> Digest | None:
    if facts.version < _LOOKS_UP_NUMBERS:
        return None
    types = [facts.types.get(tokens_of(key)[0].identifier or "") for key in shape.keys]
    if len(types) > 1:
        if not set(types) <= _HASHED_IN_RECORDS:
            return None
        return Digest("pg_catalog.hash_record_extended")
    if types[0] in _INTEGERS:
        return Digest()
    name = _HASHES.get(types[0] or "")
    return Digest(f"pg_catalog.{name}") if name else None


def _bytewise(shape: Duplicates, facts: Facts) -> str | None:
    """With a deterministic collation texts are equal where their bytes are (manual, 23.2.2.4)."""
    column = tokens_of(shape.keys[0])[0].identifier
    if len(shape.keys) > 1 or column not in facts.deterministic:
        return None
    return f'{shape.keys[0]} collate "C"'


def _of_reference(shape: Orphans, facts: Facts, parent: Facts | None) -> str | None:
    if parent is None or parent.row_security or facts.row_security:
        return None
    if parent.kind == "p":  # its partitions' triggers may be off, and the signature is its own
        return None
    key = tokens_of(shape.key)[0].identifier
    field = parent.columns.get(tokens_of(shape.field)[0].identifier or "")
    for found in facts.foreign_keys:
        if (found.column, found.to_oid, found.to_number) == (key, parent.oid, field):
            return f"FOREIGN KEY {found.name}"
    return None


def _is_constant_false(plans: list[dict[str, object]]) -> bool:
    plan = plans[0].get("Plan") if plans else None
    return (
        isinstance(plan, dict)
        and plan.get("Node Type") == "Result"
        and plan.get("One-Time Filter") == "false"
        and not plan.get("Plans")
    )


def _functions(shape: Shape | None) -> list[str]:
    """All that a test calls, but for what its own query only does with what it found."""
    return [] if shape is None else sorted(functions_in(_expressions(shape)))


def _expressions(shape: Shape) -> list[str]:
    if isinstance(shape, Orphans):  # runs alone
        return []
    expressions = list(shape.subject.conditions)
    if isinstance(shape, (Rows, Values)):
        expressions.append(shape.predicate)
    elif isinstance(shape, Aggregate):  # what is in the parentheses of the aggregates
        expressions += [call.partition("(")[2].rpartition(")")[0] for _, call in shape.measures]
    return expressions
