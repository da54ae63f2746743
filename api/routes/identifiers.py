"""Identifiers in paths."""

from __future__ import annotations

from quality.errors import NotFound

BIGGEST_ID = 2**63 - 1


def known_id(number: int, kind: str) -> int:
    """The id, or NotFound where the database could not even hold it."""
    if not 1 <= number <= BIGGEST_ID:
        raise NotFound(f"there is no {kind} {number}", code=f"{kind.replace(' ', '_')}_unknown")
    return number
