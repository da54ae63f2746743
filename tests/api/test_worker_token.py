"""The worker's own token: it is enough for the worker, and for nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.routes import GROUPS
from embedded import ports
from embedded.broker import EmbeddedBroker
from embedded.postgres import EmbeddedPostgres
from quality.access import grants
from tests.api.conftest import TOKEN
from tests.api.test_access import ask, is_refused_for_its_scope, path_of
from tests.conftest import PROJECT, LiveApi, clean_environment, empty_databases, start_api

WORKER = "a-token-for-the-worker-alone"
TOPIC = "worker-token.requests"


@pytest.fixture(scope="module")
def served(
    postgres: EmbeddedPostgres,
    target_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LiveApi, EmbeddedBroker]]:
    """An API on a database of its own: of all on one database, one alone sends to Kafka."""
    with empty_databases(postgres) as new_database, EmbeddedBroker(0) as broker:
        environment = {
            **target_environment,
            "STRINGX_DATABASE_URL": new_database(),
            "STRINGX_API_TOKEN": TOKEN,
            "STRINGX_WORKER_TOKEN": WORKER,
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STRINGX_KAFKA_REQUEST_TOPIC": TOPIC,
        }
        live = start_api(environment, tmp_path_factory.mktemp("served"))
        yield live, broker
        assert live.stop() == 0


def test_it_has_two_scopes_and_no_more(served: tuple[LiveApi, EmbeddedBroker]) -> None:
    live, _ = served
    me = ask(live, WORKER, "GET", "/api/v1/tokens/self").json()
    assert (me["name"], sorted(me["scopes"])) == ("worker", ["read", "results"])
    for group in GROUPS:
        for operation in group.found:
            answer = ask(live, WORKER, operation.method, path_of(operation))
            is_allowed = grants(["results", "read"], operation.scope)
            assert is_refused_for_its_scope(answer) != is_allowed, operation
    assert ask(live, WORKER + "x", "GET", "/api/v1/tables").status_code == 401


def test_a_worker_checks_with_it(served: tuple[LiveApi, EmbeddedBroker], tmp_path: Path) -> None:
    live, broker = served
    for path, body in (("connections/demo", {}), ("tables", {"table": "shop.clean"})):
        assert ask(live, TOKEN, "PUT", f"/api/v1/{path}", json=body).ok
    environment = {
        **clean_environment(),
        **{name: value for name, value in live.environment.items() if "TARGET" in name},
        "STRINGX_API_URL": live.url,
        "STRINGX_WORKER_TOKEN": WORKER,
        "STRINGX_CONSUMER_PORT": str(ports.choose_free()),
        "STRINGX_DATA_DIR": str(tmp_path / "data"),
        "STRINGX_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "STRINGX_KAFKA_REQUEST_TOPIC": TOPIC,
        "STRINGX_KAFKA_ASSIGNMENT": "manual",
    }
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "consumer"], cwd=PROJECT, env=environment, stderr=log
        )
    try:
        asked = {"table": "shop.clean", "mode": "async"}
        check = ask(live, TOKEN, "POST", "/api/v1/checks", json=asked).json()["id"]
        deadline = time.monotonic() + 120
        while True:
            found = ask(live, TOKEN, "GET", f"/api/v1/checks/{check}").json()
            if found["state"] == "finished":
                break
            assert worker.poll() is None, (tmp_path / "worker.log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
            time.sleep(0.2)
        assert found["status"] in ("pass", "no_rules")
        assert WORKER not in (tmp_path / "worker.log").read_text()
    finally:
        worker.terminate()
        worker.wait(40)


@pytest.mark.parametrize(
    ("worker", "said"),
    [("short", "STRINGX_WORKER_TOKEN has fewer"), (TOKEN, "STRINGX_WORKER_TOKEN is that of")],
)
def test_one_that_is_short_or_the_operators_is_refused(worker: str, said: str) -> None:
    environment = {
        **clean_environment(),
        "STRINGX_DATABASE_URL": "postgresql://h/d",
        "STRINGX_API_TOKEN": TOKEN,
        "STRINGX_WORKER_TOKEN": worker,
    }
    done = subprocess.run(
        [sys.executable, "-m", "api"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.startswith(f"stringx: {said}")
