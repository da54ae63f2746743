"""The client of our own API, against a running one that wants a token."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quality.client import ApiClient, Unauthorized
from quality.errors import ConfigurationError
from quality.settings import ClientSettings
from tests.conftest import start_api

TOKEN = "the-token-of-this-test-0123456789"


def test_a_token_in_a_file_is_read_again_when_it_is_refused(
    new_database: Callable[[], str], target_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = {
        **target_environment,
        "STRINGX_DATABASE_URL": new_database(),
        "STRINGX_API_TOKEN": TOKEN,
    }
    token_file = tmp_path / "token"
    token_file.write_text("another-token-0123456789012345")
    api = start_api(environment, tmp_path / "api")
    try:
        client = ApiClient(ClientSettings(api_url=api.url, api_token_file=token_file))
        with pytest.raises(Unauthorized):
            client.get("/connections")
        token_file.write_text(f"{TOKEN}\n")
        assert client.get("/connections")["items"] == []
        token_file.unlink()  # what is known goes on working
        assert client.get("/connections")["items"] == []
    finally:
        api.stop()


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(ConfigurationError, match=f"STRINGX_API_TOKEN_FILE: {missing}"):
        ApiClient(ClientSettings(api_token_file=missing))


@pytest.mark.parametrize("url", ["http://localhost:99999", "http://[::1"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"STRINGX_API_URL: {url}")):
        ApiClient(ClientSettings(api_url=url))
