"""How fast a token may ask, and what every answer says to browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from api.limits import Buckets
from tests.api.conftest import TOKEN
from tests.api.test_access import ask, create
from tests.conftest import LiveApi, start_api


@pytest.fixture(scope="module")
def slow(live_api: LiveApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """An API that lets a token ask five times at once, and then once a minute."""
    environment = {
        **live_api.environment,
        "STRINGX_API_TOKEN": TOKEN,
        "STRINGX_RATE_PER_MINUTE": "1",
        "STRINGX_RATE_BURST": "5",
        "STRINGX_PIPELINES_RATE_PER_MINUTE": "1",
        "STRINGX_PIPELINES_RATE_BURST": "7",
    }
    del environment["STRINGX_API_PORT"]
    live = start_api(environment, tmp_path_factory.mktemp("slow"))
    yield live
    assert live.stop() == 0


def test_a_token_that_asks_too_fast_is_told_when_to_come_back(slow: LiveApi) -> None:
    token, other = create(slow, "read")["token"], create(slow, "read")["token"]
    for left in range(4, -1, -1):
        answer = ask(slow, token, "GET", "/api/v1/tables")
        assert answer.ok
        assert answer.headers["RateLimit-Limit"] == "5"
        assert answer.headers["RateLimit-Remaining"] == str(left)
    refused = ask(slow, token, "GET", "/api/v1/tables")
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert "STRINGX_RATE_PER_MINUTE" in refused.json()["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert int(refused.headers["RateLimit-Reset"]) > 200
    assert ask(slow, other, "GET", "/api/v1/tables").ok


def test_what_programs_report_of_pipelines_has_a_rate_of_its_own(slow: LiveApi) -> None:
    token = create(slow, "pipelines", "read")["token"]
    body = {"name": "of a busy scheduler", "pipeline_type_name": "busy"}
    for left in range(6, -1, -1):
        answer = ask(slow, token, "POST", "/pipeline", json=body)
        assert answer.ok
        assert answer.headers["RateLimit-Limit"] == "7"
        assert answer.headers["RateLimit-Remaining"] == str(left)
    refused = ask(slow, token, "POST", "/pipeline", json=body)
    assert refused.status_code == 429
    assert "STRINGX_PIPELINES_RATE_PER_MINUTE" in refused.json()["detail"]
    read = ask(slow, token, "GET", "/api/v1/tables")
    assert (read.status_code, read.headers["RateLimit-Remaining"]) == (200, "4")


def test_workers_and_the_operator_have_no_rate(slow: LiveApi) -> None:
    worker = create(slow, "results", "read")["token"]
    for token in (worker, TOKEN):
        for _ in range(8):
            answer = ask(slow, token, "GET", "/api/v1/tables")
            assert answer.ok
            assert "RateLimit-Limit" not in answer.headers


def test_a_bucket_fills_steadily_and_never_above_its_brim() -> None:
    buckets = Buckets(per_minute=60, burst=2)
    assert [buckets.take("a", 100.0).is_granted for _ in range(3)] == [True, True, False]
    assert buckets.take("a", 100.5).retry_after_s == pytest.approx(0.5)
    assert buckets.take("a", 101.0).is_granted
    assert not buckets.take("a", 101.0).is_granted
    assert [buckets.take("a", 500.0).is_granted for _ in range(3)] == [True, True, False]
    assert buckets.take("b", 500.0).is_granted
    limitless = Buckets(per_minute=0, burst=1)
    assert all(limitless.take("a", 1.0).is_granted for _ in range(100))


@pytest.mark.parametrize(
    "path", ["/health/live", "/api/v1/tables", "/api/v1/nothing", "/docs/", "/openapi.json"]
)
def test_every_answer_has_the_security_headers(live_api: LiveApi, path: str) -> None:
    headers = requests.get(live_api.url + path, timeout=10).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"]
    assert headers["Server"] == "StringX"
    assert "Access-Control-Allow-Origin" not in headers


def test_a_request_id_is_kept_if_it_is_one(live_api: LiveApi) -> None:
    url = f"{live_api.url}/health/live"
    for given, is_kept in (("from-caller-1", True), ("short", False), ("a b c d e f", False)):
        answer = requests.get(url, headers={"X-Request-Id": given}, timeout=10)
        assert (answer.headers["X-Request-Id"] == given) is is_kept
