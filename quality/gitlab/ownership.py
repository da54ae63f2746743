"""Finding whose schedules there are, and handing them over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from quality.errors import NotFound, Unavailable
from quality.gitlab.platform import Person, Platform, Project, Refused, Schedule

Seen = Callable[[Project, int], None]
"""Is told of each project that was looked at, and how many there are."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A project that could not be looked at."""

    project: Project
    reason: str


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
) -> list[Project]:
    """The projects of groups and those that are named, each once."""
    found: dict[int, Project] = {}
    for group in groups:
        projects = platform.projects_of(group, with_shared=with_shared, with_archived=with_archived)
        found |= {project.id: project for project in projects}
    for name in names:
        project = platform.project(name)
        found[project.id] = project
    return list(found.values())


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
            found.skipped.append(Skipped(project, str(error)))
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
    seen: Seen = lambda project, of: None,
) -> list[Transfer]:
    """Make schedules mine, and active where they were; without `execute` only say which."""
    done = []
    for schedule in schedules:
        done.append(_transfer(platform, schedule, me) if execute else Transfer(schedule, "planned"))
        seen(schedule.project, len(schedules))
    return done


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
        if schedule.active and not now.active:
            platform.activate(schedule)
    except (Refused, NotFound, Unavailable) as error:
        return Transfer(schedule, "failed", str(error))
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
