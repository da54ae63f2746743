"""A client of the running API and a monitored table of one's own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from embedded.broker import EmbeddedBroker
from tests.api.stores import Store
from tests.conftest import LiveApi, start_api

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="session")
def http(live_api: LiveApi) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.put(live_api.api("/connections/demo"), json={}).raise_for_status()
        yield session


@pytest.fixture
def call(live_api: LiveApi, http: requests.Session) -> Callable[..., requests.Response]:
    """`call("GET", "/tables", params=…)` below /api/v1."""

    def send(method: str, path: str, **options: Any) -> requests.Response:
        return http.request(method, live_api.api(path), timeout=60, **options)

    return send


@pytest.fixture
def table(call: Callable[..., requests.Response]) -> Iterator[Callable[..., int]]:
    """Registers a table with rules; answers its id. All are deleted afterwards."""
    ids: list[int] = []

    def register(name: str, *rules: dict[str, Any]) -> int:
        answer = call("PUT", "/tables", json={"table": name})
        assert answer.status_code in (200, 201), answer.text
        ids.append(answer.json()["id"])
        if rules:
            answer = call("PUT", f"/tables/{ids[-1]}/rules", json={"rules": list(rules)})
            assert answer.status_code == 200, answer.text
        return ids[-1]

    yield register
    for table_id in ids:
        call("DELETE", f"/tables/{table_id}")


@pytest.fixture(scope="session")
def guarded(live_api: LiveApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """A second API on the same database, with a broker, and one that wants a token."""
    with EmbeddedBroker(0) as broker:
        environment = {
            **live_api.environment,
            "STRINGX_API_TOKEN": TOKEN,
            "STRINGX_FAILED_LOGINS_PER_MINUTE": "0",  # many tests try what must fail
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        }
        del environment["STRINGX_API_PORT"]
        live = start_api(environment, tmp_path_factory.mktemp("guarded"))
        yield live
        assert live.stop() == 0


@pytest.fixture
def store(new_database: Callable[[], str]) -> Iterator[Store]:
    store = Store(new_database())
    yield store
    store.database.dispose()
