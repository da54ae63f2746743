"""`stringx owners`: whose pipeline schedules run on a platform that speaks GitLab's API."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from cli import exits
from cli.printing import as_json, output_option, plain, show
from quality.errors import ConfigurationError, InvalidInput, NotFound, StringXError
from quality.gitlab import GitLabSettings, Platform, Scan, Transfer, scan, transfer
from quality.gitlab.ownership import Seen, projects_in, row
from quality.settings import load

_CODES = """\b
Exit codes:
  0  all was done, or found
  1  nothing could be done: no answer, the token is refused, or it is not allowed
  2  wrong usage, or there is no such group, project or user
  3  done in part: some projects or schedules are listed with the reason"""
_COLUMNS = (
    "project_id",
    "project",
    "schedule_id",
    "description",
    "cron",
    "ref",
    "active",
    "next_run_at",
    "owner",
    "result",
)

_groups = click.option("--group", "groups", multiple=True, help="Id or path of a group.")
_projects = click.option("--project", "projects", multiple=True, help="Id or path of a project.")
_shared = click.option("--with-shared", is_flag=True, help="Projects shared with a group as well.")
_archived = click.option("--with-archived", is_flag=True, help="Archived projects as well.")
_execute = click.option("--execute", is_flag=True, help="Do it; without this nothing is changed.")


def _own_codes(command: Callable[..., int]) -> Callable[..., int]:
    """The exit codes of this group: what did not work is 1, what was asked wrongly 2."""

    @functools.wraps(command)
    def run(*words: Any, **options: Any) -> int:
        try:
            return command(*words, **options)
        except (InvalidInput, NotFound, ConfigurationError):
            raise
        except StringXError as error:
            click.echo(f"stringx: {plain(str(error))}", err=True)
            return exits.FAIL

    return run


@click.group()
def owners() -> None:
    """Owners of pipeline schedules on a GitLab-compatible platform.

    The platform is at STRINGX_GITLAB_URL, STRINGX_GITLAB_TOKEN is the token (scope api). Whose the
    pipelines, tables and rules of StringX itself are is the subject of `stringx ownership`.

    \b
    Example: stringx owners scan --group data --user 17
    """


@owners.command("scan", epilog=_CODES)
@_groups
@_projects
@click.option("--user", "users", multiple=True, type=int, help="Only this user's (id).")
@_shared
@_archived
@output_option("table", "json", "csv")
@_own_codes
def scan_owners(users: tuple[int, ...], output: str, **where: Any) -> int:
    """List the schedules of groups with their owners; those that nobody owns are orphans.

    \b
    Examples:
      stringx owners scan --group data
      stringx owners scan --group data --user 17 --user 18 --output csv > schedules.csv
    """
    with _platform() as platform:
        found = _scan(platform, users, **where)
    rows = [{**row(one), "result": "owned"} for one in found.owned]
    rows += [{**row(one), "result": "orphan"} for one in found.orphans]
    _show(rows, found, output)
    return exits.PASS if found.is_whole else exits.NOT_CHECKED


@owners.command("transfer", epilog=_CODES)
@_groups
@_projects
@click.option("--user", "users", multiple=True, type=int, help="From this user (id).")
@click.option("--orphans", is_flag=True, help="Also those that nobody owns.")
@_shared
@_archived
@_execute
@output_option("table", "json", "csv")
@_own_codes
def transfer_owners(
    users: tuple[int, ...], orphans: bool, execute: bool, output: str, **where: Any
) -> int:
    """Make the schedules of users the token's holder's. A dry run, unless --execute is given.

    A schedule that was active is active afterwards.

    \b
    Examples:
      stringx owners transfer --group data --user 17
      stringx owners transfer --group data --user 17 --execute
    """
    if not users and not orphans:
        raise click.UsageError("name at least one --user, or --orphans")
    with _platform() as platform:
        me = platform.me()
        found = _scan(platform, users, **where)
        chosen = [*(found.owned if users else []), *(found.orphans if orphans else [])]
        done: list[Transfer] = []
        try:
            with _progress("transferring", len(chosen), execute) as seen:
                for one in transfer(platform, chosen, me, execute=execute):
                    done.append(one)
                    seen(one.schedule.project, len(chosen))
        except KeyboardInterrupt:  # what was done is done, and has to be known
            _show([_transferred(one) for one in done], found, output)
            click.echo(f"stringx: {len(done)} of {len(chosen)} were reached", err=True)
            raise
    _show([_transferred(one) for one in done], found, output)
    if not execute:
        click.echo(f"stringx: nothing was changed; --execute makes {me.username} owner", err=True)
    failed = sum(one.result == "failed" for one in done)
    if failed and failed == len(done):
        return exits.FAIL
    return exits.NOT_CHECKED if failed or not found.is_whole else exits.PASS


@owners.command("block", epilog=_CODES)
@click.argument("user", type=int)
@_groups
@_projects
@click.option("--force", is_flag=True, help="Although schedules are left, which would stop.")
@_shared
@_archived
@_execute
@output_option("table", "json", "csv")
@_own_codes
def block_owner(user: int, force: bool, execute: bool, output: str, **where: Any) -> int:
    """Block a user, once nothing is left to transfer. A dry run, unless --execute is given.

    The schedules of a blocked user stop. The token must be an administrator's.

    \b
    Example: stringx owners block 17 --group data --execute
    """
    with _platform() as platform:
        if platform.me().id == user:
            raise InvalidInput(f"user {user} is the token's holder")
        found = _scan(platform, (user,), **where)
        left = [f"{len(found.owned)} schedules are left"] if found.owned else []
        left += [f"{len(found.skipped)} could not be looked at"] if found.skipped else []
        is_refused = bool(left) and not force
        if execute and not is_refused:
            platform.block(user)
    result = "refused" if is_refused else "blocked" if execute else "planned"
    _show_block(user, result, found, output)
    if is_refused:
        click.echo(f"stringx: user {user} is not blocked: {', '.join(left)}", err=True)
        return exits.FAIL
    if not execute:
        click.echo(f"stringx: nothing was changed; --execute blocks user {user}", err=True)
    return exits.PASS


def _show_block(user: int, result: str, found: Scan, output: str) -> None:
    answer = {
        "user": user,
        "result": result,
        "schedules_left": len(found.owned),
        "skipped": len(found.skipped),
    }
    if output == "json":
        schedules = [row(one) for one in found.owned]
        as_json({**answer, "schedules": schedules, "skipped": _skipped(found)})
        return
    show([answer], tuple(answer), output)
    for one in found.owned:
        where = f"{one.project.path} {one.id} {one.description}"
        click.echo(f"stringx: left: {plain(where)}", err=True)
    _say_skipped(found)


@contextmanager
def _platform() -> Iterator[Platform]:
    with warnings.catch_warnings(), closing(Platform(load(GitLabSettings))) as platform:
        # python-gitlab warns in several lines of what is refused here in one.
        warnings.simplefilter("ignore", UserWarning)
        yield platform


def _scan(
    platform: Platform,
    users: tuple[int, ...],
    groups: tuple[str, ...],
    projects: tuple[str, ...],
    with_shared: bool,
    with_archived: bool,
) -> Scan:
    if not groups and not projects:
        raise click.UsageError("name at least one --group or --project")
    chosen, skipped = projects_in(
        platform, groups, projects, with_shared=with_shared, with_archived=with_archived
    )
    with _progress("looking", len(chosen), True) as seen:
        found = scan(platform, chosen, users, seen)
    found.skipped.extend(skipped)
    return found


@contextmanager
def _progress(label: str, length: int, is_shown: bool) -> Iterator[Seen]:
    """A bar on a terminal; elsewhere a line for every tenth of the way."""
    if not is_shown:
        yield lambda project, of: None
    elif sys.stderr.isatty():
        with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
            yield lambda project, of: bar.update(1)
    else:
        seen = 0

        def tell(_project: Any, of: int) -> None:
            nonlocal seen
            seen += 1
            if seen * 10 // of > (seen - 1) * 10 // of:
                click.echo(f"{label}: {seen} of {of}", err=True)

        yield tell


def _transferred(one: Transfer) -> dict[str, Any]:
    return {**row(one.schedule), "result": one.result, "reason": one.reason}


def _show(rows: list[dict[str, Any]], found: Scan, output: str) -> None:
    if output == "json":
        as_json({"schedules": rows, "skipped": _skipped(found), "projects": found.projects})
    else:
        show(rows, _COLUMNS, output)
    for one in rows:
        if one.get("reason"):
            click.echo(f"stringx: failed: {plain(one['reason'])}", err=True)
    _say_skipped(found)


def _skipped(found: Scan) -> list[dict[str, Any]]:
    return [
        {"project_id": one.id, "project": one.name, "reason": one.reason} for one in found.skipped
    ]


def _say_skipped(found: Scan) -> None:
    for one in found.skipped:
        click.echo(f"stringx: skipped {plain(one.name)}: {plain(one.reason)}", err=True)
