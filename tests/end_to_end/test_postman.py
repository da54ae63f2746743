"""The Postman collection, run by newman against the running service as a user would run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import PROJECT, require, require_program
from tests.end_to_end.conftest import Service

NEWMAN = "6.2.2"
INSTALL_SECONDS = 240
RUN_SECONDS = 200
COLLECTION = PROJECT / "deploy" / "postman" / "stringx.postman_collection.json"
ENVIRONMENT = PROJECT / "deploy" / "postman" / "stringx.postman_environment.json"
# What consumers call among themselves and the API; no person does.
FOR_WORKERS = {
    ("POST", "/api/v1/claims"),
    ("POST", "/api/v1/claims/release"),
    ("POST", "/api/v1/claims/renew"),
    ("POST", "/api/v1/outcomes"),
}


@pytest.fixture(scope="module")
def newman() -> Path:
    """The newman program, installed once into the cache folder of the tests."""
    cache = Path(os.environ.get("STRINGX_TEST_CACHE") or Path.home() / ".cache" / "stringx")
    folder = cache / f"newman-{NEWMAN}"
    program = folder / "node_modules" / ".bin" / "newman"
    if not program.exists():
        npm = require_program("npm")
        cache.mkdir(parents=True, exist_ok=True)
        # Aside and then renamed: an installation that is cut short leaves nothing half made.
        with tempfile.TemporaryDirectory(dir=cache) as partial:
            done = subprocess.run(
                [
                    *(npm, "install", "--no-audit", "--no-fund", "--prefix", f"{partial}/newman"),
                    f"newman@{NEWMAN}",
                ],
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
            reason = done.stderr.strip().splitlines()
            require("newman", None if done.returncode == 0 else f"npm install: {reason[-1:]}")
            shutil.rmtree(folder, ignore_errors=True)
            Path(partial, "newman").rename(folder)
    return program


def run(newman: Path, service: Service, report: Path, **variables: str) -> dict[str, Any]:
    """Run the collection with the shipped environment; newman's own report, with `exit_code`."""
    settings = {"base_url": service.api, **variables}
    done = subprocess.run(
        [
            *(str(newman), "run", str(COLLECTION), "--environment", str(ENVIRONMENT)),
            *("--reporters", "json", "--reporter-json-export", str(report)),
            *(f"--env-var={name}={value}" for name, value in settings.items()),
        ],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())["run"]
    return {**found, "exit_code": done.returncode}


def failures(found: dict[str, Any]) -> list[str]:
    """What failed, as "request: assertion: message"."""
    return [
        f"{item.get('source', {}).get('name')}: {item['error'].get('test')}: "
        f"{item['error'].get('message')}"
        for item in found["failures"]
    ]


def requests_in(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The requests of a collection with their tests, folders opened."""
    for item in items:
        if "item" in item:
            yield from requests_in(item["item"])
        else:
            yield item


def test_the_whole_collection_passes_and_leaves_nothing_behind(
    newman: Path, service: Service, tmp_path: Path
) -> None:
    for number in range(2):
        found = run(newman, service, tmp_path / f"{number}.json")
        assert failures(found) == []
        assert found["exit_code"] == 0
        assert found["stats"]["assertions"]["total"] >= 100
    names = requests.get(f"{service.api}/api/v1/connections", timeout=10).json()["items"]
    assert "postman" not in {item["name"] for item in names}


def test_it_notices_a_verdict_that_is_not_the_expected_one(
    newman: Path, service: Service, tmp_path: Path
) -> None:
    found = run(newman, service, tmp_path / "report.json", expected_status="fail")
    assert found["exit_code"] == 1
    assert {failure.split(":")[0] for failure in failures(found)} == {
        "Check now",
        "Wait for its verdict",
    }


def test_every_operation_is_in_the_collection_and_each_request_is_tested(service: Service) -> None:
    paths = requests.get(f"{service.api}/openapi.json", timeout=10).json()["paths"]
    operations = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/")
    }
    collection = json.loads(COLLECTION.read_text())
    asked = set()
    for item in requests_in(collection["item"]):
        path = "/" + "/".join(item["request"]["url"]["path"])
        tests = [event for event in item["event"] if event["listen"] == "test"]
        assert any("pm.test(" in line for line in tests[0]["script"]["exec"]), item["name"]
        asked.update(
            (method, template)
            for method, template in operations
            if method == item["request"]["method"] and fits(template, path)
        )
    assert operations - asked == FOR_WORKERS


def fits(template: str, path: str) -> bool:
    """Whether a path of the collection is one of an OpenAPI path template."""
    pattern = re.sub(r"\\{[^/]+\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None
