"""Users and teams: made, listed, blocked and unblocked by an admin."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from api import audit, ownership
from api import ownership_views as views
from api.operations import Answer, Body, Operations, PageQuery, paged
from api.services import services
from api.store import owners
from quality.errors import NotFound
from quality.names import Text
from quality.ownership import OwnerName

operations = Operations("users", __name__)
add = operations.add

Description = Annotated[Text, Field(max_length=2000)]
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")


class UserBody(Body):
    description: Description = ""


class TeamBody(Body):
    description: Description = ""
    members: Annotated[tuple[OwnerName, ...], Field(max_length=1000)] = ()


class UserQuery(PageQuery):
    blocked: bool | None = None


class BlockBody(Body):
    reason: Annotated[Text, Field(min_length=1, max_length=400)]
    force: bool = Field(default=False, description="end unfinished executions as failed")


@add("GET", "/users", query=UserQuery, answers={200: views.UserPage}, is_about_tables=False)
def list_users(query: UserQuery) -> Answer:
    """List users."""
    with services().database.connect() as db:
        page = owners.page(
            db, "user", limit=query.limit, cursor=query.cursor, is_blocked=query.blocked
        )
    return paged(page)


@add(
    "PUT",
    "/users/<name>",
    body=UserBody,
    answers={200: views.UserView, 201: views.UserView},
    problems=(409,),
    scope="admin",
)
def put_user(name: str, body: UserBody) -> Answer:
    """Create or describe a user; tokens whose holder has the name are his."""
    return _put(name, "user", body.description)


@add("GET", "/users/<name>", answers={200: views.UserView}, is_about_tables=False)
def get_user(name: str) -> Answer:
    """Read a user."""
    with services().database.connect() as db:
        return Answer(owners.get(db, _known(name), "user"))


@add("GET", "/users/<name>/block-preview", answers={200: views.BlockPreview}, scope="admin")
def preview_block(name: str) -> Answer:
    """What blocking the user would do; nothing is changed."""
    with services().database.connect() as db:
        return Answer(ownership.preview(db, _known(name)))


@add(
    "POST",
    "/users/<name>/block",
    body=BlockBody,
    answers={200: views.BlockedView},
    problems=(409,),
    scope="admin",
)
def block_user(name: str, body: BlockBody) -> Answer:
    """Block a user: his executions end as failed, his pipelines rest, his tokens work no more."""
    with services().database.begin() as db:
        done, tokens = ownership.block(db, _known(name), body.reason, force=body.force)
    services().access.forget(tokens)
    return Answer(done)


@add("POST", "/users/<name>/unblock", answers={200: views.UserView}, problems=(409,), scope="admin")
def unblock_user(name: str) -> Answer:
    """Unblock a user: he needs new tokens, and claims and activates his pipelines himself."""
    with services().database.begin() as db:
        return Answer(ownership.unblock(db, _known(name)))


@add("GET", "/teams", query=PageQuery, answers={200: views.TeamPage}, is_about_tables=False)
def list_teams(query: PageQuery) -> Answer:
    """List teams with their members."""
    with services().database.connect() as db:
        page = owners.page(db, "team", limit=query.limit, cursor=query.cursor, is_blocked=None)
    return paged(page)


@add(
    "PUT",
    "/teams/<name>",
    body=TeamBody,
    answers={200: views.TeamView, 201: views.TeamView},
    problems=(409,),
    scope="admin",
)
def put_team(name: str, body: TeamBody) -> Answer:
    """Create or change a team; its members are those named, and no others."""
    return _put(name, "team", body.description, body.members)


@add("GET", "/teams/<name>", answers={200: views.TeamView}, is_about_tables=False)
def get_team(name: str) -> Answer:
    """Read a team."""
    with services().database.connect() as db:
        return Answer(owners.get(db, _known(name), "team"))


def _put(name: str, kind: str, description: str, members: tuple[str, ...] | None = None) -> Answer:
    with services().database.begin() as db:
        before = owners.find(db, _known(name), kind)
        is_new = owners.put(db, name, kind, description)
        if members is not None:
            owners.set_members(db, name, members)
        after = owners.get(db, name, kind)
        change = {"before": before, "after": after}
        audit.record(db, f"{kind}.changed", f"{kind} {name}", change)
    return Answer(after, 201 if is_new else 200)


def _known(name: str) -> str:
    """The name, or NotFound where nobody could have it."""
    if not _NAME.fullmatch(name):
        raise NotFound("names are of a-z 0-9 . _ @ + -, 63 at most", code="owner_unknown")
    return name
