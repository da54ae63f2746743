"""Tokens: made, listed and revoked by an admin; what they allow is in `quality.access`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from api import access_views as views
from api import audit
from api.access import actor, caller
from api.operations import Answer, Body, Operations, PageQuery, paged
from api.services import services
from api.store import access, owners
from quality.access import Scope, TablePattern, Token, grants
from quality.errors import Conflict, NotFound
from quality.names import Text

operations = Operations("tokens", __name__)
add = operations.add

Name = Annotated[Text, Field(min_length=1, max_length=200)]


class TokenBody(Body):
    name: Name = Field(description="what the token is for")
    holder: Name | None = Field(
        default=None, description="who uses it, as the audit trail will say; its name if left out"
    )
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=7)]
    tables: Annotated[tuple[TablePattern, ...], Field(min_length=1, max_length=100)] | None = None
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = Field(
        default=None, description="STRINGX_TOKEN_DAYS if left out"
    )

    @model_validator(mode="after")
    def _can_keep_to_tables(self) -> TokenBody:
        if self.tables is not None and grants(self.scopes, "results"):
            raise ValueError("a token with the scope results or admin is for all tables")
        return self


class TokenQuery(PageQuery):
    holder: Name | None = None
    usable: bool | None = Field(
        default=None, description="neither expired nor revoked; or only those that are"
    )


@add(
    "POST",
    "/tokens",
    body=TokenBody,
    answers={201: views.NewTokenView},
    problems=(409,),
    scope="admin",
)
def create_token(body: TokenBody) -> Answer:
    """Make a token; the answer is the only place where it ever stands."""
    token = Token.new()
    holder = body.holder or body.name
    with services().database.begin() as db:
        if owners.is_blocked(db, holder):
            raise Conflict(f'"{holder}" is blocked', code="owner_blocked")
        row = access.add(
            db,
            token,
            name=body.name,
            holder=holder,
            scopes=sorted(set(body.scopes)),
            tables=body.tables,
            expires_in_days=body.expires_in_days or services().settings.token_days,
            created_by=actor(),
        )
        audit.record(db, "token.created", f"token {token.id}", {"after": row})
    return Answer({**row, "token": token.text}, 201)


@add("GET", "/tokens", query=TokenQuery, answers={200: views.TokenPage}, scope="admin")
def list_tokens(query: TokenQuery) -> Answer:
    """List tokens, without their secrets."""
    with services().database.connect() as db:
        page = access.page(
            db,
            limit=query.limit,
            cursor=query.cursor,
            holder=query.holder,
            is_usable=query.usable,
        )
    return paged(page)


@add("GET", "/tokens/self", answers={200: views.CallerView}, scope="any", is_about_tables=False)
def get_caller() -> Answer:
    """Read whom the API takes you for, and what you may do."""
    who, token = caller(), None
    if who.token_id is not None:
        with services().database.connect() as db:
            token = access.get(db, who.token_id)
    return Answer(
        {
            "name": who.name,
            "scopes": list(who.scopes),
            "tables": None if who.tables is None else list(who.tables),
            "token": token,
        }
    )


@add("DELETE", "/tokens/<token_id>", answers={204: None}, scope="admin")
def revoke_token(token_id: str) -> Answer:
    """Revoke a token: within seconds it works no more, anywhere. It stays in the list."""
    if not (token_id.isascii() and token_id.isalnum()):
        raise NotFound("there is no token of that id", code="token_unknown")
    with services().database.begin() as db:
        if access.revoke(db, token_id, actor()):
            audit.record(db, "token.revoked", f"token {token_id}", {})
    services().access.forget([token_id])
    return Answer(status=204)
