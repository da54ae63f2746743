"""The shapes of what was found out about pipelines."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field


class NewAlert(BaseModel):
    pipeline_id: int
    pipeline: str
    execution_id: int | None
    message: str
    check_id: str = Field(description="the check that holds the result")


class Looked(BaseModel):
    """What a look at pipelines found: all that is not as it should be, and what of it is new."""

    status: str
    checked: int
    standing: int
    new_alerts: list[NewAlert]


class AlertView(BaseModel):
    """A state of a pipeline that was alerted of, once."""

    id: int
    pipeline_id: int
    pipeline: str
    kind: str
    state_key: str
    execution_id: int | None
    at: AwareDatetime
    message: str
    measured: dict[str, Any]
    check_id: str
    resolved_at: AwareDatetime | None


class AlertPage(BaseModel):
    """Alerts of pipelines, newest first."""

    items: list[AlertView]
    next_cursor: str | None
