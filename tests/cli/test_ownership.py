"""Users, teams and what they own, by the command line (G1–G4)."""

from __future__ import annotations

import csv
import io
from itertools import count
from typing import Any

import pytest
import requests

from tests.cli.conftest import Run
from tests.conftest import LiveApi

_NUMBERS = count()

JSON = ("--output", "json")


class House:
    """Users and pipelines of one's own, at the API and at the command line."""

    def __init__(self, live: LiveApi, run: Run) -> None:
        self.live = live
        self.run = run

    def user(self) -> str:
        name = f"person-{next(_NUMBERS)}"
        assert self.run("ownership", "user", name).out == f"made: user {name}\n"
        return name

    def pipeline(self, owner: str) -> dict[str, Any]:
        name = f"line-{next(_NUMBERS)}"
        body = {"name": name, "pipeline_type_name": "owned", "owner": owner}
        made = requests.post(f"{self.live.url}/pipeline", json=body, timeout=60).json()
        return {"id": made["id"], "name": name}

    def execution(self, pipeline: int) -> int:
        body = {"pipeline_id": pipeline}
        answer = requests.post(f"{self.live.url}/start_pipeline_execution", json=body, timeout=60)
        return int(answer.json()["id"])

    def owned(self, owner: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.run("ownership", "list", "--owner", owner, *JSON).json
        return found


@pytest.fixture
def house(live_api: LiveApi, run: Run) -> House:
    return House(live_api, run)


def test_g1_a_block_is_previewed_first_and_refused_while_executions_are_unfinished(
    house: House,
) -> None:
    user = house.user()
    pipeline = house.pipeline(user)
    running = house.execution(pipeline["id"])
    preview = house.run("ownership", "block", user)
    assert preview.code == 2
    assert "would end 1 unfinished executions as failed, make 1 pipelines inactive" in preview.out
    assert str(running) in preview.out
    assert "without --force it is refused" in preview.err
    seen = house.run("ownership", "block", user, *JSON)
    assert (seen.code, seen.json["is_refused_without_force"]) == (2, True)
    forced = house.run("ownership", "block", user, "--force")
    assert (forced.code, "nothing was changed" in forced.err) == (0, True)
    unsaid = house.run("ownership", "block", user, "--execute", "--force")
    assert (unsaid.code, "--reason" in unsaid.err) == (2, True)
    refused = house.run("ownership", "block", user, "--execute", "--reason", "left")
    assert (refused.code, "1 unfinished executions" in refused.err) == (2, True)
    assert house.owned(user)[0]["active"] is True


def test_g2_a_block_says_what_it_did_and_is_undone_by_a_call(house: House) -> None:
    user = house.user()
    house.execution(house.pipeline(user)["id"])
    how = ("--force", "--execute", "--reason", "left")
    done = house.run("ownership", "block", user.upper(), *how)
    assert done.code == 0
    assert done.out == (
        f"blocked: {user}; 1 executions failed, 1 pipelines inactive, 0 tokens revoked\n"
    )
    blocked = house.run("ownership", "users", "--blocked", *JSON).json
    assert [one["block_reason"] for one in blocked if one["name"] == user] == ["left"]
    again = house.run("ownership", "block", user)
    assert (again.code, "is blocked already" in again.out) == (2, True)
    assert house.run("ownership", "unblock", user).code == 0
    again = house.run("ownership", "unblock", user)
    assert (again.code, "is not blocked" in again.err) == (2, True)


def test_g3_an_orphan_is_claimed_by_its_name_and_activated_in_one_call(house: House) -> None:
    former, heir = house.user(), house.user()
    pipeline = house.pipeline(former)
    refused = house.run("ownership", "claim", "pipeline", pipeline["name"], "--owner", heir)
    assert (refused.code, "who is not blocked" in refused.err) == (2, True)
    house.run("ownership", "block", former, "--execute", "--reason", "left")
    where = ("pipeline", pipeline["name"], "--owner", heir, "--activate")
    claimed = house.run("ownership", "claim", *where)
    assert claimed.code == 0, claimed.err
    assert claimed.out == f"claimed: pipeline {pipeline['name']} is now {heir}'s, active\n"
    nowhere = house.run("ownership", "claim", "pipeline", "no-such-line", "--owner", heir)
    assert (nowhere.code, "no pipeline" in nowhere.err) == (2, True)
    assert house.run("ownership", "claim", "table", "x", "--owner", heir).code == 2


def test_g3_tables_and_rules_are_claimed_too(house: House) -> None:
    heir, other = house.user(), house.user()
    house.run("tables", "add", "shop.orders", "--owner", "somebody else")
    house.run("rules", "add", "shop.orders", "-t", "not_null", "--column", "id")
    claimed = house.run("ownership", "claim", "table", "shop.orders", "--owner", heir, *JSON)
    assert (claimed.json["kind"], claimed.json["owner"]) == ("table", heir)
    rules = ("rule-set", "shop.orders", "--owner", other, "--force")
    assert house.run("ownership", "claim", *rules).code == 0
    assert [one["kind"] for one in house.owned(other)] == ["rule_set"]


def test_g3_all_of_a_blocked_user_is_claimed_after_a_dry_run(house: House) -> None:
    former, heir = house.user(), house.user()
    names = sorted(house.pipeline(former)["name"] for _ in range(3))
    standing = house.run("ownership", "claim-all", former, "--owner", heir)
    assert (standing.code, "good standing" in standing.err) == (2, True)
    house.run("ownership", "block", former, "--execute", "--reason", "left")
    dry = house.run("ownership", "claim-all", former, "--owner", heir, "--output", "csv")
    assert (dry.code, "nothing was changed; --execute claims these" in dry.err) == (0, True)
    assert sorted(row["name"] for row in csv.DictReader(io.StringIO(dry.out))) == names
    assert house.owned(heir) == []
    done = house.run(
        *("ownership", "claim-all", former, "--owner", heir, "--activate", "--execute", *JSON)
    )
    assert sorted(thing["name"] for thing in done.json) == names
    assert all(thing["active"] for thing in house.owned(heir))
    again = house.run("ownership", "claim-all", former, "--owner", heir, "--execute")
    assert (again.code, "nothing to claim" in again.err) == (2, True)
    assert house.run("ownership", "claim-all", former).code == 2


def test_g4_the_report_of_orphans_is_a_table_or_csv_and_an_exit_code(house: House) -> None:
    former, heir = house.user(), house.user()
    mine = house.pipeline(former)["name"]
    house.run("ownership", "block", former, "--execute", "--reason", "left")
    report = house.run("ownership", "orphans", "--kind", "pipeline", "--output", "csv")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(report.out))}
    assert (rows[mine]["owner"], rows[mine]["standing"]) == (former, "blocked")
    assert report.code == 0
    assert house.run("ownership", "orphans", "--exit-code").code == 1
    assert house.run("ownership", "claim-all", former, "--owner", heir, "--execute").code == 0
    assert mine not in house.run("ownership", "orphans").out


def test_a_team_keeps_what_is_not_said_of_it(house: House) -> None:
    one, other = house.user(), house.user()
    team = f"group-{next(_NUMBERS)}"
    words = ("--member", one.upper(), "--member", other, "--description", "all of us")
    assert (
        house.run("ownership", "team", team, *words).out == f"made: team {team}: {one}, {other}\n"
    )
    changed = house.run("ownership", "team", team, "--description", "both of us", *JSON)
    assert (changed.json["members"], changed.json["description"]) == ([one, other], "both of us")
    left = house.run("ownership", "team", team, "--member", one, *JSON)
    assert (left.json["members"], left.json["description"]) == ([one], "both of us")
    assert team in house.run("ownership", "teams").out
    unknown = house.run("ownership", "team", team, "--member", "nobody-at-all")
    assert (unknown.code, "is not a user" in unknown.err) == (2, True)
    assert house.run("ownership", "user", "../x").code == 2
