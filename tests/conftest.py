"""What all tests share: one PostgreSQL, a small target in it, and a running API.

Everything is the real thing. What a machine cannot have (Java, a browser …) is asked for through
`require`, which skips with the reason, or fails where STRINGX_TEST_REQUIRE says that it must be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from xdist.scheduler import LoadScopeScheduling

from embedded import ports
from embedded.postgres import EmbeddedPostgres
from tests.differential import paths
from tests.faults import counting

PROJECT = Path(__file__).resolve().parent.parent

SHOP = """
create schema shop;
create table shop.customers (id integer primary key, email text, country text);
insert into shop.customers values (1, 'a@x.org', 'NL'), (2, 'b@x.org', 'DE'), (3, null, 'XX');
create table shop.orders (id integer, customer_id integer, amount numeric(10, 2), placed date);
insert into shop.orders values
    (1, 1, 10.00, '2026-01-01'), (2, 1, 20.00, '2026-01-02'),
    (2, 2, -5.00, '2026-01-03'), (3, 9, null, '2026-01-04');
create table shop.clean (id integer primary key, name text not null);
insert into shop.clean values (1, 'one'), (2, 'two');
grant usage on schema shop to stringx_reader;
grant select on all tables in schema shop to stringx_reader;
"""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the tests counted, wherever they ran."""
    paths.pytest_terminal_summary(terminalreporter)
    counting.show(terminalreporter)


class FolderScheduling(LoadScopeScheduling):
    """One process runs a whole folder: its servers are started once, whatever runs beside it."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("/")[1]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    return FolderScheduling(config, log)


def require(name: str, missing: str | None) -> None:
    """Skip because of `missing`, unless `name` (or `all`) is among STRINGX_TEST_REQUIRE."""
    if missing is None:
        return
    required = os.environ.get("STRINGX_TEST_REQUIRE", "").split(",")
    if name in required or "all" in required:
        pytest.fail(f"{name} is required here: {missing}")
    pytest.skip(missing)


def require_program(name: str) -> str:
    """The path of a program of the machine, or skip."""
    found = shutil.which(name)
    require(name, None if found else f"{name} is not installed")
    return found or ""


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for the whole session, with the small target `shop` in database demo."""
    # Not below pytest's own folder: PostgreSQL does not run as root, and nobody else may enter it.
    folder = Path(tempfile.mkdtemp(prefix="stringx-test-"))
    folder.chmod(0o755)
    with EmbeddedPostgres(
        folder / "data",
        settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
        reader_connections=60,
        fallback_root=folder,
    ) as server:
        with psycopg.connect(server.url("demo", "postgres")) as connection:
            connection.execute(SHOP)
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def target_environment(postgres: EmbeddedPostgres) -> dict[str, str]:
    """The variables by which dbt's profile finds the target."""
    return {
        "STRINGX_TARGET_HOST": "127.0.0.1",
        "STRINGX_TARGET_PORT": str(postgres.port),
        "STRINGX_TARGET_USER": "stringx_reader",
        "STRINGX_TARGET_DBNAME": "demo",
        "STRINGX_TARGET_SSLMODE": "disable",
        "DBT_ENV_SECRET_TARGET_PASSWORD": postgres.password("stringx_reader"),
    }


@contextmanager
def empty_databases(postgres: EmbeddedPostgres) -> Iterator[Callable[[], str]]:
    """Makes empty databases for the service's own data; answers their URLs."""
    names: list[str] = []
    admin = postgres.url("postgres", "postgres")

    def make() -> str:
        name = f"stringx_{time.time_ns()}"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'create database "{name}" owner stringx')
        names.append(name)
        return postgres.url(name)

    try:
        yield make
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in names:
                connection.execute(f'drop database if exists "{name}" with (force)')


@pytest.fixture
def new_database(postgres: EmbeddedPostgres) -> Iterator[Callable[[], str]]:
    """`empty_databases` for one test."""
    with empty_databases(postgres) as make:
        yield make


@dataclass
class LiveApi:
    """A running `python -m api`."""

    url: str
    environment: dict[str, str]
    log_file: Path
    process: subprocess.Popen[bytes]

    def api(self, path: str) -> str:
        return f"{self.url}/api/v1{path}"

    def stop(self) -> int:
        """SIGTERM and wait; answers the exit code."""
        self.process.terminate()
        return self.process.wait(30)


def clean_environment() -> dict[str, str]:
    """Our environment without any setting of StringX, dbt or PostgreSQL."""
    ours = ("STRINGX_", "DBT_", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def start_api(environment: dict[str, str], folder: Path, port: int | None = None) -> LiveApi:
    """Start the API and wait until it is ready; the log is shown where it does not get there."""
    port = port or ports.choose_free()
    environment = {
        **clean_environment(),
        "STRINGX_API_PORT": str(port),
        "STRINGX_DATA_DIR": str(folder / "data"),
        **environment,
    }
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / "api.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=PROJECT, env=environment, stdout=log, stderr=log
        )
    live = LiveApi(f"http://127.0.0.1:{port}", environment, log_file, process)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{live.url}/health/ready", timeout=2).ok:
                return live
        except (requests.ConnectionError, requests.Timeout):  # a busy machine
            pass
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"the API did not become ready:\n{log_file.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def live_api(
    postgres: EmbeddedPostgres,
    target_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveApi]:
    """An API without Kafka, on the database `stringx`, for the whole session."""
    environment = {**target_environment, "STRINGX_DATABASE_URL": postgres.url()}
    live = start_api(environment, tmp_path_factory.mktemp("api"))
    yield live
    assert live.stop() == 0, live.log_file.read_text()[-4000:]
