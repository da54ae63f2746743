"""Whose things are, and claiming those of owners who are blocked or nobody."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from api import ownership
from api import ownership_views as views
from api.access import demand
from api.operations import Answer, Body, Operations, PageQuery, paged
from api.pipelines import reach
from api.routes import tables
from api.routes.identifiers import known_id
from api.services import services
from api.store import ownership as things
from quality.names import Text
from quality.ownership import KINDS, ORPHANED, OwnerName, Standing, ThingKind

operations = Operations("ownership", __name__)
add = operations.add

FormerOwner = Annotated[Text, Field(min_length=1, max_length=200)]
_Claimant = Annotated[
    OwnerName | None,
    Field(description="who is to own it: a team of the caller's or, for an admin, anybody"),
]


class OwnershipQuery(PageQuery):
    kind: ThingKind | None = None
    owner: FormerOwner | None = None
    standing: Standing | None = Field(default=None, description="of the owner")
    orphaned: bool | None = Field(
        default=None, description="only what no user or team in good standing owns; or the rest"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> OwnershipQuery:
        if self.standing is not None and self.orphaned is not None:
            raise ValueError("standing and orphaned exclude each other")
        return self

    @property
    def standings(self) -> tuple[Standing, ...] | None:
        """Those asked for; None for all."""
        if self.standing is not None:
            return (self.standing,)
        if self.orphaned is None:
            return None
        return ORPHANED if self.orphaned else ("active",)


class ClaimBody(Body):
    owner: _Claimant = None
    force: bool = Field(default=False, description="for an admin: whoever owns it now")


class PipelineClaimBody(ClaimBody):
    activate: bool = Field(default=False, description="make it active too")


class BulkClaimBody(Body):
    former: FormerOwner = Field(description="whose things: a blocked user, or a name nobody has")
    owner: _Claimant = None
    kinds: Annotated[tuple[ThingKind, ...], Field(min_length=1, max_length=3)] = KINDS
    activate: bool = Field(default=False, description="make pipelines active too")


@add("GET", "/ownership", query=OwnershipQuery, answers={200: views.ThingPage})
def list_ownership(query: OwnershipQuery) -> Answer:
    """List what is owned and by whom; `orphaned=true` is the report of what needs an owner."""
    with services().database.connect() as db:
        page = things.page(
            db,
            limit=query.limit,
            cursor=query.cursor,
            kind=query.kind,
            owner=query.owner,
            standings=query.standings,
        )
    return paged(page)


@add(
    "POST",
    "/pipelines/<int:pipeline_id>/claim",
    body=PipelineClaimBody,
    answers={200: views.ThingView},
    problems=(409,),
    scope="pipelines",
    keeps=reach.keep_to_pipeline,
)
def claim_pipeline(pipeline_id: int, body: PipelineClaimBody) -> Answer:
    """Take over a pipeline that is an orphan, and activate it if asked, in one call."""
    known = known_id(pipeline_id, "pipeline")
    return _claim("pipeline", known, body, activate=body.activate)


@add(
    "POST",
    "/tables/<int:table_id>/claim",
    body=ClaimBody,
    answers={200: views.ThingView},
    problems=(409,),
)
def claim_table(table_id: int, body: ClaimBody) -> Answer:
    """Take over a table that is an orphan; rules without an owner of their own come with it."""
    return _claim("table", tables.known_id(table_id), body)


@add(
    "POST",
    "/tables/<int:table_id>/rule-set/claim",
    body=ClaimBody,
    answers={200: views.ThingView},
    problems=(409,),
)
def claim_rule_set(table_id: int, body: ClaimBody) -> Answer:
    """Take over the rules of a table, if their owner makes them an orphan."""
    return _claim("rule_set", tables.known_id(table_id), body)


@add(
    "POST",
    "/ownership/claims",
    body=BulkClaimBody,
    answers={200: views.ThingList},
    problems=(409,),
    scope="pipelines",
)
def claim_all(body: BulkClaimBody) -> Answer:
    """Take over all that a blocked user, or a name nobody has, still owns."""
    if set(body.kinds) != {"pipeline"}:
        demand("write_rules")
    with services().database.begin() as db:
        owner = ownership.claimant(db, body.owner)
        claimed = ownership.claim_all(db, body.former, body.kinds, owner, activate=body.activate)
    return Answer({"items": claimed})


def _claim(kind: ThingKind, thing_id: int, body: ClaimBody, *, activate: bool = False) -> Answer:
    with services().database.begin() as db:
        owner = ownership.claimant(db, body.owner)
        claimed = ownership.claim(db, kind, thing_id, owner, activate=activate, force=body.force)
    return Answer(claimed)
