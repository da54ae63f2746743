"""StringX's own database away: said plainly, nothing crashes, and it comes back by itself (S10)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from embedded import ports
from embedded.postgres import EmbeddedPostgres
from tests.conftest import PROJECT, clean_environment, start_api


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of one's own, started once so that its port and passwords are known."""
    folder = Path(tempfile.mkdtemp(prefix="stringx-test-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "data")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def test_database_that_goes_and_comes_back(server: EmbeddedPostgres, tmp_path: Path) -> None:
    live = start_api({"STRINGX_DATABASE_URL": server.url()}, tmp_path)
    assert requests.get(live.api("/tables"), timeout=10).ok
    server.stop()
    answer = requests.get(live.api("/tables"), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "Retry-After" in answer.headers
    assert requests.get(f"{live.url}/health/live", timeout=10).ok
    assert requests.get(f"{live.url}/health/ready", timeout=10).status_code == 503
    metrics = requests.get(f"{live.url}/metrics", timeout=10)
    assert (metrics.status_code, "stringx_store_up 0.0" in metrics.text) == (200, True)
    server.start()
    eventually(lambda: requests.get(live.api("/tables"), timeout=10).ok)
    assert live.stop() == 0


def test_database_that_is_not_there_yet_is_waited_for(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    server.stop()
    port = ports.choose_free()
    log_file = tmp_path / "api.log"
    environment = {
        **clean_environment(),
        "STRINGX_DATABASE_URL": server.url(),
        "STRINGX_API_PORT": str(port),
        "STRINGX_DATA_DIR": str(tmp_path),
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=PROJECT, env=environment, stderr=log
        )
    try:
        eventually(lambda: "database_not_ready" in log_file.read_text())
        assert process.poll() is None
        server.start()

        def is_ready() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).ok
            except requests.ConnectionError:
                return False

        eventually(is_ready)
        assert server.password("stringx") not in log_file.read_text()
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_wrong_password_is_said_at_once(server: EmbeddedPostgres) -> None:
    url = server.url().replace(server.password("stringx"), "not-the-password")
    ended = subprocess.run(
        [sys.executable, "-m", "api", "migrate"],
        cwd=PROJECT,
        env={**clean_environment(), "STRINGX_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 78
    assert "STRINGX_DATABASE_URL" in ended.stderr.splitlines()[-1]
    assert "not-the-password" not in ended.stderr
