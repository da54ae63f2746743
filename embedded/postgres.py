"""A durable PostgreSQL server of one's own, from a folder of its programs."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg

from embedded import ports
from embedded.binaries import Home, find_binaries, find_home
from embedded.child import Child
from embedded.errors import EmbeddedError
from embedded.roles import READER, SERVICE, SUPERUSER, prepare

TIMEOUT_SETTING = "STRINGX_EMBEDDED_START_TIMEOUT_SECONDS"
_STOP_SECONDS = 30.0


class EmbeddedPostgres:
    """The server as a context manager; listens on 127.0.0.1 only, with passwords (SCRAM).

    Databases: `stringx` (the service's own) and `demo` (a target). Roles: `stringx` owns both,
    `stringx_reader` may read schema `flights` of `demo`. Data, port and passwords are kept in the
    data folder across restarts. The server stops when the thread that started it ends, however
    that happens; what a crash left behind is cleaned up by the next start.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        log_file: Path | None = None,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 60.0,
        reader_connections: int = 20,
        fallback_root: Path = Path("/var/lib"),
    ) -> None:
        """`settings` are postgresql.conf parameters on top of the safe defaults.

        `binaries` is a folder with `postgres` and `initdb`; `start_timeout` in seconds;
        `fallback_root` is where root keeps what an unprivileged user could not reach.
        """
        self.data_dir = data_dir
        self.port = 0
        self._log_file = log_file or data_dir / "postgresql.log"
        self._binaries = binaries
        self._settings = dict(settings or {})
        self._start_timeout = start_timeout
        self._reader_connections = reader_connections
        self._fallback_root = fallback_root
        self._passwords: dict[str, str] = {}
        self._lock: IO[str] | None = None
        self.child: Child | None = None

    def url(self, database: str = "stringx", role: str = SERVICE) -> str:
        """postgresql://role:password@127.0.0.1:port/database for a role of this server."""
        return (
            f"postgresql://{role}:{quote(self.password(role))}"
            f"@{ports.LOOPBACK}:{self.port}/{database}"
        )

    def password(self, role: str) -> str:
        """The password of `stringx`, `stringx_reader` or `postgres` (the superuser)."""
        return self._passwords[role]

    def start(self) -> None:
        """Start and wait until it takes connections; raises EmbeddedError when it cannot."""
        try:
            self._make_folder()
            self._take_lock()
            self._passwords = self._read_passwords()
            home = find_home(self._binaries or find_binaries(), self.data_dir, self._fallback_root)
            if not home.data.exists():
                self._initialise(home)
            _clear_leftovers(home.data)
            self.port = self._choose_port()
            self._run(home)
            prepare(self.url("postgres", SUPERUSER), self._passwords, self._reader_connections)
        except psycopg.Error as error:
            self.stop()
            raise EmbeddedError(
                f"the embedded PostgreSQL runs but cannot be set up: {error}: remove "
                f"{self.data_dir} to begin anew (this deletes its data)"
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it (fast: open transactions are rolled back); nothing when it does not run."""
        if self.child is not None:
            self.child.stop(signal.SIGINT, signal.SIGQUIT, seconds=_STOP_SECONDS)
            self.child = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _make_folder(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"cannot write to {self.data_dir} ({error.strerror}): "
                "set STRINGX_DATA_DIR to a folder that you may write to"
            ) from error

    def _take_lock(self) -> None:
        """One owner for a data folder: a running server that we find is then surely a leftover."""
        # Not inherited by children, so it ends with this process, by SIGKILL too.
        self._lock = (self.data_dir / "postgres.lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedError(
                f"another process already runs PostgreSQL in {self.data_dir}: stop it, "
                "or set STRINGX_DATA_DIR to another folder"
            ) from error

    def _read_passwords(self) -> dict[str, str]:
        file = self.data_dir / "passwords.json"
        if not file.exists():
            generated = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, SERVICE, READER)}
            _write_private(file, json.dumps(generated))
        passwords: dict[str, str] = json.loads(file.read_text())
        return passwords

    def _initialise(self, home: Home) -> None:
        """initdb into a folder beside, then rename: a database is there whole or not at all."""
        for leftover in home.data.parent.glob("pgdata-unfinished-*"):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(dir=home.data.parent, prefix="pgdata-unfinished-"))
        password_file = unfinished.with_suffix(".password")
        _write_private(password_file, self._passwords[SUPERUSER])
        if home.user:
            os.chown(unfinished, *home.user)
            os.chown(password_file, *home.user)
        try:
            done = subprocess.run(
                [
                    str(home.binaries / "initdb"),
                    f"--pgdata={unfinished}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--locale=C.UTF-8",
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env={"PATH": os.defpath},
                user=home.user[0] if home.user else None,
                group=home.user[1] if home.user else None,
                extra_groups=[] if home.user else None,
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise EmbeddedError(
                f"the embedded PostgreSQL cannot be initialised in {home.data} "
                f"({done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'initdb'})",
                log=done.stderr,
            )
        unfinished.rename(home.data)

    def _choose_port(self) -> int:
        """The port of the last time; another one, remembered, when somebody else has it now."""
        file = self.data_dir / "port"
        with contextlib.suppress(OSError, ValueError):
            port = int(file.read_text())
            if ports.is_free(port):
                return port
        port = ports.choose_free()
        file.write_text(f"{port}\n")
        return port

    def _run(self, home: Home) -> None:
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "200",
            "password_encryption": "scram-sha-256",
            # A killed client must not leave its query running.
            "client_connection_check_interval": "2s",
        } | self._settings
        self.child = Child(
            "the embedded PostgreSQL",
            [
                str(home.binaries / "postgres"),
                "-D",
                str(home.data),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            self._log_file,
            environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            folder=Path("/"),
            user=home.user,
            death_signal=signal.SIGINT,
        )
        pid = self.child.pid
        self.child.wait_until(
            lambda: _is_ready(home.data, pid), self._start_timeout, TIMEOUT_SETTING
        )


def _is_ready(data: Path, pid: int) -> bool:
    """Line 1 of postmaster.pid is the process, line 8 its state (PostgreSQL, pidfile.h)."""
    with contextlib.suppress(OSError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
    return False


def _clear_leftovers(data: Path, seconds: float = _STOP_SECONDS) -> None:
    """End what still runs on these data and remove its postmaster.pid.

    We hold the folder's lock, so it is a server whose supervisor was killed. The number in
    postmaster.pid may be another program's by now, with which PostgreSQL would refuse to start:
    processes are recognised by their working directory instead, which is the data folder.
    """
    deadline = time.monotonic() + seconds
    asked: set[int] = set()
    while running := _processes_in(data):
        number = signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT
        for pid in running:
            if pid not in asked or number is signal.SIGQUIT:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        if time.monotonic() > deadline + 10:
            raise EmbeddedError(
                f"a PostgreSQL left from before does not stop (pid {min(running)}): "
                f"end it by `kill {min(running)}`"
            )
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(data: Path) -> list[int]:
    """The postgres processes whose working directory is this folder."""
    found = []
    folder = str(data.resolve())
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if (
                    str((process / "cwd").readlink()) == folder
                    and (process / "comm").read_text().strip() == "postgres"
                ):
                    found.append(int(process.name))
    return found


def _write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    descriptor, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    Path(unfinished).replace(file)
