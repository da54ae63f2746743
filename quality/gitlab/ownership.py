"""Finding whose schedules there are, and handing them over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from quality.errors import NotFound, Unavailable
from quality.gitlab.platform import Person, Platform, Project, Refused, Schedule, WrongToken

Seen = Callable[[Project, int], None]
"""Is told of each project that was looked at, and how many there are."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A project that could not be looked at, or a group or project that could not be found; these
    have no id."""

    name: str
    reason: str
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found. `is_whole` is whether every project could be looked at."""

    owned: list[Schedule] = field(default_factory=list)
    orphans: list[Schedule] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    projects: int = 0

    @property
    def is_whole(self) -> bool:
        return not self.skipped


@dataclass(frozen=True, slots=True)
class Transfer:
    """What became of one schedule."""

    schedule: Schedule
    result: Literal["planned", "done", "already", "failed"]
    reason: str = ""


def projects_in(
    platform: Platform,
    groups: Iterable[str],
    names: Iterable[str],
    *,
    with_shared: bool = False,
    with_archived: bool = False,
) -> tuple[list[Project], list[Skipped]]:
    """The projects of groups and those that are named, each once; and what of it is not to be had.

    Raises NotFound or Refused where nothing is.
    """
    found: dict[int, Project] = {}
    errors: list[tuple[str, NotFound | Refused]] = []
    for group in groups:
        try:
            for project in platform.projects_of(
                group, with_shared=with_shared, with_archived=with_archived
            ):
                found[project.id] = project
        except (NotFound, Refused) as error:
            errors.append((group, error))
    for name in names:
        try:
            project = platform.project(name)
            found[project.id] = project
        except (NotFound, Refused) as error:
            errors.append((name, error))
    if errors and not found:
        raise errors[0][1]
    return list(found.values()), [Skipped(name, str(error)) for name, error in errors]


def scan(
    platform: Platform,
    projects: list[Project],
    users: Iterable[int] = (),
    seen: Seen = lambda project, of: None,
) -> Scan:
    """The schedules of these users (of all, without any), and those that nobody owns.

    A project that cannot be looked at is skipped with the reason; WrongToken ends the scan.
    """
    wanted = set(users)
    found = Scan(projects=len(projects))
    for project in projects:
        try:
            schedules = platform.schedules(project)
        except (Refused, NotFound, Unavailable) as error:
            found.skipped.append(Skipped(project.path, str(error), project.id))
            schedules = []
        for schedule in schedules:
            if schedule.owner is None:
                found.orphans.append(schedule)
            elif not wanted or schedule.owner.id in wanted:
                found.owned.append(schedule)
        seen(project, len(projects))
    return found


def transfer(
    platform: Platform,
    schedules: list[Schedule],
    me: Person,
    *,
    execute: bool = False,
) -> Iterator[Transfer]:
    """Make schedules mine, one after the other, and active where they were; without `execute` only
    say which. Once the token is refused, the rest has failed too."""
    refused = ""
    for schedule in schedules:
        if not execute:
            yield Transfer(schedule, "planned")
        elif refused:
            yield Transfer(schedule, "failed", refused)
        else:
            try:
                done = _transfer(platform, schedule, me)
            except WrongToken as error:
                refused = str(error)
                done = Transfer(schedule, "failed", refused)
            yield done


def _transfer(platform: Platform, schedule: Schedule, me: Person) -> Transfer:
    result: Literal["done", "already"] = "done"
    try:
        try:
            now = platform.take(schedule)
        except Refused:
            # Some versions refuse what is the caller's already.
            now = platform.schedule(schedule.project, schedule.id)
            if now.owner is None or now.owner.id != me.id:
                raise
            result = "already"
    except (Refused, NotFound, Unavailable) as error:
        return Transfer(schedule, "failed", str(error))
    if schedule.active and not now.active:
        try:
            platform.activate(schedule)
        except (Refused, NotFound, Unavailable, WrongToken) as error:
            # A second transfer would not know that it was active.
            words = f"it is {me.username}'s now, but no longer active; activate it: {error}"
            return Transfer(schedule, "failed", words)
    return Transfer(schedule, result)


def row(schedule: Schedule) -> dict[str, Any]:
    """A schedule with the fields that lists show."""
    owner = schedule.owner
    return {
        "project_id": schedule.project.id,
        "project": schedule.project.path,
        "schedule_id": schedule.id,
        "description": schedule.description,
        "cron": schedule.cron,
        "ref": schedule.ref,
        "active": schedule.active,
        "next_run_at": schedule.next_run_at,
        "owner_id": None if owner is None else owner.id,
        "owner": None if owner is None else owner.username,
    }
