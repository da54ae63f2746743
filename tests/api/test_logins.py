"""Failed logins are limited by address, and tell nothing about tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from api.failed_logins import FailedLogins
from api.metrics import Metrics
from api.problems import RateLimited
from quality.access import Token
from tests.api.conftest import TOKEN
from tests.api.test_access import ask, create
from tests.conftest import LiveApi, start_api

LIMIT = 3
Start = Callable[..., LiveApi]


@pytest.fixture
def start(live_api: LiveApi, tmp_path: Path) -> Iterator[Start]:
    """Starts an API that wants tokens and takes three wrong ones a minute."""
    started: list[LiveApi] = []

    def run(**settings: str) -> LiveApi:
        environment = {
            **live_api.environment,
            "STRINGX_API_TOKEN": TOKEN,
            "STRINGX_FAILED_LOGINS_PER_MINUTE": str(LIMIT),
            **settings,
        }
        del environment["STRINGX_API_PORT"]
        started.append(start_api(environment, tmp_path / str(len(started))))
        return started[-1]

    yield run
    for live in started:
        assert live.stop() == 0


def read(live: LiveApi, token: str | None, forwarded: str | None = None) -> Any:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return ask(live, token, "GET", "/api/v1/tables", headers=headers)


def counted(live: LiveApi, answer: str) -> float:
    text = ask(live, TOKEN, "GET", "/metrics").text
    found = re.search(rf'^stringx_failed_logins_total{{answer="{answer}"}} (\S+)$', text, re.M)
    assert found
    return float(found[1])


def test_who_tries_too_many_is_told_to_wait_whatever_he_sends_next(start: Start) -> None:
    live = start()
    known, new = (create(live, "read")["token"] for _ in range(2))
    assert read(live, known).ok
    for _ in range(LIMIT * 2):
        assert read(live, None).status_code == 401  # nothing was tried
    for number in range(LIMIT):
        # Another address that the caller makes up is no other address.
        assert read(live, Token.new().text, f"203.0.113.{number}").status_code == 401
    texts = set()
    for token in (Token.new().text, new, "no-token-of-ours", TOKEN + "x"):
        refused = read(live, token)
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.json()["code"] == "rate_limited"
        assert "STRINGX_FAILED_LOGINS_PER_MINUTE" in refused.json()["detail"]
        assert token not in live.log_file.read_text()
        texts.add(refused.text)
    assert len(texts) == 1  # a good one and a bad one are told the same
    # Those that were good before go on: the address may be that of a proxy for many.
    assert read(live, known).ok
    assert read(live, TOKEN).ok
    assert requests.get(f"{live.url}/health/ready", timeout=10).ok
    assert (counted(live, "refused"), counted(live, "limited")) == (LIMIT, 4)


def test_a_revoked_token_is_a_failure_though_it_was_good_before(start: Start) -> None:
    live = start(STRINGX_TOKEN_CACHE_S="0.001")
    made = create(live, "read")
    assert read(live, made["token"]).ok
    assert ask(live, TOKEN, "DELETE", f"/api/v1/tokens/{made['id']}").ok
    answers = [read(live, made["token"]).status_code for _ in range(LIMIT + 1)]
    assert answers == [401] * LIMIT + [429]


def test_behind_a_proxy_of_ours_what_it_says_counts(start: Start) -> None:
    live = start(STRINGX_PROXIES="1")
    for number in range(LIMIT):
        made_up = f"198.51.100.{number}, 203.0.113.1"
        assert read(live, Token.new().text, made_up).status_code == 401
    new = create(live, "read")["token"]
    assert read(live, new, "203.0.113.1").status_code == 429
    assert read(live, new, "203.0.113.1, 203.0.113.2").ok
    body = {"name": "proxied", "scopes": ["read"]}
    headers = {"X-Forwarded-For": "203.0.113.2", "X-Request-Id": "through-a-proxy"}
    assert ask(live, TOKEN, "POST", "/api/v1/tokens", json=body, headers=headers).ok
    query = {"request_id": "through-a-proxy"}
    [event, *_] = ask(live, TOKEN, "GET", "/api/v1/audit", params=query).json()["items"]
    assert event["remote_address"] == "203.0.113.2"


def test_in_ipv6_the_network_counts_and_zero_is_no_limit() -> None:
    logins = FailedLogins(1, Metrics())
    logins.failed("2001:db8::1", "wrong")
    for address in ("2001:db8::1", "2001:db8::ffff:1"):
        with pytest.raises(RateLimited):
            logins.admit(address, "another")
    logins.admit("2001:db8:0:1::1", "another")
    logins.failed("::ffff:192.0.2.1", "wrong")
    with pytest.raises(RateLimited):
        logins.admit("192.0.2.1", "another")
    limitless = FailedLogins(0, Metrics())
    for _ in range(100):
        limitless.failed("192.0.2.1", "wrong")
        limitless.admit("192.0.2.1", "wrong")
