"""Claims at the API: taking requests into work, keeping and storing them, giving back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from consumer.bodies import MAX_BODY_BYTES, MAX_ITEMS, halves, listed, parts, reduced
from consumer.jobs import Job
from consumer.memory import Memory
from consumer.patience import PatientApi
from consumer.work import Work
from quality.budgets import Budget
from quality.checks import CheckOutcome
from quality.client import ApiClient
from quality.documents import strictly
from quality.errors import Conflict, InvalidInput, StringXError
from quality.logs import get_logger
from quality.predicates import Predicate
from quality.rules import RuleSet

log = get_logger(__name__)

RENEW_AFTER = 1 / 3
"""The part of a lease after which it is renewed: two more attempts fit in before it ends."""


@dataclass(slots=True, eq=False)
class Claim:
    """A job that is ours until its lease ends, and what is to be run for it."""

    job: Job
    fence: int
    lease_s: float
    work: Work
    asked_at: float
    """When the lease was asked for, or renewed."""
    is_lost: bool = False
    """The API says that it is another's, or nobody's, by now."""

    @property
    def is_to_renew(self) -> bool:
        return time.monotonic() - self.asked_at >= self.lease_s * RENEW_AFTER


class Judged(NamedTuple):
    """What a claim came to; `is_partial`: by its deadline, and the whole follows."""

    claim: Claim
    outcome: CheckOutcome
    is_partial: bool = False


class Ran(NamedTuple):
    """What was run for a job before its claim, and what it came to."""

    work: Work
    outcome: CheckOutcome


Answer = Claim | Ran | dict[str, Any] | StringXError


class ClaimDesk:
    """Claims, outcomes and releases in bodies that the API takes; knows what is in hand.

    For one thread, but for `renew`, `give_back` and `held`.
    """

    def __init__(
        self,
        api: PatientApi,
        worker: str,
        *,
        make_api: Callable[[], ApiClient],
        memory: Memory,
    ) -> None:
        """`worker` names this process; `make_api` is for calls that do not wait, from any thread.

        What claims say and how long checks took is kept in `memory`.
        """
        self._api = api
        self._worker = worker
        self._make_api = make_api
        self._memory = memory
        self._held: dict[str, Claim] = {}
        self._lock = threading.Lock()

    def claim(self, jobs: list[Job], ran: Ran | None = None) -> Iterator[tuple[Job, Answer]]:
        """Claim jobs; yields, in order, the claim, the API's other answer, or why it refused.

        What `ran` for a lone job goes with the question, and is the answer where it was stored.
        """
        documents = [(job, json.dumps(job.document()).encode()) for job in jobs]
        for part in parts(documents):
            yield from self._claim(part, ran)

    def store(self, finished: list[Judged]) -> Iterator[tuple[Judged, str | StringXError]]:
        """Post outcomes; yields, in order, what became of each or why the API refused it.

        The claims are no longer held then, but for those of which the whole follows.
        """
        for part in parts(_posted(finished)):
            yield from self._store(part)

    def forget(self, claim: Claim) -> None:
        """No longer hold a claim that was lost."""
        self._let_go([claim])

    def renew(self, api: ApiClient) -> None:
        """Renew the leases that are a third gone; to be called every so often, from any thread.

        So the lease of a check that runs, or waits for its run, does not end while this process
        lives and the API answers. Raises what `api` does.
        """
        due = [claim for claim in self.held() if claim.is_to_renew and not claim.is_lost]
        for start in range(0, len(due), MAX_ITEMS):
            part = due[start : start + MAX_ITEMS]
            asked_at = time.monotonic()
            renewed = set(api.post("/claims/renew", _references(part))["renewed"])
            for claim in part:
                if claim.job.id in renewed:
                    claim.asked_at = asked_at
                elif self._is_held(claim):  # and not stored in this moment
                    claim.is_lost = True
                    log.warning("lease_lost", correlation_id=claim.job.id)

    def give_back(self, jobs: list[Job] | None = None) -> None:
        """Give back the claims of these jobs, or everything in hand, in one attempt.

        What does not arrive is taken over by others when the leases end.
        """
        ids = None if jobs is None else {job.id for job in jobs}
        claims = [claim for claim in self.held() if ids is None or claim.job.id in ids]
        if not claims:
            return
        self._let_go(claims)
        api = self._make_api()
        try:
            for start in range(0, len(claims), MAX_ITEMS):
                part = claims[start : start + MAX_ITEMS]
                api.post("/claims/release", _references(part))
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
        self, part: list[tuple[Job, bytes]], ran: Ran | None = None
    ) -> Iterator[tuple[Job, Answer]]:
        asked_at = time.monotonic()
        known = self._memory.rule_sets(job for job, _ in part)
        head = json.dumps({"worker": self._worker, "known_rule_sets": list(known)})
        body, at_first = listed(head, "requests", part), None
        if ran is not None:
            whole = listed(head, "requests", [(job, _with_run(one, ran)) for job, one in part])
            at_first = whole if len(whole) <= MAX_BODY_BYTES else None
        try:
            answer = self._api.post("/claims", body, at_first=at_first)
        except (InvalidInput, Conflict) as error:
            if len(part) == 1:
                yield part[0][0], error
                return
            for half in halves(part):  # find the one at fault
                yield from self._claim(half)
            return
        sets: dict[str, RuleSet | None] = {**known}
        sets |= {key: _rule_set(document) for key, document in answer["rule_sets"].items()}
        for (job, _), one in zip(part, answer["claims"], strict=True):
            if ran is not None and one["outcome"] == "stored":
                self._memory.keep(job, ran.work)
                self._memory.took(job, ran.work.rule_set_hash, ran.outcome.duration_ms)
                yield job, ran
                continue
            if one["outcome"] != "claimed":
                yield job, one
                continue
            key = str(one["rule_set_hash"])
            work = Work(
                sets[key],
                key,
                tuple(strictly(Predicate, document) for document in one["scope"]),
                one.get("time_limit_s"),
                strictly(Budget, one.get("budget") or {}),
            )
            self._memory.keep(job, work)
            claim = Claim(job, int(one["fence"]), float(one["lease_s"]), work, asked_at)
            with self._lock:
                self._held[job.id] = claim
            yield job, claim

    def _store(
        self, part: list[tuple[Judged, bytes]]
    ) -> Iterator[tuple[Judged, str | StringXError]]:
        try:
            answers = self._api.post("/outcomes", listed("{}", "outcomes", part))["outcomes"]
        except (InvalidInput, Conflict) as error:
            if len(part) > 1:
                for half in halves(part):
                    yield from self._store(half)
                return
            one = part[0][0]
            smaller = reduced(one.outcome, error)
            if one.is_partial and (smaller is None or smaller.error_code is not None):
                yield one, error  # then there is only the whole
            elif smaller is None:
                self._let_go([one.claim])
                yield one, error
            else:
                yield from self._store(_posted([one._replace(outcome=smaller)]))
            return
        self._let_go([one.claim for one, _ in part if not one.is_partial])
        for one, _ in part:
            claim = one.claim
            self._memory.took(claim.job, claim.work.rule_set_hash, one.outcome.duration_ms)
        for (one, _), answer in zip(part, answers, strict=True):
            yield one, str(answer["result"])

    def _is_held(self, claim: Claim) -> bool:
        with self._lock:
            return self._held.get(claim.job.id) is claim

    def _let_go(self, claims: list[Claim]) -> None:
        with self._lock:
            for claim in claims:
                self._held.pop(claim.job.id, None)


def _rule_set(document: Any) -> RuleSet | None:
    """None for one that this version does not understand."""
    try:
        return RuleSet.from_document(document)
    except (ValueError, KeyError, TypeError) as error:
        log.error("rule_set_not_understood", faults=str(error))
        return None


def _with_run(document: bytes, ran: Ran) -> bytes:
    """The document of a job, with what was run for it."""
    budget = json.dumps(ran.work.budget.document()).encode()
    outcome = ran.outcome.model_dump_json(exclude_defaults=True).encode()
    return b'%s,"ahead":{"budget":%s,"outcome":%s}}' % (document[:-1], budget, outcome)


def _references(claims: list[Claim]) -> dict[str, Any]:
    return {"claims": [{"id": claim.job.id, "fence": claim.fence} for claim in claims]}


def _posted(finished: list[Judged]) -> list[tuple[Judged, bytes]]:
    """As posted; an outcome that several claims share is written once."""
    written: dict[int, bytes] = {}
    posted = []
    for one in finished:
        key = id(one.outcome)
        if key not in written:
            written[key] = one.outcome.model_dump_json(exclude_defaults=True).encode()
        reference: dict[str, Any] = {"id": one.claim.job.id, "fence": one.claim.fence}
        if one.is_partial:
            reference["is_partial"] = True
        body = b'%s,"outcome":%s}' % (json.dumps(reference)[:-1].encode(), written[key])
        posted.append((one, body))
    return posted
