"""Finding schedules: all pages, all levels, faults of projects and of the platform (G5–G8, G10)."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import pty
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.conftest import PROJECT, clean_environment
from tests.owners.conftest import Owners
from tests.owners.platform_server import TOKEN, Fault, PlatformServer

JSON = ("--output", "json")


def ids(rows: list[dict[str, Any]], result: str = "owned") -> list[int]:
    return sorted(row["schedule_id"] for row in rows if row["result"] == result)


def test_g5_all_schedules_of_45_projects_in_three_levels_each_once(
    owners: Owners, platform: PlatformServer
) -> None:
    ended = owners("scan", "--group", "data", *JSON)
    assert ended.code == 0
    assert ended.json["projects"] == 45
    expected = [number * 10 for number in range(1, 46)] + list(range(1001, 1041))
    assert ids(ended.json["schedules"]) == sorted(expected)
    pages = [path for _, path, _ in platform.requests if path == "/groups/data/projects"]
    assert len(pages) == 3


def test_g8_paging_works_without_x_total(owners: Owners, platform: PlatformServer) -> None:
    """Of projects and of schedules: project 7 has 41, on three pages."""
    platform.has_totals = False
    rows = owners("scan", "--group", "data", *JSON).json["schedules"]
    assert len([row for row in rows if row["project_id"] == 7]) == 41
    assert len(ids(rows)) == 85


def test_g5_groups_that_overlap_and_a_project_by_name_count_once(owners: Owners) -> None:
    ended = owners(
        *("scan", "--group", "data", "--group", "data/etl", "--project", "data/p3", *JSON)
    )
    assert ended.json["projects"] == 45
    one = owners("scan", "--project", "data/etl/raw/p40", *JSON).json["schedules"]
    assert ids(one) == [400]


def test_g5_a_group_below_has_only_its_own(owners: Owners) -> None:
    assert owners("scan", "--group", "data/etl/raw", *JSON).json["projects"] == 15


def test_g5_shared_and_archived_projects_are_had_on_request(owners: Owners) -> None:
    assert 460 in ids(owners("scan", "--group", "2", "--with-archived", *JSON).json["schedules"])
    assert 470 in ids(owners("scan", "--group", "2", "--with-shared", *JSON).json["schedules"])


def test_g6_exactly_the_schedules_of_the_users_with_all_fields_and_the_orphans(
    owners: Owners,
) -> None:
    rows = owners("scan", "--group", "data", "--user", "18", *JSON).json["schedules"]
    expected = [number * 10 for number in range(3, 46, 3)] + list(range(1001, 1041))
    assert ids(rows) == sorted(expected)
    assert ids(rows, "orphan") == [2000]
    first = next(row for row in rows if row["schedule_id"] == 60)
    assert first == {
        "project_id": 6,
        "project": "data/p6",
        "schedule_id": 60,
        "description": "nightly 60",
        "cron": "0 1 * * *",
        "ref": "main",
        "active": True,
        "next_run_at": "2026-12-01T01:00:00.000Z",
        "owner_id": 18,
        "owner": "bob",
        "result": "owned",
    }
    orphan = next(row for row in rows if row["result"] == "orphan")
    assert (orphan["owner_id"], orphan["owner"]) == (None, None)


@pytest.mark.parametrize("status", [403, 404])
def test_g7_a_project_that_may_not_be_looked_at_is_skipped_and_the_run_goes_on(
    owners: Owners, platform: PlatformServer, status: int
) -> None:
    platform.faults["GET /projects/4/pipeline_schedules"] = Fault(status)
    ended = owners("scan", "--group", "data", *JSON)
    assert ended.code == 3
    [skipped] = ended.json["skipped"]
    assert (skipped["project_id"], skipped["project"]) == (4, "data/p4")
    assert str(status) in skipped["reason"]
    assert len(ids(ended.json["schedules"])) == 84
    assert "skipped data/p4" in ended.err


@pytest.mark.parametrize("status", [403, 404])
def test_g7_a_project_or_group_that_is_not_to_be_had_is_skipped_beside_others(
    owners: Owners, platform: PlatformServer, status: int
) -> None:
    platform.faults["GET /projects/data%2Fp3"] = Fault(status)
    platform.faults["GET /groups/elsewhere/projects"] = Fault(status)
    ended = owners(
        *("scan", "--project", "data/p3", "--project", "4", "--group", "elsewhere", *JSON)
    )
    assert (ended.code, ids(ended.json["schedules"])) == (3, [40])
    skipped = {one["project"]: one["reason"] for one in ended.json["skipped"]}
    assert set(skipped) == {"data/p3", "elsewhere"}
    assert all(str(status) in reason for reason in skipped.values())
    alone = owners("scan", "--project", "data/p3")
    assert alone.code == (1 if status == 403 else 2)


def test_g7_a_wrong_token_is_one_error(
    owners: Owners, platform: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_GITLAB_TOKEN", "glpat-wrong-wrong")
    ended = owners("scan", "--group", "data")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "stringx: the platform does not accept the token of STRINGX_GITLAB_TOKEN (401)\n"
    )
    assert len(platform.requests) == 1


def test_g7_no_token_and_no_group_are_usage(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert owners("scan", "--group", "nowhere").code == 2
    assert owners("scan").code == 2
    monkeypatch.delenv("STRINGX_GITLAB_TOKEN")
    ended = owners("scan", "--group", "data")
    assert (ended.code, "STRINGX_GITLAB_TOKEN is not set" in ended.err) == (2, True)


def test_g8_429_waits_as_long_as_it_is_told(owners: Owners, platform: PlatformServer) -> None:
    path = "GET /projects/4/pipeline_schedules"
    platform.faults[path] = Fault(429, {"Retry-After": "1"}, times=1)
    began = time.monotonic()
    ended = owners("scan", "--group", "data", *JSON)
    assert time.monotonic() - began >= 1
    assert (ended.code, len(ids(ended.json["schedules"]))) == (0, 85)


@pytest.mark.parametrize("asked", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT", "soon", "-5"])
def test_g8_no_retry_after_makes_it_wait_for_ever(
    owners: Owners, platform: PlatformServer, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("STRINGX_GITLAB_LONGEST_WAIT_S", "0.5")
    platform.faults["GET /user"] = Fault(429, {"Retry-After": asked}, times=1)
    assert owners("transfer", "--project", "1", "--user", "17").code == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_g8_5xx_is_tried_again(owners: Owners, platform: PlatformServer, status: int) -> None:
    platform.faults["GET /groups/data/projects"] = Fault(status, times=2)
    platform.faults["GET /projects/4/pipeline_schedules"] = Fault(status, times=1)
    ended = owners("scan", "--group", "data", *JSON)
    assert (ended.code, len(ids(ended.json["schedules"]))) == (0, 85)


def test_g8_5xx_that_stays_skips_the_project(owners: Owners, platform: PlatformServer) -> None:
    platform.faults["GET /projects/4/pipeline_schedules"] = Fault(500)
    ended = owners("scan", "--group", "data", *JSON)
    assert (ended.code, len(ended.json["skipped"])) == (3, 1)
    asked = [path for _, path, _ in platform.requests if path.startswith("/projects/4/")]
    assert len(asked) == 3


def test_g8_a_platform_that_is_away_is_one_error(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_GITLAB_URL", "http://127.0.0.1:9")
    ended = owners("scan", "--group", "data")
    assert ended.code == 1
    assert ended.err == "stringx: group data: no answer (ConnectionError)\n"


def test_g8_every_call_has_a_time_limit(
    owners: Owners, platform: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRINGX_GITLAB_TIMEOUT_S", "0.2")
    monkeypatch.setenv("STRINGX_GITLAB_RETRIES", "1")
    platform.faults["GET /projects/4/pipeline_schedules"] = Fault(200, delay_s=1.0)
    ended = owners("scan", "--project", "3", "--project", "4", *JSON)
    assert ended.code == 3
    assert "no answer (ReadTimeout)" in ended.json["skipped"][0]["reason"]


@pytest.mark.parametrize("how", ["next", "redirect"])
def test_g8_another_host_never_gets_the_token(
    owners: Owners, platform: PlatformServer, recwarn: pytest.WarningsRecorder, how: str
) -> None:
    got: list[dict[str, str]] = []

    class Thief(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_words: Any) -> None:
            pass

    thief = ThreadingHTTPServer(("127.0.0.1", 0), Thief)
    Thread(target=thief.serve_forever, daemon=True).start()
    host = f"http://localhost:{thief.server_address[1]}"
    if how == "next":
        platform.next_host = host
    else:
        platform.faults["GET /groups/data/projects"] = Fault(302, {"Location": f"{host}/x"})
    ended = owners("scan", "--group", "data")
    thief.shutdown()
    thief.server_close()
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert not [one for one in recwarn if "base URL" in str(one.message)]
    assert got == []
    assert TOKEN not in ended.err


def test_g10_table_csv_and_progress(owners: Owners) -> None:
    ended = owners("scan", "--group", "data/etl/raw", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert len(rows) == 15
    assert rows[0]["project"] == "data/etl/raw/p31"
    assert "looking: 15 of 15" in ended.err
    table = owners("scan", "--group", "data/etl/raw")
    assert table.out.splitlines()[0].split()[:2] == ["project", "id"]
    assert len(table.out.splitlines()) == 16


def test_g10_a_bar_is_shown_on_a_terminal(platform: PlatformServer) -> None:
    leader, follower = pty.openpty()
    settings = {name: os.environ[name] for name in os.environ if name.startswith("STRINGX_GITLAB")}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "owners", "scan", "--group", "data"],
        cwd=PROJECT,
        env={**clean_environment(), **settings, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(leader, 4096):
            shown += part
    os.close(leader)
    assert process.wait(60) == 0
    assert b"looking  [" in shown and b"100%" in shown
