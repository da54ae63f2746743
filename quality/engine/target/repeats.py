"""Statements that a connection is asked again and again: planned once, and executed from then on.

A small table is read in less time than its scan takes to be planned. PostgreSQL plans anew by
itself when the catalogue or the statistics of what is read have changed (manual, PREPARE).
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

from quality.engine.plan.lexing import Token, Unreadable, tokens_of

# Texts that mean another moment at each reading (manual, 8.5.1.4), and what a type of names looks
# up (8.19): a prepared statement would go on with what they meant when it was prepared.
_MOMENTS = ("now", "today", "tomorrow", "yesterday", "allballs")
_OF_NAMES = frozenset(
    f"reg{kind}"
    for kind in (
        *("class", "collation", "config", "dictionary", "namespace", "oper", "operator"),
        *("proc", "procedure", "role", "type"),
    )
)


# Keywords that may stand before a parenthesis, and functions that every PostgreSQL has for every
# type; any other function may be replaced, or get a closer namesake, but for those in pg_catalog.
_HARMLESS = frozenset(
    ("and", "as", "by", "coalesce", "count", "distinct", "filter", "from", "having", "in")
) | {"materialized", "not", "on", "or", "select", "sum", "where"}
_LONGEST = 20_000
"""Characters of a statement, beyond which planning it is not what takes long."""


class Repeats:
    """What one connection was asked: what came twice, without failing, is prepared on it.

    At most `limit` statements are, those that were used last.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: OrderedDict[str, str] = OrderedDict()
        self._once: OrderedDict[str, None] = OrderedDict()
        self._changes: list[str] = []
        self._numbers = itertools.count(1)

    def spelled(self, statement: str) -> str:
        """How to ask for it on this connection."""
        name = self._names.get(statement)
        if name is None:
            return statement
        self._names.move_to_end(statement)
        return f"execute {name}"

    def answered(self, statement: str, *, failed: bool) -> None:
        """It was asked, as `spelled` has it. What failed is as it never was: it may be its plan."""
        if failed:
            self._once.pop(statement, None)
            if statement in self._names:
                self._changes.append(f"deallocate {self._names.pop(statement)}")
        elif statement in self._names or not self._limit or not is_steady(statement):
            return
        elif statement in self._once:
            del self._once[statement]
            name = self._names[statement] = f"stringx_{next(self._numbers)}"
            self._changes.append(f"prepare {name} as {statement}")
            if len(self._names) > self._limit:
                self._changes.append(f"deallocate {self._names.popitem(last=False)[1]}")
        else:
            self._once[statement] = None
            if len(self._once) > 2 * self._limit:
                self._once.popitem(last=False)

    def changes(self) -> list[str]:
        """Statements to be sent before others are asked for, outside of any transaction."""
        changes, self._changes = self._changes, []
        return changes


@lru_cache(maxsize=256)
def is_steady(statement: str) -> bool:
    """Whether it surely means the same whenever it is read, as long as its relations stay.

    Not where a text in it may be a moment, whose meaning may depend on the clock or on settings,
    where a type of names may look one up, or where it calls what can be replaced. Texts must be of
    types of PostgreSQL's own (`Prepared.is_plain`).
    """
    if len(statement) > _LONGEST:
        return False
    try:
        tokens = tokens_of(statement)
    except Unreadable:
        return False
    if any(_may_change(place, tokens) for place in range(len(tokens))):
        return False
    return not any(
        token.identifier in _OF_NAMES or (token.kind == "string" and _may_be_a_moment(token.text))
        for token in tokens
    )


def _may_change(place: int, tokens: Sequence[Token]) -> bool:
    """Whether it is the name of a function that may be another one by now."""
    one, after = tokens[place], tokens[place + 1 : place + 2]
    if not after or after[0].text != "(" or one.identifier is None:
        return False
    before = tokens[place - 1].text if place else ""
    if before == ".":
        return tokens[place - 2].identifier != "pg_catalog"
    return before != ")" and one.identifier not in _HARMLESS  # after one it names a subquery


def _may_be_a_moment(literal: str) -> bool:
    text = literal.lower()
    is_number_like = any(character.isdigit() for character in text)
    return is_number_like or "\\" in text or any(word in text for word in _MOMENTS)
