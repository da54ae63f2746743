"""One request that takes its worker down does not end those that the worker had beside it."""

from __future__ import annotations

from api.store.outcomes import Finished
from tests.api.stores import Store, asks, found


def test_the_last_attempt_of_each_is_made_alone(store: Store) -> None:
    requests = [asks(f"request-{number}") for number in range(6)]
    culprit = requests[4].id
    running: list[str] = []
    for _ in range(100):
        claims = store.claim(*requests)
        running = [claim.id for claim in claims if claim.outcome == "claimed"]
        if culprit in running:  # the worker dies with all that it has in hand
            store.execute("update check_run set lease_until = now() where state = 'running'")
            continue
        for claim in claims:
            if claim.outcome == "claimed":
                store.store(Finished(claim.id, claim.fence, found("pass", "pass")))
        if all(claim.outcome == "done" for claim in claims):
            break
    ended = {request.id: store.check(request.id) for request in requests}
    assert {one["state"] for one in ended.values()} == {"finished"}
    assert [name for name, one in ended.items() if one["error_code"] == "poison"] == [culprit]


def test_while_suspects_wait_one_of_them_is_granted_each_time(store: Store) -> None:
    requests = [asks(f"request-{number}") for number in range(4)]
    store.claim(*requests[:3])
    store.execute("update check_run set lease_until = now(), attempts = 2")
    claims = store.claim(*requests)
    assert [claim.outcome for claim in claims] == ["claimed", "busy", "busy", "claimed"]
    assert all((claim.retry_after_s or 0) < 1 for claim in claims if claim.outcome == "busy")
