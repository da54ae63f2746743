"""An API with everything on and a database of its own, which may be turned upside down."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
import requests

from embedded.broker import EmbeddedBroker
from embedded.postgres import EmbeddedPostgres
from quality.access import SCOPES
from tests.conftest import LiveApi, start_api

ADMIN = "a-token-for-all-that-there-is"
DATABASE = "stringx_fuzz"


@pytest.fixture(scope="session")
def fuzzed(
    postgres: EmbeddedPostgres,
    target_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveApi]:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"create database {DATABASE} owner stringx")
    with EmbeddedBroker(0) as broker:
        environment = {
            **target_environment,
            "STRINGX_DATABASE_URL": postgres.url(DATABASE),
            "STRINGX_API_TOKEN": ADMIN,
            "STRINGX_CUSTOM_SQL": "true",
            "STRINGX_RATE_PER_MINUTE": "0",
            "STRINGX_PIPELINES_RATE_PER_MINUTE": "0",
            "STRINGX_FAILED_LOGINS_PER_MINUTE": "0",
            "STRINGX_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        }
        live = start_api(environment, tmp_path_factory.mktemp("fuzzed"))
        headers = {"Authorization": f"Bearer {ADMIN}"}
        for path, body in (("connections/demo", {}), ("tables", {"table": "shop.orders"})):
            answer = requests.put(live.api(f"/{path}"), json=body, headers=headers, timeout=30)
            answer.raise_for_status()
        yield live
        assert live.stop() == 0
        assert "Traceback" not in live.log_file.read_text()


@pytest.fixture(scope="session")
def token(fuzzed: LiveApi) -> Callable[..., str]:
    """Makes tokens: `token("read")`, `token(tables=["shop.*"])` with all scopes that may."""

    def make(*scopes: str, tables: list[str] | None = None) -> str:
        narrow = [scope for scope in SCOPES if scope not in ("admin", "results")]
        body = {"name": "fuzz", "scopes": scopes or narrow, "tables": tables}
        headers = {"Authorization": f"Bearer {ADMIN}"}
        answer = requests.post(fuzzed.api("/tokens"), json=body, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    return make
