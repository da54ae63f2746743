"""Handing schedules over, and blocking their owner afterwards (G9, G10)."""

from __future__ import annotations

import pytest

from quality.gitlab.platform import Platform, Schedule
from tests.owners.conftest import Owners
from tests.owners.platform_server import ME, Fault, PlatformServer

JSON = ("--output", "json")
BOBS = ("--group", "data/etl/raw", "--user", "18")


def results(platform: PlatformServer) -> dict[int, tuple[int, bool]]:
    return {
        number: (one["owner"]["id"], one["active"])
        for project in (33, 36, 39, 42, 45)
        for number, one in platform.schedules[project].items()
    }


def test_g9_a_dry_run_is_the_default_and_sends_no_write(
    owners: Owners, platform: PlatformServer
) -> None:
    ended = owners("transfer", *BOBS, *JSON)
    assert ended.code == 0
    assert [row["result"] for row in ended.json["schedules"]] == ["planned"] * 5
    assert "nothing was changed" in ended.err
    assert owners("block", "18", "--group", "data/etl/raw", "--force").code == 0
    assert platform.writes == []


def test_g9_what_was_active_is_active_afterwards_and_nothing_else(
    owners: Owners, platform: PlatformServer
) -> None:
    ended = owners("transfer", *BOBS, "--execute", *JSON)
    assert ended.code == 0
    assert [row["result"] for row in ended.json["schedules"]] == ["done"] * 5
    me = ME["id"]
    assert results(platform) == {
        330: (me, False),
        360: (me, True),
        390: (me, False),
        420: (me, True),
        450: (me, False),
    }
    assert [one for one in platform.writes if one.startswith("PUT")] == [
        "PUT /projects/36/pipeline_schedules/360",
        "PUT /projects/42/pipeline_schedules/420",
    ]


def test_g9_what_is_already_mine_counts_as_done(owners: Owners, platform: PlatformServer) -> None:
    """Also where the version answers 403 to taking what is one's own."""
    platform.refuses_own = True
    path = "POST /projects/36/pipeline_schedules/360/take_ownership"
    platform.faults[path] = Fault(503, times=3)  # taken, but the answers are lost
    platform.schedules[36][360]["owner"] = ME
    again = owners("transfer", "--project", "36", "--user", str(ME["id"]), "--execute", *JSON)
    assert again.code == 1
    again = owners("transfer", "--project", "36", "--user", str(ME["id"]), "--execute", *JSON)
    assert (again.code, again.json["schedules"][0]["result"]) == (0, "already")


def test_g9_orphans_are_taken_on_request_only(owners: Owners, platform: PlatformServer) -> None:
    owners("transfer", "--project", "9", "--user", "17", "--execute")
    assert platform.schedules[9][2000]["owner"] is None
    assert owners("transfer", "--project", "9", "--orphans", "--execute").code == 0
    assert platform.schedules[9][2000]["owner"] == ME


def test_g9_a_schedule_that_may_not_be_taken_is_said_and_the_rest_is(
    owners: Owners, platform: PlatformServer
) -> None:
    platform.faults["POST /projects/36/pipeline_schedules/360/take_ownership"] = Fault(403)
    ended = owners("transfer", *BOBS, "--execute", *JSON)
    assert ended.code == 3
    failed = [row for row in ended.json["schedules"] if row["result"] == "failed"]
    assert [row["schedule_id"] for row in failed] == [360]
    assert "403" in failed[0]["reason"]
    assert results(platform)[420] == (ME["id"], True)


def test_g9_all_that_failed_is_code_1(owners: Owners, platform: PlatformServer) -> None:
    platform.faults["POST /projects/36/pipeline_schedules/360/take_ownership"] = Fault(403)
    assert owners("transfer", "--project", "36", "--user", "18", "--execute").code == 1


