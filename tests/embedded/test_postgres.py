"""The embedded PostgreSQL: durable, and back on its feet after every kind of end."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from embedded import EmbeddedError, EmbeddedPostgres
from embedded.binaries import find_binaries

PROJECT = Path(__file__).resolve().parents[2]


def _remember(server: EmbeddedPostgres, word: str) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute("create table if not exists remembered (word text)")
        connection.execute("insert into remembered values (%s)", (word,))


def _remembered(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.url()) as connection:
        return [word for (word,) in connection.execute("select word from remembered")]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while _is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_data_port_and_passwords_survive_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        _remember(server, "first")
        url = server.url()
    with EmbeddedPostgres(folder) as server:
        assert server.url() == url
        assert _remembered(server) == ["first"]


def test_stopping_leaves_no_process(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        assert server.child
        pid = server.child.pid
        assert _is_running(pid)
    assert not _is_running(pid)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url())


def test_a_killed_owner_takes_the_server_with_it_and_the_next_start_works(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start()\n"
        "print(server.child.pid, flush=True); time.sleep(300)"
    )
    with EmbeddedPostgres(folder) as server:
        _remember(server, "before")
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert owner.stdout
    pid = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    # At once, while the old server may still be going down.
    with EmbeddedPostgres(folder) as server:
        assert _remembered(server) == ["before"]
    _wait_for_end(pid)


def test_a_killed_server_starts_again_with_its_data(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        _remember(server, "before")
        assert server.child
        os.kill(server.child.pid, signal.SIGKILL)
        assert server.child.wait(10)
    with EmbeddedPostgres(folder) as server:
        assert _remembered(server) == ["before"]


def test_a_server_left_running_is_stopped_and_replaced(folder: Path) -> None:
    left = EmbeddedPostgres(folder)
    left.start()
    _remember(left, "before")
    assert left.child and left._lock
    left._lock.close()  # what the death of its owner does, had the server outlived it
    with EmbeddedPostgres(folder) as server:
        assert left.child.wait(10)
        assert _remembered(server) == ["before"]


def test_a_postmaster_pid_with_the_number_of_another_program_is_no_obstacle(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        _remember(server, "before")
        assert server.child
        user = (folder / "pgdata").stat().st_uid
        os.kill(server.child.pid, signal.SIGKILL)
        assert server.child.wait(10)
    # A living process of the same user: PostgreSQL itself would refuse to start.
    other = subprocess.Popen(["sleep", "300"], user=user if os.geteuid() == 0 else None)
    try:
        file = folder / "pgdata" / "postmaster.pid"
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        with EmbeddedPostgres(folder) as server:
            assert _remembered(server) == ["before"]
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_another_port_is_taken_and_remembered_when_somebody_has_ours(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        first = server.port
    with socket.create_server(("127.0.0.1", first)), EmbeddedPostgres(folder) as server:
        second = server.port
    assert second != first
    with EmbeddedPostgres(folder) as server:
        assert server.port == second


def test_one_folder_has_one_owner(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        with pytest.raises(EmbeddedError, match=r"already runs PostgreSQL in .*STRINGX_DATA_DIR"):
            EmbeddedPostgres(folder).start()
        _remember(server, "undisturbed")


def test_a_folder_that_cannot_be_written_is_named_with_the_setting() -> None:
    with pytest.raises(EmbeddedError, match=r"cannot write to /proc/stringx .*STRINGX_DATA_DIR"):
        EmbeddedPostgres(Path("/proc/stringx")).start()


def test_an_initialisation_that_was_cut_off_is_made_again(folder: Path) -> None:
    unfinished = folder / "pgdata-unfinished-abc"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as server:
        _remember(server, "whole")
    assert not unfinished.exists()


def test_a_server_that_refuses_a_setting_says_so(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings={"shared_buffers": "much"})
    with pytest.raises(EmbeddedError, match="stopped by itself") as caught:
        server.start()
    assert "shared_buffers" in caught.value.log


def test_passwords_are_private_and_asked_for(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        mode = stat.S_IMODE((folder / "passwords.json").stat().st_mode)
        assert mode == 0o600
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url().replace(server.password("stringx"), "wrong"))
        log = (folder / "postgresql.log").read_text()
        assert not [role for role in server._passwords if server.password(role) in log]


def test_nothing_that_loses_data_is_switched_on(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server, psycopg.connect(server.url()) as connection:
        shown = {
            name: connection.execute(f"show {name}").fetchone()
            for name in ("fsync", "full_page_writes", "synchronous_commit", "listen_addresses")
        }
    assert shown == {
        "fsync": ("on",),
        "full_page_writes": ("on",),
        "synchronous_commit": ("on",),
        "listen_addresses": ("127.0.0.1",),
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up being root")
def test_root_runs_it_as_another_user_also_from_where_that_user_cannot_go(folder: Path) -> None:
    private = Path(tempfile.mkdtemp(dir=folder))
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    package = find_binaries().parents[1]
    shutil.copytree(package, private / package.name)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, private / libraries.name)
    binaries = private / find_binaries().relative_to(package.parent)
    elsewhere = folder / "elsewhere"

    def server() -> EmbeddedPostgres:
        return EmbeddedPostgres(private / "data", binaries=binaries, fallback_root=elsewhere)

    with server() as first:
        assert first.child
        assert Path(f"/proc/{first.child.pid}").stat().st_uid != 0
        _remember(first, "kept")
    with server() as second:
        assert _remembered(second) == ["kept"]
    assert stat.S_IMODE(private.stat().st_mode) == 0o700, "nobody's permissions were opened"
    assert not (private / "data" / "pgdata").exists()
