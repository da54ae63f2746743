"""Task files of one's own, run by the command line in this process, and a server that listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main

Tasks = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def tasks(self) -> list[dict[str, Any]]:
        return self.record["tasks"]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a folder of its own as the current one, and no settings of the machine."""
    for name in ("STRINGX_API_URL", "STRINGX_API_TOKEN", "STRINGX_TASKS_DIR", "TODAY", "CWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STRINGX_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STRINGX_TASK_RETRY_WAIT_S", "0.01")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tasks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Tasks:
    """`tasks(text)` writes a task file and runs it; the record is its output."""

    def run(text: str, *more: str, command: str = "run", file: str = "tasks.conf") -> Ended:
        Path(tmp_path, file).write_text(text)
        words = ["tasks", command, file, *more]
        capsys.readouterr()
        code = main([*words, "--output", "json"] if command == "run" else words)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ended(code, out, err)

    return run


@dataclass
class Listener:
    """Takes POSTs on a port of this machine, and answers what it is told to."""

    port: int = 0
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook?key=very-secret-path"


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener on a free port of this machine."""
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.got.append((self.path, dict(self.headers), body))
            status, headers = found.answers.pop(0) if found.answers else (200, {})
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A listener whose host is allowed, as one of the own network."""
    with listening() as found:
        monkeypatch.setenv("STRINGX_WEBHOOK_PRIVATE_HOSTS", found.host)
        monkeypatch.setenv("STRINGX_WEBHOOK_SECRET", "a-secret-of-sixteen-and-more")
        yield found


def runs(process: int) -> bool:
    """Whether there is a process of that id that has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def read_number(file: Path) -> int:
    """The number that a script writes into a file once it runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text().strip()):
            return int(text)
        time.sleep(0.05)
    pytest.fail(f"{file} was never written")
