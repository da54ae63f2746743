"""What workers call: claim requests, post outcomes, give claims back."""

from __future__ import annotations

import time
from typing import Annotated, Any

from pydantic import Field

from api import views
from api.checking import Ahead
from api.operations import Answer, Body, Operations
from api.services import services
from api.store import leases
from api.store.checks import Request
from api.store.leases import Claim
from api.store.outcomes import Finished
from quality.budgets import UNLIMITED, Budget
from quality.checks import CheckOutcome, CheckRequest
from quality.names import RequestId, Text

operations = Operations("work", __name__)
add = operations.add

FRESH_S = 1.0
"""What was run before a claim that took longer says too little of the table as it is by now."""

Fence = Annotated[int, Field(ge=0, lt=2**31)]


class AheadItem(Body):
    outcome: CheckOutcome
    budget: Budget = Field(default=UNLIMITED, description="what it was allowed to cost")


class ClaimItem(Body):
    id: RequestId
    request: CheckRequest
    traceparent: (
        Annotated[str, Field(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")] | None
    ) = None
    ahead: AheadItem | None = Field(
        default=None,
        description="what was run before this claim, of all rows that the request names: it is "
        "stored at once if these are the rules and the budget that the claim would name",
    )


class ClaimBody(Body):
    worker: Annotated[Text, Field(min_length=1, max_length=200)]
    requests: Annotated[tuple[ClaimItem, ...], Field(min_length=1, max_length=100)]
    known_rule_sets: (
        Annotated[
            tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(max_length=100)
        ]
        | None
    ) = Field(
        default=None,
        description="hashes of rule sets that need not be sent; null: each claim carries its own",
    )


class OutcomeItem(Body):
    id: RequestId
    fence: Fence
    outcome: CheckOutcome
    is_partial: bool = Field(
        default=False,
        description="it is what was known at the deadline: the claim stays, and the whole follows",
    )


class OutcomeBody(Body):
    outcomes: Annotated[tuple[OutcomeItem, ...], Field(min_length=1, max_length=100)]


class ClaimReference(Body):
    id: RequestId
    fence: Fence


class ClaimReferences(Body):
    claims: Annotated[tuple[ClaimReference, ...], Field(min_length=1, max_length=100)]


@add("POST", "/claims", body=ClaimBody, answers={200: views.ClaimList}, scope="results")
def claim_requests(body: ClaimBody) -> Answer:
    """Claim a batch of requests: each is stored as received and, if it is free, leased.

    One that was run `ahead` of its claim, and as it asks for, is answered `stored`: nothing is left
    to do.
    """
    requests = [Request(item.id, item.request, item.traceparent) for item in body.requests]
    lease_s = services().settings.lease_s
    checking, began = services().checking, time.monotonic()
    found = checking.claim(requests, body.worker, "kafka", lease_s)
    is_fresh = time.monotonic() - began <= FRESH_S
    if is_fresh and any(item.ahead is not None for item in body.requests):
        ahead = [
            None if item.ahead is None else Ahead(item.ahead.outcome, item.ahead.budget)
            for item in body.requests
        ]
        found = checking.store_ahead(requests, found, ahead)
    described = [
        _described(claim, request, lease_s) for claim, request in zip(found, requests, strict=True)
    ]
    sets = {claim.rule_set.hash: claim.rule_set for claim in found if claim.rule_set is not None}
    if body.known_rule_sets is None:
        for view in described:
            if "rule_set_hash" in view:
                view["rule_set"] = sets[view["rule_set_hash"]].document()
        return Answer({"claims": described, "rule_sets": {}})
    unknown = sets.keys() - set(body.known_rule_sets)
    return Answer(
        {"claims": described, "rule_sets": {key: sets[key].document() for key in unknown}}
    )


@add("POST", "/claims/renew", body=ClaimReferences, answers={200: views.Renewed}, scope="results")
def renew_claims(body: ClaimReferences) -> Answer:
    """Extend the leases of claims in hand; what is not answered is no longer the caller's."""
    lease_s = services().settings.lease_s
    with services().database.begin() as db:
        renewed = leases.renew(db, [(claim.id, claim.fence) for claim in body.claims], lease_s)
    return Answer({"renewed": sorted(renewed), "lease_s": lease_s})


@add("POST", "/outcomes", body=OutcomeBody, answers={200: views.StoredList}, scope="results")
def post_outcomes(body: OutcomeBody) -> Answer:
    """Store the outcomes of a batch; one that was stored before is not stored again."""
    finished = [
        Finished(item.id, item.fence, item.outcome, is_partial=item.is_partial)
        for item in body.outcomes
    ]
    stored = services().checking.store(finished)
    return Answer({"outcomes": [{"id": one.id, "result": one.result} for one in stored]})


@add(
    "POST", "/claims/release", body=ClaimReferences, answers={200: views.Released}, scope="results"
)
def release_claims(body: ClaimReferences) -> Answer:
    """Give claims back without a result, for another worker to take."""
    with services().database.begin() as db:
        released = leases.release(db, [(claim.id, claim.fence) for claim in body.claims])
    return Answer({"released": released})


def _described(claim: Claim, request: Request, lease_s: float) -> dict[str, Any]:
    described: dict[str, Any] = {"id": claim.id, "outcome": claim.outcome}
    if claim.rule_set is not None:
        # Whoever waited for the deadline was answered then.
        limit = None if claim.is_begun else request.body.deadline_ms
        described |= {
            "fence": claim.fence,
            "lease_s": lease_s,
            "time_limit_s": None if limit is None else limit / 1000,
            "rule_set_hash": claim.rule_set.hash,
            "scope": [predicate.document() for predicate in claim.scope],
            "budget": claim.budget.document(),
        }
    if claim.status is not None:
        described["status"] = claim.status
    if claim.retry_after_s is not None:
        described["retry_after_s"] = claim.retry_after_s
    if claim.error is not None:
        described |= {"code": claim.error.code, "message": str(claim.error)}
    return described
