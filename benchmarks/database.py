"""The PostgreSQL that the benchmarks measure against: embedded, with a server's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.work import Target
from embedded.postgres import EmbeddedPostgres
from embedded.roles import READER, SUPERUSER, TARGET_DATABASE

PROJECT = Path(__file__).resolve().parent.parent
SCHEMA = "benchmark"

SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "3GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "random_page_cost": "1.1",
    # By which the end-to-end benchmark knows when a result was committed.
    "track_commit_timestamp": "on",
}
_SHOWN = ("shared_buffers", "work_mem", "jit", "max_parallel_workers_per_gather", "fsync")


def data_folder() -> Path:
    """Where tables, environments and logs are kept between benchmarks."""
    base = Path(os.environ.get("STRINGX_DATA_DIR") or PROJECT / ".stringx")
    return base.absolute() / "benchmarks"


class Database:
    """A running server with the schema for the tables, readable for the engine's role."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.url = server.url(TARGET_DATABASE, SUPERUSER)
        with psycopg.connect(self.url) as connection:
            connection.execute(f"create schema if not exists {SCHEMA}")
            connection.execute(f"grant usage on schema {SCHEMA} to {READER}")
            connection.execute(
                f"alter default privileges in schema {SCHEMA} grant select on tables to {READER}"
            )

    @property
    def target(self) -> Target:
        """How contenders reach it."""
        server = self.server
        return Target("127.0.0.1", server.port, READER, server.password(READER), TARGET_DATABASE)

    def described(self) -> str:
        """Version and settings that decide how fast it is, in one line."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("show server_version").fetchone()
            shown = [f"PostgreSQL {row[0] if row else '?'}"]
            for name in _SHOWN:
                row = connection.execute(f"show {name}").fetchone()
                shown.append(f"{name} {row[0] if row else '?'}")
        return ", ".join(shown)


@contextmanager
def open_database() -> Iterator[Database]:
    """Start the server on its kept data; EmbeddedError where it cannot, or another one has them."""
    folder = data_folder()
    with EmbeddedPostgres(folder / "postgres", settings=SETTINGS, reader_connections=100) as server:
        yield Database(server)
