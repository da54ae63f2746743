"""A caller of the framework's paths on the running API, and pipelines of one's own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests

from embedded.postgres import EmbeddedPostgres
from tests.conftest import LiveApi

_numbers = itertools.count(1)

Call = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def session(live_api: LiveApi) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.put(live_api.api("/connections/demo"), json={}).raise_for_status()
        yield session


@pytest.fixture
def call(live_api: LiveApi, session: requests.Session) -> Call:
    """`call("POST", "/pipeline", json=…)`, from the root."""

    def send(method: str, path: str, **options: Any) -> requests.Response:
        return session.request(method, f"{live_api.url}{path}", timeout=60, **options)

    return send


@pytest.fixture
def name() -> str:
    """A name that no other pipeline has."""
    return f"pipeline {os.getpid()}-{next(_numbers)}"


@pytest.fixture
def report(call: Call, name: str) -> Callable[..., requests.Response]:
    """Reports the test's own pipeline."""

    def send(**fields: Any) -> requests.Response:
        document = {"name": name, "pipeline_type_name": "extraction", **fields}
        return call("POST", "/pipeline", json=document)

    return send


@pytest.fixture
def pipeline_id(report: Callable[..., requests.Response]) -> int:
    return int(report().json()["id"])


@pytest.fixture
def start(call: Call, pipeline_id: int) -> Callable[..., int]:
    """Starts an execution of the test's pipeline; its id."""

    def send(**fields: Any) -> int:
        fields = {"pipeline_id": pipeline_id, **fields}
        answer = call("POST", "/start_pipeline_execution", json=fields)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    return send


@pytest.fixture
def end(call: Call) -> Callable[..., requests.Response]:
    """Ends an execution, successfully if nothing else is said."""

    def send(execution_id: int, end_date: str, **fields: Any) -> requests.Response:
        document = {"id": execution_id, "end_date": end_date, "completed_successfully": True}
        return call("POST", "/end_pipeline_execution", json={**document, **fields})

    return send


@pytest.fixture
def sql(postgres: EmbeddedPostgres) -> Iterator[Callable[..., list[Any]]]:
    """Runs SQL on the service's own database, as a program beside it would."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:

        def run(statement: str, **values: Any) -> list[Any]:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

        yield run
