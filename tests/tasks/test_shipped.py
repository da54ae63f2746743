"""The shipped tasks on real folders and a real server that speaks S3 (T9)."""

from __future__ import annotations

import os
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.tasks.conftest import Tasks

DAY = 86_400


def one(name: str, arguments: str, options: str = "") -> str:
    return f"tasks = [{{name: {name}, args: {{{arguments}}}{options}}}]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "data-files"
    (found / "deep").mkdir(parents=True)
    (found / "a.csv").write_text("a")
    (found / "deep" / "b.csv").write_text("bb")
    (found / "link").symlink_to("/etc/hostname")
    return found


def aged(path: Path, days: float) -> None:
    at = time.time() - days * DAY
    os.utime(path, (at, at))


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip"])
def test_archives_hold_the_folder_under_its_base_name(
    tasks: Tasks, folder: Path, tmp_path: Path, ending: str
) -> None:
    assert tasks(one("archive", f"source: data-files/, destination: x.{ending}")).code == 0
    archive = tmp_path / f"x.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(archive) as zipped:
            names = [name.rstrip("/") for name in zipped.namelist()]
    else:
        with tarfile.open(archive) as packed:
            names = packed.getnames()
    expected = ["data-files", "data-files/a.csv", "data-files/deep", "data-files/deep/b.csv"]
    assert sorted(set(names) - {"data-files/link"}) == expected


def test_an_archive_within_its_own_folder_leaves_itself_out(tasks: Tasks, folder: Path) -> None:
    for _ in range(2):
        assert tasks(one("archive", "source: data-files, destination: data-files/x.tar")).code == 0
    with tarfile.open(folder / "x.tar") as packed:
        assert not [name for name in packed.getnames() if "x.tar" in name]


