"""Ownership inside StringX (G1–G4): users and teams, block, claim, the report of orphans."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from tests.api.conftest import TOKEN
from tests.api.test_access import ask, create
from tests.conftest import LiveApi

_NUMBERS = count()


class Platform:
    """Users, their tokens and their things, at the API that wants tokens."""

    def __init__(self, live: LiveApi) -> None:
        self.live = live

    def ask(self, method: str, path: str, token: str = TOKEN, **options: Any) -> requests.Response:
        answer: requests.Response = ask(self.live, token, method, path, **options)
        return answer

    def user(self) -> str:
        name = f"user-{next(_NUMBERS)}"
        answer = self.ask("PUT", f"/api/v1/users/{name}", json={})
        assert answer.status_code == 201, answer.text
        return name

    def token(self, holder: str, *scopes: str) -> str:
        made = create(self.live, *(scopes or ("pipelines", "write_rules")), holder=holder)
        return str(made["token"])

    def pipeline(self, owner: str | None) -> int:
        name = f"pipeline-{next(_NUMBERS)}"
        body = {"name": name, "pipeline_type_name": "owned", "owner": owner}
        if owner is None:
            del body["owner"]
        answer = self.ask("POST", "/pipeline", json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def execution(self, pipeline: int) -> int:
        answer = self.ask("POST", "/start_pipeline_execution", json={"pipeline_id": pipeline})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def show(self, pipeline: int) -> dict[str, Any]:
        return dict(self.ask("GET", f"/api/v1/pipelines/{pipeline}").json())

    def preview(self, user: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/api/v1/users/{user}/block-preview").json())

    def block(self, user: str, **more: Any) -> requests.Response:
        body = {"reason": "left the company", **more}
        return self.ask("POST", f"/api/v1/users/{user}/block", json=body)

    def events(self, subject: str) -> list[dict[str, Any]]:
        found = self.ask("GET", "/api/v1/audit", params={"subject": subject}).json()["items"]
        return list(reversed(found))

    def owned(self, **filters: Any) -> list[dict[str, Any]]:
        answer = self.ask("GET", "/api/v1/ownership", params=filters)
        assert answer.ok, answer.text
        return list(answer.json()["items"])


@pytest.fixture
def platform(guarded: LiveApi, http: requests.Session) -> Platform:
    return Platform(guarded)


def test_a_block_is_previewed_and_refused_while_executions_are_unfinished(
    platform: Platform,
) -> None:
    """G1: an explicit call, a preview of what it will do, a refusal unless it is forced."""
    user = platform.user()
    token = platform.token(user)
    pipeline = platform.pipeline(user)
    running = platform.execution(pipeline)
    seen = platform.preview(user)
    assert seen["is_refused_without_force"]
    assert (seen["will_fail_executions"], seen["will_deactivate_pipelines"]) == (1, 1)
    assert seen["will_revoke_tokens"] == 1
    assert seen["will_leave"] == {"pipelines": 1, "tables": 0, "rule_sets": 0}
    assert [one["id"] for one in seen["executions"]] == [running]
    refused = platform.block(user)
    assert (refused.status_code, refused.json()["code"]) == (409, "unfinished_executions")
    assert "force" in refused.json()["detail"]
    assert platform.preview(user) == seen  # nothing was done
    assert platform.show(pipeline)["active"]
    assert platform.ask("GET", "/api/v1/tokens/self", token).ok
    assert platform.block(user, force=True).ok


def test_a_user_without_unfinished_executions_is_blocked_without_force(
    platform: Platform,
) -> None:
    """G1."""
    user = platform.user()
    platform.pipeline(user)
    assert not platform.preview(user)["is_refused_without_force"]
    assert platform.block(user).ok
    again = platform.block(user)
    assert (again.status_code, again.json()["code"]) == (409, "already_blocked")


def test_a_block_ends_executions_rests_pipelines_and_revokes_tokens(platform: Platform) -> None:
    """G2: and the audit trail has all of it."""
    user = platform.user()
    tokens = [platform.token(user), platform.token(user.upper())]
    pipelines = [platform.pipeline(user) for _ in range(2)]
    resting = platform.pipeline(user)
    changed = {"id": resting, "active": False}
    assert platform.ask("PATCH", "/pipeline", json=changed).ok
    running = sorted(platform.execution(pipeline) for pipeline in pipelines)
    others = platform.execution(platform.pipeline(platform.user()))
    done = platform.block(user, force=True).json()
    assert done["failed_executions"] == running
    assert done["deactivated_pipelines"] == pipelines
    assert len(done["revoked_tokens"]) == 2
    assert (done["blocked_by"], done["block_reason"]) == ("operator", "left the company")
    for execution in running:
        found = platform.ask("GET", f"/pipeline_execution/{execution}").json()
        assert found["completed_successfully"] is False
        assert found["end_date"] is not None
        assert user in found["failure_reason"]
        assert "left the company" in found["failure_reason"]
    assert platform.ask("GET", f"/pipeline_execution/{others}").json()["end_date"] is None
    for pipeline in pipelines:
        assert not platform.show(pipeline)["active"]
    for token in tokens:
        assert platform.ask("GET", "/api/v1/tokens/self", token).status_code == 401
    [made, blocked] = platform.events(f"user {user}")
    assert (made["action"], blocked["action"]) == ("user.changed", "user.blocked")
    assert (blocked["actor"], blocked["detail"]["reason"]) == ("operator", "left the company")
    assert blocked["detail"]["failed_executions"] == running
    assert [one["action"] for one in platform.events(f"execution {running[0]}")] == [
        "execution.failed"
    ]
    assert "pipeline.deactivated" in [
        one["action"] for one in platform.events(f"pipeline {pipelines[0]}")
    ]
    for token_id in done["revoked_tokens"]:
        assert platform.events(f"token {token_id}")[-1]["action"] == "token.revoked"
    late = {"id": running[0], "end_date": "2100-01-01T00:00:00Z", "completed_successfully": True}
    assert platform.ask("POST", "/end_pipeline_execution", json=late).status_code == 409


def test_a_block_is_done_as_a_whole_or_not_at_all(
    platform: Platform, postgres: EmbeddedPostgres
) -> None:
    """G2: one transaction; here the audit trail fails at its end."""
    user = platform.user()
    token, pipeline = platform.token(user), platform.pipeline(user)
    running = platform.execution(pipeline)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            "create function refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'no'; end $$"
        )
        connection.execute(
            "create trigger refuse before insert on audit_event for each row "
            "when (new.action = 'token.revoked') execute function refuse()"
        )
        try:
            assert platform.block(user, force=True).status_code == 500
        finally:
            connection.execute("drop trigger refuse on audit_event")
            connection.execute("drop function refuse()")
    assert platform.ask("GET", f"/pipeline_execution/{running}").json()["end_date"] is None
    assert platform.show(pipeline)["active"]
    assert platform.ask("GET", "/api/v1/tokens/self", token).ok
    assert platform.ask("GET", f"/api/v1/users/{user}").json()["blocked_at"] is None
    assert [one["action"] for one in platform.events(f"user {user}")] == ["user.changed"]


def test_a_blocked_user_gets_no_token_and_no_things(platform: Platform) -> None:
    """G2."""
    user = platform.user()
    assert platform.block(user).ok
    body = {"name": "again", "holder": user.upper(), "scopes": ["read"]}
    refused = platform.ask("POST", "/api/v1/tokens", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "owner_blocked")
    path = f"/api/v1/pipelines/{platform.pipeline(None)}/claim"
    refused = platform.ask("POST", path, json={"owner": user})
    assert (refused.status_code, refused.json()["code"]) == (409, "owner_blocked")
    freed = platform.ask("POST", f"/api/v1/users/{user}/unblock")
    assert freed.json()["blocked_at"] is None
    assert platform.ask("POST", path, json={"owner": user}).ok
    again = platform.ask("POST", f"/api/v1/users/{user}/unblock")
    assert (again.status_code, again.json()["code"]) == (409, "not_blocked")


def test_claiming_and_reactivating_is_one_call_with_four_steps_in_the_trail(
    platform: Platform,
) -> None:
    """G3."""
    former, heir = platform.user(), platform.user()
    pipeline = platform.pipeline(former)
    platform.block(former)
    token = platform.token(heir)
    path = f"/api/v1/pipelines/{pipeline}/claim"
    claimed = platform.ask("POST", path, token, json={"activate": True})
    assert claimed.status_code == 200, claimed.text
    found = claimed.json()
    assert (found["owner"], found["active"], found["standing"]) == (heir, True, "active")
    shown = platform.show(pipeline)
    assert (shown["owner"], shown["active"]) == (heir, True)
    steps = [one for one in platform.events(f"pipeline {pipeline}") if one["actor"] == heir]
    assert [one["action"] for one in steps] == [
        "pipeline.claimed",
        "pipeline.edited",
        "pipeline.activated",
        "pipeline.saved",
    ]
    assert steps[0]["detail"] == {"before": former, "after": heir, "was": "blocked"}
    assert steps[3]["detail"]["before"] == {"owner": former, "active": False}


def test_a_claim_alone_leaves_a_pipeline_at_rest(platform: Platform) -> None:
    """G3."""
    former, heir = platform.user(), platform.user()
    pipeline = platform.pipeline(former)
    platform.block(former)
    token = platform.token(heir)
    for _ in range(2):  # what is mine already counts as claimed
        claimed = platform.ask("POST", f"/api/v1/pipelines/{pipeline}/claim", token, json={})
        assert claimed.ok
        assert claimed.json()["active"] is False
    actions = [one["action"] for one in platform.events(f"pipeline {pipeline}")]
    assert actions.count("pipeline.claimed") == 1


def test_of_two_claims_at_the_same_time_one_wins(platform: Platform) -> None:
    """G3: the other gets 409, for one thing and for all of them."""
    for round_ in range(6):
        former, heirs = platform.user(), [platform.user() for _ in range(4)]
        tokens = [platform.token(heir) for heir in heirs]
        pipelines = [platform.pipeline(former) for _ in range(3)]
        platform.block(former)

        def send(token: str, round_: int = round_, former: str = former) -> requests.Response:
            if round_ % 2:
                body: dict[str, Any] = {"former": former, "kinds": ["pipeline"]}
                return platform.ask("POST", "/api/v1/ownership/claims", token, json=body)
            path = f"/api/v1/pipelines/{pipelines[0]}/claim"  # noqa: B023 used in this round
            return platform.ask("POST", path, token, json={"activate": True})

        with ThreadPoolExecutor(len(tokens)) as pool:
            answers = list(pool.map(send, tokens))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200, 409, 409, 409], [answer.text for answer in answers]
        winner = heirs[[answer.status_code for answer in answers].index(200)]
        mine = pipelines if round_ % 2 else pipelines[:1]
        assert {platform.show(pipeline)["owner"] for pipeline in mine} == {winner}
        codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert codes == ({"nothing_to_claim"} if round_ % 2 else {"owned"})


def test_all_things_of_a_blocked_user_are_claimed_at_once(platform: Platform) -> None:
    """G3: pipelines, tables and rule sets, which follow their table."""
    former, heir = platform.user(), platform.user()
    pipelines = [platform.pipeline(former) for _ in range(2)]
    kept = platform.pipeline(platform.user())
    tables = {}
    for name in ("shop.orders", "shop.customers"):
        body = {"table": name, "owner": former.upper()}
        tables[name] = platform.ask("PUT", "/api/v1/tables", json=body).json()["id"]
        rules = {"rules": [{"type": "not_null", "column": "id"}]}
        platform.ask("PUT", f"/api/v1/tables/{tables[name]}/rules", json=rules)
    path = f"/api/v1/tables/{tables['shop.customers']}/rule-set/claim"
    steward = {"owner": heir, "force": True}
    assert platform.ask("POST", path, json=steward).json()["owner"] == heir
    token = platform.token(heir)
    whole = {"former": former, "activate": True}
    refused = platform.ask("POST", "/api/v1/ownership/claims", token, json=whole)
    assert (refused.status_code, refused.json()["code"]) == (409, "owned")
    platform.block(former)
    claimed = platform.ask("POST", "/api/v1/ownership/claims", token, json=whole)
    assert claimed.status_code == 200, claimed.text
    found = {(one["kind"], one["id"]) for one in claimed.json()["items"]}
    assert found == {
        *(("pipeline", pipeline) for pipeline in pipelines),
        *(("table", table) for table in tables.values()),
    }
    assert {one["owner"] for one in platform.owned(kind="rule_set", owner=heir)} == {heir}
    assert len(platform.owned(owner=heir)) == 6
    assert platform.owned(owner=former) == []
    assert all(platform.show(pipeline)["active"] for pipeline in pipelines)
    assert platform.show(kept)["owner"] != heir
    again = platform.ask("POST", "/api/v1/ownership/claims", token, json=whole)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_claim")
    for table in tables.values():
        platform.ask("DELETE", f"/api/v1/tables/{table}")


def test_what_somebody_in_good_standing_owns_is_not_claimed(platform: Platform) -> None:
    """G3: but an admin can, with force."""
    owner, other = platform.user(), platform.user()
    path = f"/api/v1/pipelines/{platform.pipeline(owner)}/claim"
    token = platform.token(other)
    refused = platform.ask("POST", path, token, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "owned")
    for body in ({"force": True}, {"owner": owner}):
        refused = platform.ask("POST", path, token, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    taken = platform.ask("POST", path, json={"owner": other, "force": True})
    assert taken.json()["owner"] == other
    nobody = platform.ask("POST", path, json={})
    assert (nobody.status_code, nobody.json()["errors"][0]["path"]) == (422, "owner")
    unknown = platform.ask("POST", path, json={"owner": "no-such-user"})
    assert unknown.json()["errors"][0]["code"] == "owner_unknown"


def test_members_claim_for_their_team(platform: Platform) -> None:
    """G3, G4: a team whose members are all blocked leaves orphans too."""
    member, other = platform.user(), platform.user()
    team = f"team-{next(_NUMBERS)}"
    made = platform.ask("PUT", f"/api/v1/teams/{team}", json={"members": [member]})
    assert made.status_code == 201, made.text
    assert platform.ask("GET", f"/api/v1/users/{member}").json()["teams"] == [team]
    pipeline = platform.pipeline(None)
    path = f"/api/v1/pipelines/{pipeline}/claim"
    refused = platform.ask("POST", path, platform.token(other), json={"owner": team})
    assert refused.status_code == 403
    claimed = platform.ask("POST", path, platform.token(member), json={"owner": team})
    assert (claimed.json()["owner"], claimed.json()["standing"]) == (team, "active")
    platform.block(member)
    [deserted] = platform.owned(owner=team)
    assert (deserted["id"], deserted["standing"]) == (pipeline, "deserted")
    unknown = platform.ask("PUT", f"/api/v1/teams/{team}", json={"members": ["no-such-user"]})
    assert unknown.json()["errors"][0]["path"] == "members"
    taken = platform.ask("PUT", f"/api/v1/users/{team}", json={})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


def test_the_report_lists_what_blocked_and_unknown_users_still_own(platform: Platform) -> None:
    """G4."""
    blocked, active = platform.user(), platform.user()
    things = {
        "blocked": platform.pipeline(blocked),
        "unknown": platform.pipeline("someone who left"),
        "none": platform.pipeline(None),
        "active": platform.pipeline(active),
    }
    body = {"table": "shop.clean", "owner": "someone else"}
    table = platform.ask("PUT", "/api/v1/tables", json=body).json()["id"]
    platform.block(blocked)
    report = {(one["kind"], one["id"]): one for one in platform.owned(orphaned="true", limit=500)}
    for standing in ("blocked", "unknown", "none"):
        assert report["pipeline", things[standing]]["standing"] == standing
    assert ("pipeline", things["active"]) not in report
    assert report["table", table]["owner"] == "someone else"
    assert ("rule_set", table) not in report  # it has no rules
    only = platform.owned(standing="blocked", kind="pipeline", limit=500)
    assert {one["standing"] for one in only} == {"blocked"}
    seen: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        path = "/api/v1/ownership"
        page = platform.ask("GET", path, params={"orphaned": "true", "limit": 2, **cursor}).json()
        seen += [(one["kind"], one["id"]) for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == sorted(report)
    platform.ask("DELETE", f"/api/v1/tables/{table}")


def test_an_execution_that_starts_while_its_owner_is_blocked_is_not_forgotten(
    platform: Platform,
) -> None:
    """G2: whatever the order, afterwards no execution from before the block is unfinished."""
    user = platform.user()
    pipelines = [platform.pipeline(user) for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        started = [pool.submit(platform.execution, pipelines[number % 3]) for number in range(30)]
        blocked = pool.submit(platform.block, user, force=True)
        answer: Callable[[], requests.Response] = blocked.result
        assert answer().ok
        executions = [one.result() for one in started]
    at = platform.ask("GET", f"/api/v1/users/{user}").json()["blocked_at"]
    failed = set(answer().json()["failed_executions"])
    for execution in executions:
        found = platform.ask("GET", f"/pipeline_execution/{execution}").json()
        is_ended = found["end_date"] is not None
        assert is_ended == (execution in failed)
        assert is_ended or found["start_date"] >= at
