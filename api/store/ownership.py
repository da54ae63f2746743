"""Things that are owned: pipelines, tables and rule sets, each with the standing of its owner.

A rule set without an owner of its own has that of its table. Whoever changes owners locks in one
order, users before things, so that nobody waits for another in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Text, func, select, text

from api.store.paging import Page, fetch_page
from quality.errors import Conflict, NotFound
from quality.ownership import ORPHANED, ThingKind

_STANDING = """
    case when things.owner is null then 'none'
        when o.name is null then 'unknown'
        when o.blocked_at is not null then 'blocked'
        when o.kind = 'team' and not exists (
            select from team_member m join owner u on u.name = m.member
            where m.team = o.name and u.blocked_at is null) then 'deserted'
        else 'active' end
"""
_ALL = f"""
    select things.*, {_STANDING} as standing
    from (
        select 'pipeline' as kind, id, name, null as connection, owner, active
        from pipeline
        union all
        select 'table', id, name, connection, owner, null from monitored_table
        union all
        select 'rule_set', id, name, connection, coalesce(rules_owner, owner), null
        from monitored_table t where exists (select from rule r where r.table_id = t.id)
    ) as things
    left join owner o on o.name = lower(things.owner)
"""  # noqa: S608 all of it is ours
_COLUMNS = {
    "kind": Text,
    "id": BigInteger,
    "name": Text,
    "connection": Text,
    "owner": Text,
    "active": Boolean,
    "standing": Text,
}
_THINGS = text(_ALL).columns(**_COLUMNS).subquery("owned")

_TABLES = {"pipeline": "pipeline", "table": "monitored_table", "rule_set": "monitored_table"}
_FIELDS = {"pipeline": "owner", "table": "owner", "rule_set": "coalesce(rules_owner, owner)"}
_LOCK = {
    kind: text(
        f"select id from {table} where id = :id for no key update"  # noqa: S608 ours
    )
    for kind, table in _TABLES.items()
}
_LOCK_OF = {
    kind: text(
        f"select id from {table} where lower({_FIELDS[kind]}) = lower(:owner) order by id "  # noqa: S608
        "for no key update"
    )
    for kind, table in _TABLES.items()
}
_GIVE = {
    "pipeline": "update pipeline set owner = :owner, updated_at = now() where id = :id",
    "table": "update monitored_table set owner = :owner, updated_at = now() where id = :id",
    "rule_set": "update monitored_table set rules_owner = :owner, updated_at = now() "
    "where id = :id",
}
_ACTIVATE = text(
    """
    update pipeline set active = true, updated_at = now(),
        cadence_since = case when cadence is not null then now() end
    where id = :id and not active
    """
)
_LOCK_UNFINISHED = text(
    """
    select e.id from pipeline_execution e join pipeline p on p.id = e.pipeline_id
    where lower(p.owner) = :owner and e.end_date is null order by e.id for no key update of e
    """
)
# In full, so that no execution of theirs starts meanwhile: its foreign key would wait.
_LOCK_PIPELINES = text(
    "select id, name, active from pipeline where lower(owner) = :owner order by id for update"
)
_FAIL = text(
    """
    update pipeline_execution set completed_successfully = false, failure_reason = :reason,
        end_date = greatest(now(), start_date + interval '1 microsecond'),
        duration_seconds = extract(epoch from
            greatest(now(), start_date + interval '1 microsecond') - start_date)
    where pipeline_id = any(:pipelines) and end_date is null
    returning id
    """
)
_DEACTIVATE = text(
    "update pipeline set active = false, updated_at = now() where id = any(:ids) and active "
    "returning id"
)
_UNFINISHED = text(
    """
    select e.id, e.pipeline_id, p.name as pipeline, e.start_date
    from pipeline_execution e join pipeline p on p.id = e.pipeline_id
    where lower(p.owner) = :owner and e.end_date is null order by e.id limit :limit
    """
)
_COUNTS = text(
    """
    select
        (select count(*) from pipeline_execution e join pipeline p on p.id = e.pipeline_id
            where lower(p.owner) = :owner and e.end_date is null) as unfinished_executions,
        (select count(*) from pipeline where lower(owner) = :owner and active)
            as active_pipelines,
        (select count(*) from pipeline where lower(owner) = :owner) as pipelines,
        (select count(*) from monitored_table where lower(owner) = :owner) as tables,
        (select count(*) from monitored_table t
            where lower(coalesce(rules_owner, owner)) = :owner
                and exists (select from rule r where r.table_id = t.id)) as rule_sets,
        (select count(*) from access_token where lower(holder) = :owner and revoked_at is null
            and expires_at > now()) as tokens
    """
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of a user's pipelines: ids of executions and pipelines."""

    executions: list[int]
    pipelines: list[int]


