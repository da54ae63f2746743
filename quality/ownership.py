"""Ownership: whose pipelines, tables and rule sets are, and what becomes of them.

An owner is a user or a team. A name that is nobody's may stand as an owner too, because things had
owners before users were known here: such a thing is an orphan, as one whose owner is blocked.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

ThingKind = Literal["pipeline", "table", "rule_set"]
KINDS: tuple[ThingKind, ...] = get_args(ThingKind)

Standing = Literal["active", "blocked", "unknown", "deserted", "none"]
"""Of an owner: a user or team in good standing; a blocked user; a name that is nobody's; a team
without a member who is not blocked; no owner at all."""

ORPHANED: tuple[Standing, ...] = ("blocked", "unknown", "deserted", "none")

OwnerName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._@+-]{0,62}$",
        description="lower case; owners and holders of tokens are compared without case",
    ),
]

BLOCK_REASON = "its owner, {name}, was blocked"
