"""Counting keys that stand more than once, without sorting the whole table where that can be had.

A look is `count(key) - count(distinct hash)`: different hashes are of different keys, so that where
nothing is left over no key stands twice. Where something is, the keys are grouped. What a grouping
found is remembered by hashes, and the next look then says whether these are still all there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from quality.engine.plan.shapes import Duplicates

MOST_REMEMBERED = 5_000
"""Keys of one test whose hashes are kept, some 20 bytes each."""

MOST_LISTED = 100
"""Keys that are listed in a statement, so that it may be prepared; more are one text in it. Of a
small table no more are kept, as it is grouped in less time than they are read."""


@dataclass(frozen=True, slots=True)
class Known:
    """The keys that the newest groupings found, as numbers in SQL. `is_steady`: twice the same."""

    numbers: str
    count: int
    is_steady: bool = False


def surplus(shape: Duplicates, conditions: str) -> str:
    """The number of rows beyond the first of each key, or of each hash.

    `conditions` (SQL, or empty) narrow the rows. Several keys are here only with their hash.
    """
    only = _filter(conditions)
    hashed = shape.digest is not None and not shape.digest.is_key
    value = shape.number if hashed else shape.keys[0]
    distinct = f"count(distinct {value}){only}"
    if len(shape.keys) > 1:
        return f"count(*){only} - {distinct}"
    key = shape.keys[0]
    if shape.with_nulls:
        # The number of NULLs beyond the first is surplus as well.
        nulls = f"greatest(count(*){only} - count({key}){only} - 1, 0)"
        return f"count({key}){only} - {distinct} + {nulls}"
    return f"count({key}){only} - {distinct}"


def remembered(shape: Duplicates, known: Known, conditions: str) -> tuple[str, ...]:
    """Of the rows whose keys have the known numbers: all the numbers, and, where a number is not
    the key itself, how many keys."""
    numbers = known.numbers
    listed = f"in ({numbers})" if known.count <= MOST_LISTED else f"= any ('{{{numbers}}}'::int8[])"
    is_known = f"{shape.number} {listed}"
    only = _filter(f"({conditions}) and {is_known}" if conditions else is_known)
    found = f"pg_catalog.array_agg({shape.number}){only}"
    if shape.digest is not None and shape.digest.is_key:
        return (found,)
    keys = shape.keys[0] if len(shape.keys) == 1 else f"row({', '.join(shape.keys)})"
    return (found, f"count(distinct {keys}){only}")


def settled(over: int, numbers: str | None, keys: int | None = None) -> tuple[int, int] | None:
    """How many keys stand more than once, and in how many rows, from the answers to the above.

    None where that must be counted anew. The rows that are left `over` are those of the known
    numbers alone, so no others share a number with another row, nor a key; and among the known
    ones there are as many keys as numbers, so each number is one key.
    """
    found = Counter(numbers.strip("{}").split(",")) if numbers else Counter()
    if over != found.total() - len(found) or keys not in (None, len(found)):
        return None
    repeated = [count for count in found.values() if count > 1]
    return len(repeated), sum(repeated)


def exact_duplicates(
    shape: Duplicates, *, mostly_unique: bool = False, most: int = MOST_REMEMBERED
) -> str:
    """A query with the number of keys that stand more than once, of their rows, and their numbers.

    `mostly_unique`: sorting is better than hashing, which would keep an entry for nearly each row.
    The numbers are NULL where the shape has no digest, and one too many where there are more than
    `most`.
    """
    counts = "select count(*), coalesce(sum(n), 0)::bigint,"
    names = [f"k{place}" for place in range(len(shape.keys))]
    keys = shape.bytewise if mostly_unique and shape.bytewise else ", ".join(shape.keys)
    conditions = [*shape.subject.conditions]
    if not shape.with_nulls:
        conditions.append(f"{shape.keys[0]} is not null")
    where = " where " + " and ".join(f"({one})" for one in conditions) if conditions else ""
    order = f" order by {keys}" if mostly_unique else ""
    named = ", ".join(names)
    source = f"(select {keys} from {shape.subject.relation.sql}{where}{order}) keys ({named})"
    grouped = f"count(*) as n from {source} group by {named} having count(*) > 1"
    if shape.digest is None:
        return f"{counts} null from (select {grouped}) found"
    few = f"select {shape.digest.of(names)} as number from found limit {most + 1}"
    return (
        f"with found as materialized (select {named}, {grouped})"
        f" {counts} (select pg_catalog.array_agg(number) from ({few}) few) from found"
    )


def learned(numbers: str | None, before: Known | None, most: int) -> Known | None:
    """What to remember of the numbers that `exact_duplicates` gave."""
    found: Sequence[str] = sorted((numbers or "{}").strip("{}").split(","))
    if not found[0] or len(found) > most or "NULL" in found:
        return None
    text = ",".join(found)
    return Known(text, len(found), is_steady=before is not None and before.numbers == text)


def _filter(condition: str) -> str:
    return f" filter (where {condition})" if condition else ""
