"""Users and teams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from api.store.ownership_schema import owner, team_member
from api.store.paging import Page, fetch_page
from quality.errors import Conflict, Fault, InvalidInput, NotFound


def put(db: Connection, name: str, kind: str, description: str) -> bool:
    """Create or describe a user or a team; whether it is new. Conflict where it is the other."""
    statement = (
        insert_or(owner)
        .values(name=name, kind=kind, description=description)
        .on_conflict_do_nothing()
        .returning(owner.c.name)
    )
    if db.scalar(statement) is not None:
        return True
    found = locked(db, name)
    if found["kind"] != kind:
        raise Conflict(f'"{name}" is the name of a {found["kind"]}', code="name_taken")
    db.execute(update(owner).where(owner.c.name == name).values(description=description))
    return False


def get(db: Connection, name: str, kind: str) -> dict[str, Any]:
    """A user or a team with its members; NotFound with code `owner_unknown`."""
    row = find(db, name, kind)
    if row is None:
        raise no_owner(name, kind)
    return row


def find(db: Connection, name: str, kind: str) -> dict[str, Any] | None:
    """A user or a team with its members, if it is there."""
    row = db.execute(_shown(kind).where(owner.c.name == name)).mappings().first()
    return None if row is None else dict(row)


def locked(db: Connection, name: str, *, is_shared: bool = False) -> dict[str, Any]:
    """A user or team whose standing nobody else changes until the transaction ends."""
    query = select(owner).where(owner.c.name == name).with_for_update(read=is_shared)
    row = db.execute(query).mappings().first()
    if row is None:
        raise no_owner(name)
    return dict(row)


def is_blocked(db: Connection, name: str) -> bool:
    """Whether it is a blocked user; nobody blocks him until the transaction ends."""
    query = select(owner.c.blocked_at).where(owner.c.name == name.lower())
    return db.scalar(query.with_for_update(read=True)) is not None


def page(
    db: Connection, kind: str, *, limit: int, cursor: str | None, is_blocked: bool | None
) -> Page:
    """Users or teams by name."""
    query = _shown(kind)
    if is_blocked is not None:
        blocked = owner.c.blocked_at.is_not(None)
        query = query.where(blocked if is_blocked else ~blocked)
    return fetch_page(db, query, [owner.c.name], limit=limit, cursor=cursor)


def set_members(db: Connection, team: str, members: Iterable[str]) -> None:
    """Make these users the members of a team; InvalidInput for a name that is no user."""
    names = sorted(set(members))
    known = select(owner.c.name).where(owner.c.name.in_(names), owner.c.kind == "user")
    if unknown := sorted(set(names) - set(db.scalars(known))):
        words = f'"{unknown[0]}" is not a user (PUT /api/v1/users/{unknown[0]} makes one)'
        raise InvalidInput(words, faults=[Fault("members", "owner_unknown", words)])
    db.execute(delete(team_member).where(team_member.c.team == team))
    if names:
        db.execute(insert(team_member), [{"team": team, "member": name} for name in names])


def is_member(db: Connection, team: str, member: str) -> bool:
    """Whether the user is in the team."""
    query = select(team_member).where(team_member.c.team == team, team_member.c.member == member)
    return db.execute(query).first() is not None


def mark_blocked(db: Connection, name: str, by: str, reason: str) -> None:
    """Write down that a user is blocked, by whom and why."""
    values = {"blocked_at": func.now(), "blocked_by": by, "block_reason": reason}
    db.execute(update(owner).where(owner.c.name == name).values(values))


def unblock(db: Connection, name: str) -> None:
    """Let a user own things again; what was taken from him does not come back by itself."""
    values = {"blocked_at": None, "blocked_by": None, "block_reason": None}
    db.execute(update(owner).where(owner.c.name == name).values(values))


def no_owner(name: str, kind: str = "user or team") -> NotFound:
    """The refusal of a user or team that there is not."""
    return NotFound(f'there is no {kind} "{name}"', code="owner_unknown")


def _shown(kind: str) -> Select[Any]:
    described = (owner.c.name, owner.c.description, owner.c.created_at)
    if kind == "user":
        found = select(team_member.c.team).where(team_member.c.member == owner.c.name)
        more = [owner.c.blocked_at, owner.c.blocked_by, owner.c.block_reason]
        more.append(_array(found.order_by(team_member.c.team)).label("teams"))
    else:
        found = select(team_member.c.member).where(team_member.c.team == owner.c.name)
        more = [_array(found.order_by(team_member.c.member)).label("members")]
    return select(*described, *more).where(owner.c.kind == kind)


def _array(query: Select[Any]) -> Any:
    return func.array(query.scalar_subquery())
