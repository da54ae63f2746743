"""Claims: taking requests into work, each by one worker at a time.

Every time that decides something is PostgreSQL's, so that clocks of workers do not matter. A batch
of new requests is one statement, any other a few, however large it is.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from api.store.checks import Request, id_reused
from api.store.leases import Claim, Lease
from api.store.rule_sets import RuleSets
from api.store.taking import IF_STILL_SO, LONGEST_BUSY_S, Wanted, insert, take, wanted_of
from quality.errors import InvalidInput, NotFound, StringXError

_END = text(
    """
    update check_run c set state = 'finished', status = 'error', lease_until = null,
        finished_at = now(), error_code = i.code, error = i.message
    from jsonb_to_recordset(cast(:items as jsonb))
        as i (id text, payload_hash text, code text, message text)
    where c.id = i.id and c.payload_hash = i.payload_hash and c.state <> 'finished'
    """
)


def claim_new(
    db: Connection, requests: list[Request], rule_sets: RuleSets, lease: Lease
) -> dict[int, Claim]:
    """Take, in one statement, those requests that are new and of tables whose rules are in memory.

    The statement itself sees to it that these are still the rules. Claims by their place in
    `requests`; all others are left for `claim`.
    """
    now = datetime.now(UTC)  # a guess that the statement verifies
    wanted: dict[str, Wanted] = {}
    places: dict[str, int] = {}
    for place, request in enumerate(requests):
        subject = rule_sets.kept(request.body)
        if subject is None or request.id in wanted:
            continue
        try:
            wanted[request.id] = wanted_of(request, subject, now)
        except InvalidInput:
            continue
        places[request.id] = place
    taken = insert(db, wanted, lease, IF_STILL_SO)
    return {places[check_id]: claim for check_id, claim in taken.items()}


def claim(
    db: Connection, requests: list[Request], rule_sets: RuleSets, lease: Lease
) -> list[Claim]:
    """Take requests into work; answers in the order of `requests`.

    A request whose id stands in the batch before is busy or done, as if it came a moment later.
    """
    subjects, now = rule_sets.subjects(db, [request.body for request in requests])
    answers: list[Claim] = []
    wanted: dict[str, Wanted] = {}
    rejected: list[dict[str, str]] = []
    for request in requests:
        subject = subjects[request.body.connection, request.body.table]
        payload_hash = request.body.payload_hash
        try:
            if isinstance(subject, StringXError):
                raise subject
            one = wanted_of(request, subject, now)
        except (NotFound, InvalidInput) as error:
            words = {"id": request.id, "payload_hash": payload_hash}
            rejected.append({**words, "code": error.code, "message": str(error)})
            answers.append(Claim(request.id, "rejected", error=error))
            continue
        first = wanted.setdefault(request.id, one)
        if first is one:
            answers.append(Claim(request.id, ""))  # answered below
        elif first.payload_hash == payload_hash:
            answers.append(Claim(request.id, "again"))
        else:
            answers.append(Claim(request.id, "rejected", error=id_reused(request.id)))
    taken = take(db, wanted, [one["id"] for one in rejected], lease)
    if rejected:  # requests stored before that nobody can take any more, such as of a deleted table
        db.execute(_END, {"items": json.dumps(rejected)})
    return [_answer(answer, taken) for answer in answers]


def _answer(answer: Claim, taken: dict[str, Claim]) -> Claim:
    if answer.outcome == "":
        return taken[answer.id]
    if answer.outcome != "again":
        return answer
    first = taken[answer.id]
    if first.outcome == "claimed":
        return Claim(answer.id, "busy", retry_after_s=LONGEST_BUSY_S)
    return replace(first, given_up=None)
