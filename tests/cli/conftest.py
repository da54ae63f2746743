"""The command line against the running API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from cli.__main__ import main
from tests.conftest import LiveApi

Run = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(
    live_api: LiveApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`run("tables", "list")`: the command in this process, against the running API."""
    for name in ("STRINGX_API_TOKEN", "STRINGX_AUTHOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STRINGX_API_URL", live_api.url)

    def ran(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ended(code, out, err)

    return ran


@pytest.fixture(autouse=True)
def no_tables(live_api: LiveApi) -> Iterator[None]:
    """Each test begins with a connection and no table."""
    base = live_api.api("")
    requests.put(f"{base}/connections/demo", json={}, timeout=60).raise_for_status()
    yield
    for table in requests.get(f"{base}/tables?limit=500", timeout=60).json()["items"]:
        requests.delete(f"{base}/tables/{table['id']}", timeout=60).raise_for_status()
