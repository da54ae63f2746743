"""The Watcher framework's own client from the package registry: base URL and token are changed,
and nothing else (W1 to W19)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import requests

from tests.conftest import PROJECT, LiveApi, clean_environment, require, start_api

CLIENT = "etl-watcher-sdk==0.1.43"
TOKEN = "correct-horse-battery-staple"
INSTALL_SECONDS = 120
PROGRAM = Path(__file__).with_name("watcher_program.py")


@pytest.fixture(scope="module")
def client() -> Path:
    """A folder with the client, installed once into the cache folder of the tests.

    It asks for Python 3.12, and runs on 3.11; pip's requirements files cannot say so.
    """
    cache = Path(os.environ.get("STRINGX_TEST_CACHE") or Path.home() / ".cache" / "stringx")
    folder = cache / CLIENT.replace("==", "-")
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as partial:
            options = ("--no-deps", "--ignore-requires-python", "--disable-pip-version-check")
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", *options, "--target", partial, CLIENT],
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
            reason = done.stderr.strip().splitlines()[-1:]
            require("watcher", None if done.returncode == 0 else f"pip install: {reason}")
            made = Path(partial)
            made.rename(folder)
            made.mkdir()
    return folder


@pytest.fixture(scope="module")
def guarded(live_api: LiveApi, tmp_path_factory: pytest.TempPathFactory) -> LiveApi:
    """An API that wants tokens."""
    environment = {**live_api.environment, "STRINGX_API_TOKEN": TOKEN}
    del environment["STRINGX_API_PORT"]
    live = start_api(environment, tmp_path_factory.mktemp("guarded"))
    yield live
    live.stop()


def test_its_programs_work_unchanged(client: Path, guarded: LiveApi) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        body = {"name": "watcher", "holder": "etl", "scopes": ["pipelines"]}
        made = session.post(guarded.api("/tokens"), json=body, timeout=30)
        assert made.status_code == 201, made.text
        environment = clean_environment() | {"PYTHONPATH": str(client)}
        token, name = made.json()["token"], f"client {os.getpid()}"
        done = subprocess.run(
            [sys.executable, str(PROGRAM), guarded.url, token, name.upper()],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)

        def get(path: str) -> dict[str, object]:
            answer = session.get(f"{guarded.url}{path}", timeout=30)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        pipeline = get(f"/pipeline/{seen['id']}")
        parent = get(f"/pipeline_execution/{seen['parent']}")
        by_hand = get(f"/pipeline_execution/{seen['by_hand']}")
        orchestrated = get(f"/pipeline_execution/{seen['orchestrated']}")
    assert (seen["first_watermark"], seen["second_watermark"]) == ("2024-01-01", "2024-02-01")
    assert (seen["raised"], seen["unknown"]) == ("the source is away", 404)
    assert (pipeline["name"], pipeline["pipeline_type_name"]) == (name, "extraction")
    assert pipeline["pipeline_metadata"] == {"Team": "Ops", "b": [1, 2]}
    assert pipeline["load_lineage"] is False
    assert parent["execution_metadata"] == {"Partition": "2025-01-01"}
    children = [child["id"] for child in parent["child_executions"]]
    assert children == [seen["child"], seen["by_hand"]]
    assert (by_hand["duration_seconds"], by_hand["completed_successfully"]) == (300, True)
    assert by_hand["throughput"] == pytest.approx(33.33, abs=0.1)
    assert orchestrated["execution_metadata"]["orchestrator"] == "airflow"
