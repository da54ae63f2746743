"""What workers call: claim requests, post outcomes, give claims back."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from api import views
from api.operations import Answer, Body, Operations
from api.services import services
from api.store import checks
from api.store.checks import Claim, Request
from quality.checks import CheckOutcome, CheckRequest
from quality.names import RequestId, Text

operations = Operations("work", __name__)
add = operations.add

Fence = Annotated[int, Field(ge=0, lt=2**31)]


class ClaimItem(Body):
    id: RequestId
    request: CheckRequest
    traceparent: (
        Annotated[str, Field(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")] | None
    ) = None


class ClaimBody(Body):
    worker: Annotated[Text, Field(min_length=1, max_length=200)]
    requests: Annotated[tuple[ClaimItem, ...], Field(min_length=1, max_length=100)]


class OutcomeItem(Body):
    id: RequestId
    fence: Fence
    outcome: CheckOutcome


class OutcomeBody(Body):
    outcomes: Annotated[tuple[OutcomeItem, ...], Field(min_length=1, max_length=100)]


class ClaimReference(Body):
    id: RequestId
    fence: Fence


class ReleaseBody(Body):
    claims: Annotated[tuple[ClaimReference, ...], Field(min_length=1, max_length=100)]


@add("POST", "/claims", body=ClaimBody, answers={200: views.ClaimList})
def claim_requests(body: ClaimBody) -> Answer:
    """Claim a batch of requests: each is stored as received and, if it is free, leased."""
    requests = [Request(item.id, item.request, item.traceparent) for item in body.requests]
    claims = services().checking.claim(requests, body.worker, "kafka")
    settings = services().settings
    return Answer(
        {
            "claims": [
                _described(claim, request, settings.lease_s)
                for claim, request in zip(claims, requests, strict=True)
            ]
        }
    )


@add("POST", "/outcomes", body=OutcomeBody, answers={200: views.StoredList})
def post_outcomes(body: OutcomeBody) -> Answer:
    """Store the outcomes of a batch; one that was stored before is not stored again."""
    finished = [(item.id, item.fence, item.outcome) for item in body.outcomes]
    stored = services().checking.store(finished)
    return Answer({"outcomes": [{"id": one.id, "result": one.result} for one in stored]})


@add("POST", "/claims/release", body=ReleaseBody, answers={200: views.Released})
def release_claims(body: ReleaseBody) -> Answer:
    """Give claims back without a result, for another worker to take."""
    with services().database.begin() as db:
        claims = sorted(body.claims, key=lambda claim: claim.id)
        released = sum(checks.release(db, claim.id, claim.fence) for claim in claims)
    return Answer({"released": released})


def _described(claim: Claim, request: Request, lease_s: float) -> dict[str, Any]:
    described: dict[str, Any] = {"id": claim.id, "outcome": claim.outcome}
    if claim.rule_set is not None:
        limit = request.body.deadline_ms
        described |= {
            "fence": claim.fence,
            "lease_s": lease_s,
            "time_limit_s": None if limit is None else limit / 1000,
            "rule_set": claim.rule_set.document(),
            "scope": [predicate.document() for predicate in request.body.scope],
        }
    if claim.status is not None:
        described["status"] = claim.status
    if claim.retry_after_s is not None:
        described["retry_after_s"] = claim.retry_after_s
    if claim.error is not None:
        described |= {"code": claim.error.code, "message": str(claim.error)}
    return described