def test_g9_what_is_mine_but_could_not_be_activated_is_said_so(
    owners: Owners, platform: PlatformServer
) -> None:
    """A second transfer would not know that it was active."""
    platform.faults["PUT /projects/36/pipeline_schedules/360"] = Fault(500)
    ended = owners("transfer", *BOBS, "--execute", *JSON)
    assert ended.code == 3
    [failed] = [row for row in ended.json["schedules"] if row["result"] == "failed"]
    assert (failed["schedule_id"], failed["active"]) == (360, True)
    assert "it is taker's now, but no longer active; activate it: " in failed["reason"]
    assert results(platform)[360] == (ME["id"], False)


def test_g9_a_token_that_is_revoked_meanwhile_ends_it_with_all_that_was_done(
    owners: Owners, platform: PlatformServer
) -> None:
    path = "/projects/39/pipeline_schedules/390/take_ownership"
    platform.faults[f"POST {path}"] = Fault(401)
    ended = owners("transfer", *BOBS, "--execute", *JSON)
    assert ended.code == 3
    found = [(row["schedule_id"], row["result"]) for row in ended.json["schedules"]]
    assert found == [(330, "done"), (360, "done"), *((n, "failed") for n in (390, 420, 450))]
    assert platform.writes[-1] == f"POST {path}"  # nothing is sent after it


def test_g9_a_transfer_that_is_broken_off_says_what_was_done(
    owners: Owners, platform: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Platform.take

    def taken(platform_: Platform, schedule: Schedule) -> Schedule:
        if schedule.id == 390:
            raise KeyboardInterrupt
        return take(platform_, schedule)

    monkeypatch.setattr(Platform, "take", taken)
    ended = owners("transfer", *BOBS, "--execute", *JSON)
    assert ended.code == 130
    assert [row["schedule_id"] for row in ended.json["schedules"]] == [330, 360]
    assert "2 of 5 were reached" in ended.err


def test_a_transfer_names_whose(owners: Owners) -> None:
    assert owners("transfer", "--group", "data").code == 2


def test_g10_a_user_is_blocked_only_when_nothing_is_left(
    owners: Owners, platform: PlatformServer
) -> None:
    where = ("--group", "data/etl/raw")
    refused = owners("block", "18", *where, "--execute", *JSON)
    assert (refused.code, refused.json["result"]) == (1, "refused")
    assert [row["schedule_id"] for row in refused.json["schedules"]] == [330, 360, 390, 420, 450]
    assert "user 18 is not blocked: 5 schedules are left" in refused.err
    assert owners("transfer", *BOBS, "--execute").code == 0
    dry = owners("block", "18", *where, "--output", "csv")
    assert (dry.code, "nothing was changed" in dry.err) == (0, True)
    assert dry.out == "user,result,schedules_left,skipped\n18,planned,0,0\n"
    assert platform.blocked == []
    assert owners("block", "18", *where, "--execute").out.split()[-4:] == [
        "18",
        "blocked",
        "0",
        "0",
    ]
    assert platform.blocked == [18]


def test_g10_what_could_not_be_looked_at_may_be_theirs(
    owners: Owners, platform: PlatformServer
) -> None:
    platform.faults["GET /projects/2/pipeline_schedules"] = Fault(403)
    ended = owners("block", "18", "--project", "2", "--execute")
    assert (ended.code, platform.blocked) == (1, [])
    assert owners("block", "18", "--project", "2", "--execute", "--force").code == 0
    assert platform.blocked == [18]


def test_nobody_blocks_themselves(owners: Owners, platform: PlatformServer) -> None:
    assert owners("block", str(ME["id"]), "--project", "2", "--execute", "--force").code == 2
    assert platform.blocked == []


@pytest.mark.parametrize("status", [403, 404])
def test_a_token_that_may_not_block_is_said(
    owners: Owners, platform: PlatformServer, status: int
) -> None:
    platform.faults["POST /users/18/block"] = Fault(status)
    ended = owners("block", "18", "--project", "2", "--execute")
    assert ended.code == (1 if status == 403 else 2)
    assert str(status) in ended.err
