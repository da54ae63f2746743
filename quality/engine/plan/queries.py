"""The clauses of one `select`, found among its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quality.engine.plan.lexing import Token

Tokens = tuple[Token, ...]

_CLAUSES = ("from", "where", "group", "having")
# None of these may stand in a query that is recognised, outside of parentheses.
_REFUSED = {
    *("order", "limit", "offset", "fetch", "for", "union", "intersect", "except", "window"),
    *("into", "join", "cross", "natural", "tablesample", "within", "filter", "over", "distinct"),
}


class Unstructured(Exception):
    """Not built as what is looked for."""


@dataclass(frozen=True, slots=True)
class Select:
    """`select items from source where … group by … having …`, each as tokens."""

    items: Tokens
    source: Tokens
    where: Tokens = ()
    group: Tokens = ()
    having: Tokens = ()


@dataclass(frozen=True, slots=True)
class Source:
    """What stands after FROM: the parts of a relation's name, or a query in parentheses."""

    relation: Tokens = ()
    query: Tokens = ()
    alias: str | None = None


def ctes_of(tokens: Tokens) -> tuple[dict[str, Tokens], Tokens]:
    """The common table expressions before a query, in their order, and the query itself.

    Raises Unstructured for recursive or materialized ones, and for lists of columns.
    """
    if not tokens or tokens[0].word != "with":
        return {}, tokens
    ctes: dict[str, Tokens] = {}
    place = 1
    while place + 2 < len(tokens):
        name = tokens[place].identifier
        if name is None or name in ctes or tokens[place + 1].word != "as":
            raise Unstructured
        end = closing(tokens, place + 2)
        ctes[name] = tokens[place + 3 : end]
        if end + 1 < len(tokens) and tokens[end + 1].text == ",":
            place = end + 2
            continue
        return ctes, tokens[end + 1 :]
    raise Unstructured


def select_of(tokens: Tokens) -> Select | None:
    """The query's clauses; None where it is more than those."""
    if not tokens or tokens[0].word != "select":
        return None
    found: dict[str, Tokens] = {}
    clause, start = "items", 1
    for place, token in enumerate(tokens[1:], start=1):
        if token.depth != tokens[0].depth or _is_field(tokens, place):
            continue
        if token.word in ("from", "distinct") and _is_comparison(tokens, place):
            continue
        if token.word in _REFUSED or token.text == ";":
            return None
        if token.word in _CLAUSES:
            if token.word in found or token.word == clause:
                return None
            found[clause] = tokens[start:place]
            clause, start = token.word, place + 1
    found[clause] = tokens[start:]
    if "from" not in found or list(found) != [
        name for name in ("items", *_CLAUSES) if name in found
    ]:
        return None
    group = found.get("group", ())
    if "group" in found:
        if not group or group[0].word != "by":
            return None
        group = group[1:]
    return Select(
        items=found["items"],
        source=found["from"],
        where=found.get("where", ()),
        group=group,
        having=found.get("having", ()),
    )


def source_of(tokens: Tokens) -> Source | None:
    """The one thing after FROM; None for joins, lists, functions and column aliases."""
    if not tokens:
        return None
    if tokens[0].text == "(":
        end = closing(tokens, 0)
        alias = _alias_of(tokens[end + 1 :])
        return Source(query=tokens[1:end], alias=alias or None) if alias is not None else None
    parts = [tokens[0]]
    place = 1
    while place + 1 < len(tokens) and tokens[place].text == ".":
        parts.append(tokens[place + 1])
        place += 2
    if len(parts) > 3 or any(part.identifier is None for part in parts):
        return None
    if parts[0].word in ("only", "lateral"):
        return None
    alias = _alias_of(tokens[place:])
    return Source(relation=tuple(parts), alias=alias or None) if alias is not None else None


def closing(tokens: Sequence[Token], place: int) -> int:
    """The place of the parenthesis that closes the one at `place`; Unstructured where none is."""
    if tokens[place].text != "(":
        raise Unstructured
    depth = tokens[place].depth
    for index in range(place + 1, len(tokens)):
        if tokens[index].depth == depth and tokens[index].text == ")":
            return index
    raise Unstructured


def split(tokens: Tokens) -> Iterator[Tokens]:
    """The parts between commas outside of parentheses."""
    if not tokens:
        return
    depth, start = tokens[0].depth, 0
    for place, token in enumerate(tokens):
        if token.text == "," and token.depth == depth:
            yield tokens[start:place]
            start = place + 1
    yield tokens[start:]


def named(item: Tokens) -> tuple[Tokens, str | None]:
    """An item of a select list without its alias, and the alias."""
    if len(item) >= 3 and item[-2].word == "as" and item[-2].depth == item[-1].depth:
        return item[:-2], item[-1].identifier
    if len(item) >= 2 and item[-1].identifier is not None and item[-2].text in (")", "]"):
        return item[:-1], item[-1].identifier
    return item, None


def _is_field(tokens: Tokens, place: int) -> bool:
    return place > 0 and tokens[place - 1].text == "."


def _is_comparison(tokens: Tokens, place: int) -> bool:
    """`is [not] distinct from` has words of clauses."""
    words = [token.word for token in tokens[max(0, place - 3) : place]]
    if tokens[place].word == "distinct":
        return words[-1:] == ["is"] or words[-2:] == ["is", "not"]
    return words[-2:] == ["is", "distinct"] or words[-3:] == ["is", "not", "distinct"]


def _alias_of(tokens: Tokens) -> str | None:
    """The alias, empty where there is none; None for anything else."""
    if not tokens:
        return ""
    if tokens[0].word == "as":
        tokens = tokens[1:]
    return tokens[0].identifier if len(tokens) == 1 else None
