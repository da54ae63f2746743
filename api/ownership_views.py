"""The shapes in which users, teams and what they own are answered."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field

from quality.ownership import Standing, ThingKind


class UserView(BaseModel):
    """A user. Tokens whose holder has the same name are his."""

    name: str
    description: str
    created_at: AwareDatetime
    blocked_at: AwareDatetime | None
    blocked_by: str | None
    block_reason: str | None
    teams: list[str]


class UserPage(BaseModel):
    """Users by name."""

    items: list[UserView]
    next_cursor: str | None


class TeamView(BaseModel):
    """A team, which owns things together."""

    name: str
    description: str
    created_at: AwareDatetime
    members: list[str]


class TeamPage(BaseModel):
    """Teams by name."""

    items: list[TeamView]
    next_cursor: str | None


class Left(BaseModel):
    """How much a user owns."""

    pipelines: int
    tables: int
    rule_sets: int


class UnfinishedExecution(BaseModel):
    """An execution that has not ended."""

    id: int
    pipeline_id: int
    pipeline: str
    start_date: AwareDatetime


class BlockPreview(BaseModel):
    """What blocking a user would do."""

    user: UserView
    is_refused_without_force: bool = Field(description="there are unfinished executions")
    will_fail_executions: int
    will_deactivate_pipelines: int
    will_revoke_tokens: int
    will_leave: Left = Field(description="what he goes on owning, for others to claim")
    executions: list[UnfinishedExecution] = Field(description="the first 100 unfinished ones")


class BlockedView(UserView):
    """A user who was blocked, and what was done."""

    failed_executions: list[int]
    deactivated_pipelines: list[int]
    revoked_tokens: list[str] = Field(description="their ids")


class ThingView(BaseModel):
    """Something owned; a rule set has the id and the name of its table."""

    kind: ThingKind
    id: int
    name: str
    connection: str | None
    owner: str | None
    active: bool | None = Field(description="of a pipeline")
    standing: Standing = Field(description="of the owner; all but `active` make it an orphan")


class ThingPage(BaseModel):
    """What is owned, by kind and id."""

    items: list[ThingView]
    next_cursor: str | None


class ThingList(BaseModel):
    """What was claimed."""

    items: list[ThingView]
