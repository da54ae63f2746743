"""Whether an expression means the same whenever it is read, as long as its table stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from quality.engine.plan.lexing import Unreadable, tokens_of
from quality.engine.target.catalogue import Facts

# Types of which a text is one value for good, whatever the clock and the settings say.
_LASTING = frozenset(
    ("text", "varchar", "bpchar", "int2", "int4", "int8", "numeric", "float4", "float8", "bool")
) | {"uuid"}
# Of these a text in ISO 8601 is; others may be a moment, or be read by DateStyle and TimeZone.
_TEMPORAL = frozenset(("date", "timestamp"))
_ISO = re.compile(r"'\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?'")
_WORDS = frozenset(
    ("and", "or", "not", "in", "is", "null", "true", "false", "between", "symmetric", "like")
) | {"ilike", "distinct", "from", "isnull", "notnull"}
# Keywords that may stand before a parenthesis without being a function.
_BEFORE_PARENTHESES = frozenset(
    ("and", "or", "not", "in", "any", "all", "some", "case", "when", "then", "else", "array", "row")
)


def is_readable(expressions: Iterable[str]) -> bool:
    """Whether each of them can be read; of what cannot, nothing is known."""
    try:
        for expression in expressions:
            tokens_of(expression)
    except Unreadable:
        return False
    return True


def functions_in(expressions: Iterable[str]) -> set[str]:
    """The names of all functions that readable expressions call."""
    found: set[str] = set()
    for tokens in map(tokens_of, expressions):
        found |= {
            token.identifier
            for token, following in pairwise(tokens)
            if following.text == "("
            and token.identifier is not None
            and token.word not in _BEFORE_PARENTHESES
        }
    return found


def is_lasting(expressions: Sequence[str], facts: Facts) -> bool:
    """Whether texts in them are the same values tomorrow: 'today' is not, nor is what an enum's
    label is called, nor '1.2.2026'. True only where that is sure; they must be readable."""
    tokens = [token for expression in expressions for token in tokens_of(expression)]
    texts = [token.text for token in tokens if token.kind == "string"]
    if not texts:
        return True
    if any(token.text == "::" for token in tokens) or any(
        following.kind == "string" and token.identifier is not None and token.word not in _WORDS
        for token, following in pairwise(tokens)
    ):
        return False  # a type that they are cast to, which a column may be called like
    types: set[str | None] = set()
    for token in tokens:
        if token.identifier is None or token.word in _WORDS:
            continue
        if token.identifier not in facts.columns:
            return False  # a type that it is cast to, or anything else
        types.add(facts.types.get(token.identifier))
    if types & _TEMPORAL and not all(_ISO.fullmatch(text) for text in texts):
        return False
    return types <= _LASTING | _TEMPORAL
