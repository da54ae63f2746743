"""Who may do what: scopes, bearer tokens and the tables that a token is for.

A token is `sxt_<id>_<secret>_<checksum>`. The id finds it; the secret has 256 random bits, so that
its SHA-256 can be stored without a salt or a slow hash; the checksum (CRC-32 of what stands before
it) tells a mistyped one without asking anybody, and lets scanners of leaked secrets be sure.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from quality.names import Text

Scope = Literal["read", "trigger", "write_rules", "results", "custom_sql", "pipelines", "admin"]
"""What a token allows: to read; to trigger checks; to write rules and tables; to claim requests and
post results (workers); to write rules with SQL of one's own; to report and own pipelines; all."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

ANY = "any"
"""In the place of a scope: whatever token it is, it will do."""

_IMPLIED: dict[str, frozenset[str]] = {
    "trigger": frozenset({"read"}),
    "write_rules": frozenset({"read"}),
    "admin": frozenset(SCOPES),
}
_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH = 12
_SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
_SUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_TOKEN = re.compile(
    rf"(sxt_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}}))"
    rf"_([0-9A-Za-z]{{{_SUM_LENGTH}}})"
)
PREFIX = "sxt_"


def grants(scopes: Iterable[str], needed: str) -> bool:
    """Whether these scopes, with what they imply, allow what needs that one."""
    held = set(scopes)
    return needed == ANY or needed in held or any(needed in _IMPLIED.get(one, ()) for one in held)


@dataclass(frozen=True, slots=True)
class Token:
    """A token in the clear: what its holder sends, and nobody stores."""

    id: str
    secret: str

    @classmethod
    def new(cls) -> Token:
        """A token that nobody has."""
        return cls(_random(_ID_LENGTH), _random(_SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """The token that this is, or None where it cannot be one."""
        match = _TOKEN.fullmatch(text)
        if match is None or match[4] != _checksum(match[1]):
            return None
        return cls(match[2], match[3])

    @property
    def text(self) -> str:
        """As it is sent."""
        body = f"{PREFIX}{self.id}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the secret, which is what is stored."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def has(self, stored_hash: str) -> bool:
        """Whether this is the secret of that hash, in a time that does not tell how nearly."""
        return hmac.compare_digest(self.hash, stored_hash)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(_SUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _pattern(value: str) -> str:
    connection, slash, table = value.rpartition("/")
    if slash and not re.fullmatch(r"[A-Za-z*?][A-Za-z0-9_*?-]{0,62}", connection):
        raise ValueError('must be "table" or "connection/table", such as sales.* or demo/sales.*')
    if "." not in table and table != "*":
        raise ValueError('must name "schema.table", such as sales.*')
    return value


TablePattern = Annotated[Text, Field(min_length=1, max_length=330), AfterValidator(_pattern)]
"""Tables by name, with `*` for any characters and `?` for one: `sales.*`, `demo/sales.orders`."""


def is_for_table(patterns: Iterable[str] | None, connection: str | None, table: str) -> bool:
    """Whether a token with these patterns is for the table; without patterns it is for all.

    A pattern that names a connection holds only where the connection is known.
    """
    if patterns is None:
        return True
    for pattern in patterns:
        of_connection, slash, of_table = pattern.rpartition("/")
        if slash and (connection is None or not fnmatchcase(connection, of_connection)):
            continue
        if fnmatchcase(table, of_table):
            return True
    return False
