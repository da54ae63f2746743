"""Claims at the API: taking requests into work, storing outcomes, giving back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from consumer.patience import PatientApi
from consumer.records import Delivery
from quality.checks import CheckOutcome, CheckRequest
from quality.client import ApiClient
from quality.documents import canonical_json
from quality.errors import Conflict, InvalidInput, StringXError
from quality.logs import get_logger

log = get_logger(__name__)

MAX_ITEMS = 100
MAX_BODY_BYTES = 512 * 1024
"""Half of what the API takes by default, since a body is sized before it is made."""
LONGEST_RUN_S = 120.0
"""What a run without a limit of its own is expected to take at most."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Job:
    """One request, with all messages in hand that ask for it."""

    id: str
    request: CheckRequest
    traceparent: str | None
    deliveries: list[Delivery]

    def document(self) -> dict[str, Any]:
        """As claimed."""
        return {
            "id": self.id,
            "request": self.request.document(),
            "traceparent": self.traceparent,
        }


@dataclass(slots=True)
class Claim:
    """A job that is ours until its lease ends."""

    job: Job
    fence: int
    lease_s: float
    rule_set: dict[str, Any]
    scope: list[dict[str, Any]]
    time_limit_s: float | None
    asked_at: float
    run_key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.run_key = canonical_json([self.rule_set, self.scope, self.time_limit_s])

    @property
    def lease_is_short(self) -> bool:
        """Whether a run that takes its whole time limit would outlive the lease.

        Never in the first third of the lease: one too short for the limit would be renewed for
        ever.
        """
        age = time.monotonic() - self.asked_at
        limit = LONGEST_RUN_S if self.time_limit_s is None else self.time_limit_s
        return age > self.lease_s / 3 and age + limit > self.lease_s


class ClaimDesk:
    """Claims, outcomes and releases in bodies that the API takes; remembers what is in hand."""

    def __init__(self, api: PatientApi, worker: str, *, make_api: Callable[[], ApiClient]) -> None:
        """`worker` names this process; `make_api` is for its last words, from any thread."""
        self._api = api
        self._worker = worker
        self._make_api = make_api
        self._held: dict[str, Claim] = {}
        self._lock = threading.Lock()

    def claim(self, jobs: list[Job]) -> Iterator[tuple[Job, Claim | dict[str, Any] | StringXError]]:
        """Claim jobs; yields, in order, the claim, the API's other answer, or why it refused."""
        documents = [(job, job.document()) for job in jobs]
        for part in _parts(documents, lambda entry: entry[1]):
            yield from self._claim(part)

    def store(
        self, finished: list[tuple[Claim, CheckOutcome]]
    ) -> Iterator[tuple[Claim, CheckOutcome, str | StringXError]]:
        """Post outcomes; yields, in order, what became of each or why the API refused it."""
        for part in _parts(
            [(claim, outcome, _posted(claim, outcome)) for claim, outcome in finished],
            lambda entry: entry[2],
        ):
            yield from self._store(part)

    def release(self, claims: list[Claim]) -> None:
        """Give claims back, patiently."""
        for start in range(0, len(claims), MAX_ITEMS):
            part = claims[start : start + MAX_ITEMS]
            self._api.post("/claims/release", self._release_body(part))

    def give_back(self) -> None:
        """Give back everything in hand in one attempt: for a process that ends.

        What does not arrive is taken over by others when the leases end.
        """
        claims = self.held()
        if not claims:
            return
        api = self._make_api()
        try:
            for start in range(0, len(claims), MAX_ITEMS):
                body = self._release_body(claims[start : start + MAX_ITEMS])
                api.post("/claims/release", body)
            log.info("claims_given_back", count=len(claims))
        except StringXError as error:
            log.warning("claims_not_given_back", count=len(claims), error=str(error))
        finally:
            api.close()

    def held(self) -> list[Claim]:
        """Claims that are neither stored nor given back."""
        with self._lock:
            return list(self._held.values())

    def _claim(
        self, part: list[tuple[Job, dict[str, Any]]]
    ) -> Iterator[tuple[Job, Claim | dict[str, Any] | StringXError]]:
        asked_at = time.monotonic()
        body = {"worker": self._worker, "requests": [document for _, document in part]}
        try:
            answers = self._api.post("/claims", body)["claims"]
        except (InvalidInput, Conflict) as error:
            if len(part) == 1:
                yield part[0][0], error
                return
            for half in _halves(part):  # find the one at fault
                yield from self._claim(half)
            return
        for (job, _), answer in zip(part, answers, strict=True):
            if answer["outcome"] != "claimed":
                yield job, answer
                continue
            claim = Claim(
                job,
                int(answer["fence"]),
                float(answer["lease_s"]),
                answer["rule_set"],
                answer["scope"],
                answer.get("time_limit_s"),
                asked_at,
            )
            with self._lock:
                self._held[job.id] = claim
            yield job, claim

    def _store(
        self, part: list[tuple[Claim, CheckOutcome, dict[str, Any]]]
    ) -> Iterator[tuple[Claim, CheckOutcome, str | StringXError]]:
        try:
            body = {"outcomes": [document for _, _, document in part]}
            answers = self._api.post("/outcomes", body)["outcomes"]
        except (InvalidInput, Conflict) as error:
            if len(part) > 1:
                for half in _halves(part):
                    yield from self._store(half)
                return
            claim, outcome, _ = part[0]
            smaller = _smaller(outcome, error)
            if smaller is None:
                self._let_go([claim])
                yield claim, outcome, error
            else:
                yield from self._store([(claim, smaller, _posted(claim, smaller))])
            return
        self._let_go([claim for claim, _, _ in part])
        for (claim, outcome, _), answer in zip(part, answers, strict=True):
            yield claim, outcome, str(answer["result"])

    def _release_body(self, claims: list[Claim]) -> dict[str, Any]:
        self._let_go(claims)
        return {"claims": [{"id": claim.job.id, "fence": claim.fence} for claim in claims]}

    def _let_go(self, claims: list[Claim]) -> None:
        with self._lock:
            for claim in claims:
                self._held.pop(claim.job.id, None)


def _posted(claim: Claim, outcome: CheckOutcome) -> dict[str, Any]:
    return {
        "id": claim.job.id,
        "fence": claim.fence,
        "outcome": outcome.model_dump(mode="json"),
    }


def _smaller(outcome: CheckOutcome, error: StringXError) -> CheckOutcome | None:
    """What else can be said where the API refuses an outcome: without SQL, then only why."""
    if any(result.sql for result in outcome.results):
        results = tuple(result.model_copy(update={"sql": None}) for result in outcome.results)
        return outcome.model_copy(update={"results": results})
    if outcome.error_code == "outcome_refused":
        return None
    why = f"the API refused the outcome ({error.code}): {error}"[:4096]
    return outcome.model_copy(update={"results": (), "error_code": "outcome_refused", "error": why})


def _parts(items: list[Item], document: Any) -> Iterator[list[Item]]:
    part: list[Item] = []
    size = 0
    for item in items:
        bytes_ = len(json.dumps(document(item)))
        if part and (len(part) == MAX_ITEMS or size + bytes_ > MAX_BODY_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += bytes_
    if part:
        yield part


def _halves(items: list[Item]) -> tuple[list[Item], list[Item]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]
