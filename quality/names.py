"""Names as they travel: tables, columns, rules, requests.

Limits are PostgreSQL's: an identifier has 63 bytes at most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

IDENTIFIER_BYTES = 63
_PLAIN = re.compile(r'[^".\s\x00-\x1f]+')
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".\s]+)')


def clean_text(value: str) -> str:
    """Refuse what PostgreSQL cannot store: NUL and lone surrogates."""
    if "\x00" in value:
        raise ValueError("must not contain the NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("contains a lone surrogate, which is no valid Unicode text") from None
    return value


def _identifier(value: str) -> str:
    clean_text(value)
    if not value:
        raise ValueError("must not be blank")
    if len(value.encode()) > IDENTIFIER_BYTES:
        raise ValueError(f"is longer than {IDENTIFIER_BYTES} bytes, PostgreSQL's limit for a name")
    return value


@dataclass(frozen=True, slots=True)
class TableName:
    """A table in a target: schema and relation, spelled exactly as in the database's catalogue."""

    schema: str
    table: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """`schema.table`, or `table` in schema public; parts with dots, blanks or quotes stand in
        double quotes (`"my schema"."t"`), a double quote in them doubled.

        Raises ValueError with the remedy.
        """
        parts: list[str] = []
        position = 0
        while True:
            match = _PART.match(text, position)
            if match is None:
                break
            parts.append(match[1].replace('""', '"') if match[1] is not None else match[2])
            position = match.end()
            if text[position : position + 1] != ".":
                break
            position += 1
        if position != len(text) or len(parts) not in (1, 2) or text.endswith("."):
            raise ValueError('must be "schema.table" (parts with dots or blanks in double quotes)')
        schema, table = parts if len(parts) == 2 else ("public", parts[0])
        return cls(_identifier(schema), _identifier(table))

    def __str__(self) -> str:
        return f"{_spell(self.schema)}.{_spell(self.table)}"


def _spell(part: str) -> str:
    if _PLAIN.fullmatch(part):
        return part
    escaped = part.replace('"', '""')
    return f'"{escaped}"'


def _canonical_table(value: str) -> str:
    return str(TableName.parse(clean_text(value)))


Text = Annotated[str, AfterValidator(clean_text)]
"""Any text that can be stored."""

Identifier = Annotated[str, Field(max_length=IDENTIFIER_BYTES), AfterValidator(_identifier)]
"""A column's name, verbatim."""

TableText = Annotated[str, Field(min_length=1, max_length=260), AfterValidator(_canonical_table)]
"""A table's name in its canonical spelling."""

RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
ConnectionName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
Owner = Annotated[Text, Field(max_length=200)]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$")]
