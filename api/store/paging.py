"""Keyset paging: a page costs the same at any depth and misses nothing while rows are added."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, tuple_

from quality.errors import Fault, InvalidInput


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as mappings, and the cursor of the next page where there is one."""

    items: list[dict[str, Any]]
    next_cursor: str | None


def fetch_page(
    connection: Connection,
    query: Select[Any],
    keys: Sequence[ColumnElement[Any]],
    *,
    limit: int,
    cursor: str | None,
    descending: bool = False,
) -> Page:
    """One page of `query` in the order of `keys`, whose last must be unique.

    The keys must be among the selected columns. Raises InvalidInput for a cursor that is not ours.
    """
    if cursor is not None:
        place = tuple_(*_decode(cursor, keys))
        query = query.where(tuple_(*keys) < place if descending else tuple_(*keys) > place)
    query = query.order_by(*((key.desc() if descending else key) for key in keys)).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], _encode([last[key.key] for key in keys]))


def _encode(values: list[Any]) -> str:
    raw = json.dumps(
        [value if isinstance(value, (int, str)) else value.isoformat() for value in values]
    )
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _decode(cursor: str, keys: Sequence[ColumnElement[Any]]) -> list[Any]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = json.loads(raw)
        if not isinstance(values, list) or len(values) != len(keys):
            raise ValueError("another list's cursor")
        typed: list[Any] = []
        for value, key in zip(values, keys, strict=True):
            kind = key.type.python_type
            if kind is datetime:
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    raise ValueError("no time zone")
                typed.append(moment)
            elif type(value) is kind and (kind is not int or abs(value) < 2**63):
                if kind is str and ("\x00" in value or not value.isprintable()):
                    raise ValueError("not printable")
                typed.append(value)
            else:
                raise ValueError("another list's cursor")
        return typed
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidInput(
            "cursor is not one that this list gave out",
            faults=[Fault("cursor", "cursor", "take next_cursor of the page before, unchanged")],
        ) from None
