"""The shapes in which access is answered: callers, tokens, the audit trail."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from quality.access import Scope


class TokenView(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    holder: str
    scopes: list[Scope]
    tables: list[str] | None = Field(description="the tables that it is for; null: all")
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None
    revoked_by: str | None
    last_used_at: AwareDatetime | None = Field(description="to about a minute")


class NewTokenView(TokenView):
    """A new token. It is shown this once."""

    token: str


class TokenPage(BaseModel):
    """Tokens."""

    items: list[TokenView]
    next_cursor: str | None


class CallerView(BaseModel):
    """Whom the API takes the caller for."""

    name: str
    scopes: list[Scope]
    tables: list[str] | None
    token: TokenView | None = Field(description="null for the operator's, and for none")


class AuditEventView(BaseModel):
    """Who did what to what."""

    id: int
    at: AwareDatetime
    actor: str
    token_id: str | None
    action: str
    subject: str
    detail: dict[str, Any]
    request_id: str | None
    remote_address: str | None


class AuditPage(BaseModel):
    """The audit trail, newest first."""

    items: list[AuditEventView]
    next_cursor: str | None
