"""SQL in tokens, as PostgreSQL reads it (manual, 4.1 Lexical Structure).

Only what can be read in one way is read: dollar quotes, Unicode escapes, bit strings, nested
comments, parameters and backslashes in plain strings make a text Unreadable. What is unreadable is
never recognised, and runs as dbt wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "quoted", "string", "number", "symbol"]

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
    |(?P<line>--[^\n\r]*)
    |(?P<block>/\*(?:(?!\*/|/\*).)*\*/)
    |(?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
    |(?P<string>'(?:[^'\\]|'')*')
    |(?P<quoted>"(?:[^"\x00]|"")+")
    |(?P<name>[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w$.]))
    |(?P<symbol>::|\.(?!\.)|[(),\[\]:]|(?:(?!--|/\*)[+\-*/<>=~!@\#%^&|`?])+)
    """,
    re.VERBOSE | re.DOTALL,
)

VALUES = frozenset(
    ("current_catalog", "current_date", "current_role", "current_schema", "current_time")
) | {
    *("current_timestamp", "current_user", "localtime", "localtimestamp", "session_user"),
    *("system_user", "user", "null", "true", "false", "default"),
}
"""Words that mean a value where they stand alone, even where a column has that name (manual,
appendix C)."""


class Unreadable(Exception):
    """The text has something that this lexer does not vouch for."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL; `depth` counts the parentheses and brackets around it.

    `gap` says that blanks or comments stand before it.
    """

    kind: Kind
    text: str
    depth: int
    gap: bool

    @property
    def word(self) -> str:
        """An unquoted name in lower case, as keywords are compared; empty for anything else."""
        return self.text.lower() if self.kind == "name" else ""

    @property
    def identifier(self) -> str | None:
        """The name that a name stands for; None for what is none."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        if self.kind != "name":
            return None
        # Only ASCII is folded where the encoding has more than one byte, as UTF-8 has.
        return "".join(c.lower() if c.isascii() else c for c in self.text)

    @property
    def column(self) -> str | None:
        """The name of the column that it may stand for by itself; None for what is none."""
        return None if self.word in VALUES else self.identifier


def tokens_of(text: str) -> tuple[Token, ...]:
    """The text's tokens without comments; raises Unreadable."""
    if "\x00" in text:  # where it ends for the database
        raise Unreadable("NUL")
    return tuple(_tokens(text))


def render(tokens: Sequence[Token], names: Mapping[str, str] | None = None) -> str:
    """SQL again, with names of columns replaced by what they stand for.

    A name before a parenthesis is a function's, and one after a dot is a field's: these stay.
    """
    parts: list[str] = []
    for place, token in enumerate(tokens):
        text = token.text
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
        is_field = place > 0 and tokens[place - 1].text == "."
        if names and following not in ("(", ".") and not is_field:
            text = names.get(token.column or "", text)
        parts.append(f" {text}" if token.gap and parts else text)
    return "".join(parts)


def _tokens(text: str) -> Iterator[Token]:
    place, depth, gap = 0, 0, False
    previous_end_is_name, previous_kind = False, ""
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise Unreadable(text[place : place + 20])
        kind = match.lastgroup or ""
        found = match[0]
        place = match.end()
        if kind in ("blank", "line", "block"):
            gap, previous_end_is_name = True, False
            continue
        if kind in ("string", "quoted") and previous_end_is_name:
            raise Unreadable(found)  # B'…', or two tokens grown together
        if kind in ("string", "escaped") and previous_kind in ("string", "escaped"):
            raise Unreadable(found)  # joined to one where a line ends in between
        if found[0] == "&" and previous_end_is_name and text[place : place + 1] in ("'", '"'):
            raise Unreadable(found)  # U&'…'
        if found in (")", "]"):
            depth -= 1
            if depth < 0:
                raise Unreadable(found)
        if kind == "name" and text[place : place + 1] == "$":
            raise Unreadable(found)
        token_kind: Kind = "string" if kind == "escaped" else kind  # type: ignore[assignment]
        yield Token(token_kind, found, depth, gap)
        if found in ("(", "["):
            depth += 1
        gap, previous_end_is_name, previous_kind = False, kind == "name", kind
    if depth:
        raise Unreadable("an open parenthesis")
