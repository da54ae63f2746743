"""Ownership as use cases: blocking a user, claiming things; each in one transaction, recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from api import audit
from api.access import actor, author, caller, forbidden
from api.store import access, owners, ownership
from quality.errors import Conflict, Fault, InvalidInput, NotFound
from quality.ownership import BLOCK_REASON, KINDS, ThingKind

_SHOWN = 100

Thing = dict[str, Any]


def preview(db: Connection, name: str) -> dict[str, Any]:
    """What blocking this user would do, while nothing changes (G1)."""
    user = owners.get(db, name, "user")
    found = ownership.possessions(db, name, _SHOWN)
    return {
        "user": user,
        "is_refused_without_force": found["unfinished_executions"] > 0,
        "will_fail_executions": found["unfinished_executions"],
        "will_deactivate_pipelines": found["active_pipelines"],
        "will_revoke_tokens": found["tokens"],
        "will_leave": {name: found[name] for name in ("pipelines", "tables", "rule_sets")},
        "executions": found["executions"],
    }


def block(db: Connection, name: str, reason: str, *, force: bool) -> tuple[dict[str, Any], Any]:
    """Block a user (G2); answers what was done, and the ids of the tokens that work no more.

    Conflict where he is blocked already, or has unfinished executions and it is not forced.
    """
    user = owners.locked(db, name)
    if user["kind"] != "user":
        raise owners.no_owner(name, "user")
    if user["blocked_at"] is not None:
        raise Conflict(f'"{name}" is blocked already', code="already_blocked")
    why = BLOCK_REASON.format(name=name)
    stopped = ownership.stop_pipelines(db, name, f"{why}: {reason}")
    if stopped.executions and not force:
        raise Conflict(
            f'"{name}" has {len(stopped.executions)} unfinished executions, which would end as '
            "failed: wait for them, or say force",
            code="unfinished_executions",
        )
    revoked = access.revoke_of(db, name, actor())
    owners.mark_blocked(db, name, actor(), reason)
    done = {
        "failed_executions": stopped.executions,
        "deactivated_pipelines": stopped.pipelines,
        "revoked_tokens": revoked,
    }
    audit.record(db, "user.blocked", f"user {name}", {"reason": reason, "force": force, **done})
    for execution_id in stopped.executions:
        audit.record(db, "execution.failed", f"execution {execution_id}", {"reason": why})
    for pipeline_id in stopped.pipelines:
        change = {"before": {"active": True}, "after": {"active": False}, "reason": why}
        audit.record(db, "pipeline.deactivated", f"pipeline {pipeline_id}", change)
    for token_id in revoked:
        audit.record(db, "token.revoked", f"token {token_id}", {"reason": why})
    return {**owners.get(db, name, "user"), **done}, revoked


def unblock(db: Connection, name: str) -> dict[str, Any]:
    """Let a user work again: his tokens stay revoked and his pipelines inactive until claimed."""
    user = owners.locked(db, name)
    if user["blocked_at"] is None:
        raise Conflict(f'"{name}" is not blocked', code="not_blocked")
    owners.unblock(db, name)
    audit.record(db, "user.unblocked", f"user {name}", {"was_blocked_for": user["block_reason"]})
    return owners.get(db, name, "user")


def claimant(db: Connection, asked: str | None) -> str:
    """Who is to own what is claimed: the caller, his team, or for an admin anybody.

    InvalidInput for nobody in particular, Conflict for a blocked user, Forbidden for another.
    """
    holder = author()
    name = asked or (None if holder is None else holder.lower())
    if name is None:
        words = "say who is to own it: the caller is no user"
        raise InvalidInput(words, faults=[Fault("owner", "missing", words)])
    try:
        found = owners.locked(db, name, is_shared=True)
    except NotFound:
        words = f'"{name}" is no user or team (PUT /api/v1/users/{name} makes one)'
        raise InvalidInput(words, faults=[Fault("owner", "owner_unknown", words)]) from None
    is_own = holder is not None and (
        holder.lower() == name or owners.is_member(db, name, holder.lower())
    )
    if not is_own and not caller().may("admin"):
        raise forbidden("admin")
    if found["blocked_at"] is not None:
        raise Conflict(f'"{name}" is blocked, and cannot own more', code="owner_blocked")
    return name


def claim(
    db: Connection, kind: ThingKind, thing_id: int, owner: str, *, activate: bool, force: bool
) -> Thing:
    """Make `owner` the owner of a thing that is an orphan, or his (G3)."""
    if force and not caller().may("admin"):
        raise forbidden("admin")
    thing = ownership.locked(db, kind, thing_id)
    if not force:
        ownership.refuse_unless_claimable(thing, owner)
    return _take(db, thing, owner, activate)


def claim_all(
    db: Connection, former: str, kinds: Sequence[ThingKind], owner: str, *, activate: bool
) -> list[Thing]:
    """Make `owner` the owner of all that an owner has who is blocked or nobody (G3).

    Conflict where he has nothing (any more), or is in good standing.
    """
    things = []
    for kind in (one for one in KINDS if one in kinds):  # rule sets may follow their tables
        for thing in ownership.locked_of(db, kind, former):
            ownership.refuse_unless_claimable(thing, owner)
            things.append(_take(db, thing, owner, activate))
    if not things:
        raise Conflict(f'"{former}" has nothing to claim', code="nothing_to_claim")
    return things


def _take(db: Connection, thing: Thing, owner: str, activate: bool) -> Thing:
    kind, subject = thing["kind"], ownership.named(thing)
    before = {name: thing[name] for name in ("owner", "active")}
    if thing["owner"] != owner:
        ownership.give(db, kind, thing["id"], owner)
        changed = {"before": thing["owner"], "after": owner, "was": thing["standing"]}
        audit.record(db, f"{kind}.claimed", subject, changed)
    if kind == "pipeline" and activate:
        # The four steps that it took by hand: take ownership, edit, activate, save.
        audit.record(db, "pipeline.edited", subject, {"changes": ["owner", "active"]})
        is_changed = ownership.activate(db, thing["id"])
        audit.record(db, "pipeline.activated", subject, {"was_active": not is_changed})
        after = {"owner": owner, "active": True}
        audit.record(db, "pipeline.saved", subject, {"before": before, "after": after})
    return ownership.locked(db, kind, thing["id"])
