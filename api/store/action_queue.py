"""Actions that are to be run: taken one at a time for each table, retried, and not too often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from quality.errors import Conflict, NotFound

# The oldest open action of a table comes first, and alone.
_NEXT = text(
    """
    select r.* from action_run r
    where (r.state = 'waiting' and r.next_at <= now()
        or r.state = 'running' and r.lease_until < now())
        and not exists (
            select from action_run o where o.table_id = r.table_id and o.id < r.id
                and o.state in ('waiting', 'running')
        )
    order by r.next_at, r.id limit 1 for update skip locked
    """
)
_LATELY = text(
    """
    select count(*) as runs,
        min(started_at) + interval '1 hour' as free_at,
        exists (select from action_run n where n.table_id = :table_id and n.id > :id
            and n.state = 'waiting') as is_outdated
    from action_run
    where table_id = :table_id and id <> :id and started_at > now() - interval '1 hour'
    """
)
_TOLD = text(
    """
    select told.event, exists (
        select from action_run s where s.table_id = :table_id and s.id > told.id and s.id < :id
            and s.state = 'superseded'
    ) as after_gap
    from action_run told
    where told.table_id = :table_id and told.id < :id and told.attempts > 0
    order by told.id desc limit 1
    """
)
_SET = text(
    """
    update action_run set state = :state, next_at = coalesce(:next_at, next_at), error = :error,
        begin_at = coalesce(:begin_at, begin_at), lease_until = null,
        attempts = attempts - case when :gives_back then 1 else 0 end,
        finished_at = case when :state in ('waiting', 'running') then null else now() end
    where id = :id and attempts = coalesce(:attempt, attempts)
    """
)
_START = text(
    """
    update action_run set state = 'running', attempts = attempts + 1,
        started_at = coalesce(started_at, now()),
        lease_until = now() + make_interval(secs => :lease_s)
    where id = :id
    """
)

_AGAIN = text(
    """
    update action_run r set state = 'waiting', attempts = 0, next_at = now(), error = null,
        finished_at = null
    where r.id = :id and r.table_id = :table_id and r.state = 'failed'
        and not exists (select from action_run n where n.table_id = r.table_id and n.id > r.id)
    """
)
# The newest action of a table says what was told last.
_FORGET = text(
    """
    delete from action_run where id in (
        select r.id from action_run r
        where r.created_at < now() - make_interval(days => :days)
            and r.state not in ('waiting', 'running')
            and exists (select from action_run n where n.table_id = r.table_id and n.id > r.id)
        limit :limit for update skip locked
    )
    """
)


@dataclass(frozen=True, slots=True)
class Action:
    """An action in hand: this attempt is the `attempt`-th, and begins at the task `begin_at`."""

    id: int
    table_id: int
    event: str
    file: str
    variables: dict[str, str]
    attempt: int
    begin_at: int

    @property
    def run_id(self) -> str:
        """The id of its run, the same for each attempt."""
        return run_id(self.id)


def run_id(action_id: int) -> str:
    """The id of an action's run."""
    return f"action-{action_id:08d}"


def take(
    db: Connection, *, lease_s: float, per_hour: int, attempts: int
) -> tuple[Action | None, list[str]]:
    """Take the next action that is due into work, if there is one; and the states in which others
    were left that are not run.

    A table that had its share of the last hour waits; of what happened meanwhile only the newest
    state is told, and that only if it is another one than was told last. An action with which the
    service went down `attempts` times is given up.
    """
    settled: list[str] = []
    while (row := db.execute(_NEXT).mappings().first()) is not None:
        about = {"table_id": row["table_id"], "id": row["id"]}
        if row["state"] == "running" and row["attempts"] >= attempts:
            words = f"the service ended while it ran, at the last of {attempts} attempts"
            settle(db, row["id"], "failed", error=words)
            settled.append("failed")
            continue
        if row["started_at"] is None:
            lately = db.execute(_LATELY, about).mappings().one()
            told = db.execute(_TOLD, about).mappings().first()
            after_gap = told is not None and told["after_gap"]
            is_capped = lately["runs"] >= per_hour
            if is_capped or (lately["is_outdated"] and (after_gap or row["error"] is not None)):
                state = "superseded" if lately["is_outdated"] else "waiting"
                words = f"more than {per_hour} actions in an hour"
                settle(db, row["id"], state, error=words, next_at=lately["free_at"])
                settled += [state] if state == "superseded" else []
                continue
            if told is not None and after_gap and told["event"] == row["event"]:
                settle(db, row["id"], "suppressed", error="this was told last")
                settled.append("suppressed")
                continue
        db.execute(_START, {"id": row["id"], "lease_s": lease_s})
        taken = Action(
            row["id"],
            row["table_id"],
            row["event"],
            row["file"],
            row["variables"],
            row["attempts"] + 1,
            row["begin_at"],
        )
        return taken, settled
    return None, settled


def settle(
    db: Connection,
    action_id: int,
    state: str,
    *,
    error: str | None = None,
    next_at: datetime | None = None,
    begin_at: int | None = None,
    gives_back: bool = False,
    attempt: int | None = None,
) -> bool:
    """Say where an action stands now; with `gives_back` the attempt does not count. Nothing is said
    by an `attempt` that is no longer the last one: its lease was over, and another goes on."""
    done = db.execute(
        _SET,
        {
            "id": action_id,
            "state": state,
            "error": error,
            "next_at": next_at,
            "begin_at": begin_at,
            "gives_back": gives_back,
            "attempt": attempt,
        },
    )
    return bool(done.rowcount)


def again(db: Connection, table_id: int, action_id: int) -> None:
    """Have an action run again that was given up, from the task that failed.

    NotFound where the table has none of that id, Conflict where it is not given up, or an old one:
    another state would be told by then.
    """
    about = {"table_id": table_id, "id": action_id}
    if db.execute(_AGAIN, about).rowcount:
        return
    query = text("select state from action_run where id = :id and table_id = :table_id")
    state = db.scalar(query, about)
    if state is None:
        raise NotFound("the table has no action of that id", code="action_unknown")
    if state != "failed":
        raise Conflict(f"the action is {state}: none but a failed one", code="action_not_failed")
    raise Conflict("the verdict has changed since: see the newer action", code="action_outdated")


def forget(db: Connection, *, older_than_days: int, limit: int) -> int:
    """Drop at most so many actions that are done with and older; how many they were."""
    return db.execute(_FORGET, {"days": older_than_days, "limit": limit}).rowcount