def test_upload_to_a_folder(tasks: Tasks, folder: Path, tmp_path: Path) -> None:
    assert tasks(one("upload", "source: data-files, destination: there/deep")).code == 0
    there = tmp_path / "there" / "deep"
    found = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert found == {"data-files/a.csv", "data-files/deep/b.csv"}
    assert (there / "data-files" / "deep" / "b.csv").read_text() == "bb"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """A server that speaks S3, with the bucket `kept`; its URL and a client of it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="kept")
    yield url, client
    server.stop()


def test_upload_to_s3(tasks: Tasks, folder: Path, s3: tuple[str, Any]) -> None:
    url, client = s3
    where = f'source: data-files, destination: "s3://kept/2026/", endpoint_url: "{url}"'
    ended = tasks(one("upload", where))
    assert ended.code == 0, ended.err
    found = {item["Key"]: item["Size"] for item in client.list_objects(Bucket="kept")["Contents"]}
    assert found == {"2026/data-files/a.csv": 1, "2026/data-files/deep/b.csv": 2}


def test_upload_to_a_bucket_that_is_not_there_is_a_failure(
    tasks: Tasks, folder: Path, s3: tuple[str, Any]
) -> None:
    where = f'source: data-files/a.csv, destination: "s3://none", endpoint_url: "{s3[0]}"'
    ended = tasks(one("upload", where))
    assert ended.code == 1
    assert "NoSuchBucket" in ended.tasks[0]["error"]
    assert "testing-secret" not in ended.out + ended.err


@pytest.mark.parametrize("target", ["ftp://host/x", "s3:///x"])
def test_upload_refuses_places_that_it_does_not_know(tasks: Tasks, target: str) -> None:
    ended = tasks(one("upload", f'source: x, destination: "{target}"'))
    assert (ended.code, "tasks[0].args.destination" in ended.err) == (2, True)


def test_clean_up_deletes_what_is_named_and_follows_no_link(
    tasks: Tasks, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "stays").write_text("x")
    (folder / "out").symlink_to(outside)
    arguments = "within: data-files, paths: [deep, '*.csv', out, nowhere]".replace("'", '"')
    assert tasks(one("clean_up", arguments)).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["link"]
    assert (outside / "stays").exists()


@pytest.mark.parametrize(
    "path", ["../outside", "..", ".", "data-files/../../outside", "/etc/hostname", "door/stays"]
)
def test_clean_up_deletes_nothing_outside_of_its_folder(
    tasks: Tasks, folder: Path, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "stays").write_text("x")
    (folder / "door").symlink_to(outside)
    within = "data-files"
    ended = tasks(one("clean_up", f'within: {within}, paths: ["a.csv", "{path}"]'))
    if path.startswith("data-files"):  # there is no such thing below the folder
        assert ended.code == 0
    else:
        assert ended.code == 1
        assert "nothing was deleted" in ended.tasks[0]["error"]
        assert (folder / "a.csv").exists()
    assert (outside / "stays").exists()
    assert folder.exists()


def test_delete_older_than_keeps_the_new_and_the_newest(tasks: Tasks, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    (backups / "deep").mkdir(parents=True)
    for days in range(10):
        aged_file = backups / f"day-{days}.tar"
        aged_file.write_text("x")
        aged(aged_file, days + 0.5)
    (backups / "other.txt").write_text("x")
    aged(backups / "other.txt", 100)
    (backups / "deep" / "day-99.tar").write_text("x")
    aged(backups / "deep" / "day-99.tar", 99)
    arguments = 'folder: backups, age: 5 days, pattern: "*.tar"'
    assert tasks(one("delete_older_than", arguments)).code == 0
    left = {path.name for path in backups.iterdir()}
    assert left == {*(f"day-{days}.tar" for days in range(5)), "other.txt", "deep"}
    assert (backups / "deep" / "day-99.tar").exists()
    assert tasks(one("delete_older_than", arguments.replace("5 days", "1h, keep: 2"))).code == 0
    left = {path.name for path in backups.iterdir()}
    assert left == {"day-0.tar", "day-1.tar", "other.txt", "deep"}
    assert tasks(one("delete_older_than", f"{arguments}, recursive: true")).code == 0
    assert not (backups / "deep" / "day-99.tar").exists()


def test_a_whole_night_from_set_up_to_what_is_too_old(
    tasks: Tasks, tmp_path: Path, s3: tuple[str, Any]
) -> None:
    """Set up, scan, modify, upload, back up, clean up, delete older than some days."""
    url, client = s3
    (tmp_path / "backup").mkdir()
    for days in (1, 30):
        (tmp_path / "backup" / f"old-{days}.tar.gz").write_text("x")
        aged(tmp_path / "backup" / f"old-{days}.tar.gz", days)
    (tmp_path / "site.conf").write_text('work = ${CWD}"/work", keep = 7 days\n')
    ended = tasks(
        """include "site.conf"
        tasks = [
          { name: shell_script, args: { script: mkdir, script_args: [-p, ${work}/in] } }
          { name: shell_script, args: {
              script: sh, folder: ${work}, script_args: [-c, "echo b,a > in/x.csv"] } }
          { name: shell_script, args: { script: find, script_args: [${work}, -name, "*.csv"] } }
          { name: shell_script, args: {
              script: sed, script_args: [-i, "s/b,a/a,b/", ${work}/in/x.csv] } }
          { name: upload, args: {
              source: ${work}/in, destination: "s3://kept/day", endpoint_url: "URL" } }
          { name: archive, args: { source: ${work}/in, destination: backup/${TODAY}.tar.gz } }
          { name: clean_up, args: { paths: [work] } }
          { name: delete_older_than, args: { folder: backup, age: ${keep} } }
        ]""".replace("URL", url),
        "--set",
        "TODAY=2026-01-31",
    )
    assert ended.code == 0, ended.err
    assert client.get_object(Bucket="kept", Key="day/in/x.csv")["Body"].read() == b"a,b\n"
    backups = {path.name for path in (tmp_path / "backup").iterdir()}
    assert backups == {"2026-01-31.tar.gz", "old-1.tar.gz"}
    assert not (tmp_path / "work").exists()