def page(
    db: Connection,
    *,
    limit: int,
    cursor: str | None,
    kind: str | None,
    owner: str | None,
    standings: Sequence[str] | None,
) -> Page:
    """What is owned, by kind and id, with the standing of each owner."""
    query = select(_THINGS)
    if kind is not None:
        query = query.where(_THINGS.c.kind == kind)
    if owner is not None:
        query = query.where(func.lower(_THINGS.c.owner) == func.lower(owner))
    if standings is not None:
        query = query.where(_THINGS.c.standing.in_(standings))
    keys = [_THINGS.c.kind, _THINGS.c.id]
    return fetch_page(db, query, keys, limit=limit, cursor=cursor)


def locked(db: Connection, kind: ThingKind, thing_id: int) -> dict[str, Any]:
    """A thing with the standing of its owner, which nobody else claims until the transaction ends.

    NotFound where there is none.
    """
    if db.scalar(_LOCK[kind], {"id": thing_id}) is None:
        raise _unknown(kind, thing_id)
    query = select(_THINGS).where(_THINGS.c.kind == kind, _THINGS.c.id == thing_id)
    row = db.execute(query).mappings().first()
    if row is None:
        raise _unknown(kind, thing_id)
    return dict(row)


def locked_of(db: Connection, kind: ThingKind, owner: str) -> list[dict[str, Any]]:
    """All things of a kind that an owner has once they are locked."""
    ids = list(db.scalars(_LOCK_OF[kind], {"owner": owner}))
    still = (_THINGS.c.id.in_(ids), func.lower(_THINGS.c.owner) == func.lower(owner))
    query = select(_THINGS).where(_THINGS.c.kind == kind, *still).order_by(_THINGS.c.id)
    return [dict(row) for row in db.execute(query).mappings()]


def give(db: Connection, kind: ThingKind, thing_id: int, owner: str) -> None:
    """Make somebody the owner of a thing."""
    db.execute(text(_GIVE[kind]), {"id": thing_id, "owner": owner})


def activate(db: Connection, pipeline_id: int) -> bool:
    """Make a pipeline active; whether it was not. Its cadence counts from now."""
    return bool(db.execute(_ACTIVATE, {"id": pipeline_id}).rowcount)


def stop_pipelines(db: Connection, owner: str, reason: str) -> Stopped:
    """End the unfinished executions of an owner's pipelines as failed, and make these inactive."""
    db.execute(_LOCK_UNFINISHED, {"owner": owner})
    ids = [row.id for row in db.execute(_LOCK_PIPELINES, {"owner": owner})]
    failed = sorted(db.scalars(_FAIL, {"pipelines": ids, "reason": reason}))
    return Stopped(failed, sorted(db.scalars(_DEACTIVATE, {"ids": ids})))


def possessions(db: Connection, owner: str, limit: int) -> dict[str, Any]:
    """How much an owner has, and the first of the executions that are not finished."""
    counts = dict(db.execute(_COUNTS, {"owner": owner}).mappings().one())
    unfinished = db.execute(_UNFINISHED, {"owner": owner, "limit": limit}).mappings()
    return {**counts, "executions": [dict(row) for row in unfinished]}


def refuse_unless_claimable(thing: dict[str, Any], claimant: str) -> None:
    """Conflict for what somebody in good standing owns, other than the claimant."""
    if thing["standing"] in ORPHANED or (thing["owner"] or "").lower() == claimant:
        return
    raise Conflict(
        f'{named(thing)} is owned by "{thing["owner"]}", who is not blocked; an admin can take it '
        "with force",
        code="owned",
    )


def named(thing: dict[str, Any]) -> str:
    """As the audit trail names it."""
    kind = "table" if thing["kind"] == "rule_set" else thing["kind"]
    return f"{kind} {thing['id']}"


def _unknown(kind: str, thing_id: int) -> NotFound:
    if kind == "pipeline":
        return NotFound(f"there is no pipeline {thing_id}", code="pipeline_unknown")
    if kind == "rule_set":
        return NotFound(f"table {thing_id} has no rules", code="table_not_configured")
    return NotFound(f"table {thing_id} is not configured", code="table_not_configured")
