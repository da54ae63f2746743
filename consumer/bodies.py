"""Bodies of requests to the API: documents in lists, as many and as large as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from quality.checks import CheckOutcome
from quality.errors import StringXError

MAX_ITEMS = 100
MAX_BODY_BYTES = 512 * 1024
"""Half of what the API takes by default, since a body is sized before it is made."""

Item = TypeVar("Item")


def reduced(outcome: CheckOutcome, error: StringXError) -> CheckOutcome | None:
    """What else can be said where the API refuses an outcome: without samples, then without SQL,
    then only why."""
    for field_name in ("sample", "sql"):
        if any(getattr(result, field_name) for result in outcome.results):
            without = {field_name: None}
            results = tuple(result.model_copy(update=without) for result in outcome.results)
            return outcome.model_copy(update={"results": results})
    if outcome.error_code == "outcome_refused":
        return None
    why = f"the API refused the outcome ({error.code}): {error}"[:4096]
    return outcome.model_copy(update={"results": (), "error_code": "outcome_refused", "error": why})


def listed(head: str, name: str, items: list[tuple[Any, bytes]]) -> bytes:
    """The JSON object `head` with one field more: the list of these documents."""
    field = b'"%s":[%s]}' % (name.encode(), b",".join(document for _, document in items))
    return head[:-1].encode() + (b"," if head != "{}" else b"") + field


def parts(items: list[tuple[Item, bytes]]) -> Iterator[list[tuple[Item, bytes]]]:
    """Items beside their documents, so many at a time as the API takes in a body."""
    part: list[tuple[Item, bytes]] = []
    size = 0
    for item in items:
        bytes_ = len(item[1])
        if part and (len(part) == MAX_ITEMS or size + bytes_ > MAX_BODY_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += bytes_
    if part:
        yield part


def halves(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """By which the one at fault is found, in a body that was refused."""
    middle = len(items) // 2
    return items[:middle], items[middle:]
