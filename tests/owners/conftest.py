"""The command line against a server that speaks GitLab's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cli.__main__ import main
from tests.cli.conftest import Ended
from tests.owners.platform_server import TOKEN, PlatformServer, populated, serve

Owners = Callable[..., Ended]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformServer]:
    found = populated()
    server = serve(found)
    for name, value in {
        "URL": found.url,
        "TOKEN": TOKEN,
        "PAGE_SIZE": "20",
        "TIMEOUT_S": "5",
        "RETRIES": "2",
    }.items():
        monkeypatch.setenv(f"STRINGX_GITLAB_{name}", value)
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def owners(platform: PlatformServer, capsys: pytest.CaptureFixture[str]) -> Owners:
    """`owners("scan", "--group", "data")`; the token is never in what is printed."""

    def run(*words: str) -> Ended:
        capsys.readouterr()
        code = main(["owners", *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert TOKEN not in out + err
        return Ended(code, out, err)

    return run
