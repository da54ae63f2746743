"""Tokens as they are stored: their hash, whose they are and what they allow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, null, select, text, update

from api.store.access_schema import access_token as table
from api.store.paging import Page, fetch_page
from quality.access import Token
from quality.errors import NotFound

_SHOWN = tuple(column for column in table.c if column.name != "secret_hash")
_FIRST_LOCK = 0x5354_5249_4E48  # any number that every StringX process agrees on
_USED = text(
    """
    update access_token t set last_used_at = greatest(t.last_used_at, i.at)
    from unnest(cast(:ids as text[]), cast(:times as timestamptz[])) as i (id, at)
    where t.id = i.id
    """
)


def add(
    db: Connection,
    token: Token,
    *,
    name: str,
    holder: str,
    scopes: Sequence[str],
    tables: Sequence[str] | None,
    expires_in_days: int,
    created_by: str,
) -> dict[str, Any]:
    """Store a new token; answers it without its secret."""
    statement = (
        insert(table)
        .values(
            id=token.id,
            secret_hash=token.hash,
            name=name,
            holder=holder,
            scopes=list(scopes),
            tables=null() if tables is None else list(tables),
            expires_at=func.now() + func.make_interval(0, 0, 0, expires_in_days),
            created_by=created_by,
        )
        .returning(*_SHOWN)
    )
    return dict(db.execute(statement).mappings().one())


def add_first(db: Connection, token: Token, **fields: Any) -> bool:
    """Store it where there was never a token before; whether it was."""
    db.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _FIRST_LOCK})
    if db.scalar(select(table.c.id).limit(1)) is not None:
        return False
    add(db, token, **fields)
    return True


def with_hash(db: Connection, token_id: str) -> dict[str, Any] | None:
    """One token with the hash of its secret, expired or revoked though it may be."""
    row = db.execute(select(table).where(table.c.id == token_id)).mappings().first()
    return None if row is None else dict(row)


def get(db: Connection, token_id: str) -> dict[str, Any]:
    """One token; NotFound with code `token_unknown`."""
    row = db.execute(select(*_SHOWN).where(table.c.id == token_id)).mappings().first()
    if row is None:
        raise NotFound("there is no token of that id", code="token_unknown")
    return dict(row)


def page(
    db: Connection, *, limit: int, cursor: str | None, holder: str | None, is_usable: bool | None
) -> Page:
    """Tokens, by id; only the holder's, and only those that can be used or cannot any more."""
    query = select(*_SHOWN)
    if holder is not None:
        query = query.where(table.c.holder == holder)
    usable = table.c.revoked_at.is_(None) & (table.c.expires_at > func.now())
    if is_usable is not None:
        query = query.where(usable if is_usable else ~usable)
    return fetch_page(db, query, [table.c.id], limit=limit, cursor=cursor)


def revoke(db: Connection, token_id: str, by: str) -> bool:
    """Make it unusable; whether it was not so before. NotFound for an id that nobody has."""
    revoked = _revoked(by).where(table.c.id == token_id, table.c.revoked_at.is_(None))
    if db.execute(revoked).rowcount:
        return True
    get(db, token_id)
    return False


def revoke_of(db: Connection, holder: str, by: str) -> list[str]:
    """Make all tokens of a holder unusable; the ids of those that were not so before."""
    revoked = _revoked(by).where(
        func.lower(table.c.holder) == func.lower(holder), table.c.revoked_at.is_(None)
    )
    return sorted(db.scalars(revoked.returning(table.c.id)))


def note_use(db: Connection, used: dict[str, datetime]) -> None:
    """Write down when tokens were last used."""
    ids = sorted(used)
    db.execute(_USED, {"ids": ids, "times": [used[token_id] for token_id in ids]})


def _revoked(by: str) -> Any:
    return update(table).values(revoked_at=func.now(), revoked_by=by)
