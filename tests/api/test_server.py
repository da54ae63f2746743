"""The process that serves HTTP: when it dies, is stuck or has to stop."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import LiveApi, start_api

THREADS = 4


@pytest.fixture(scope="module")
def start(
    live_api: LiveApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], LiveApi]]:
    """Starts another API with few threads and little patience."""
    started = []
    inherited = {
        name: value
        for name, value in live_api.environment.items()
        if name not in ("STRINGX_API_PORT", "STRINGX_DATA_DIR")
    }

    def make() -> LiveApi:
        settings = {"STRINGX_API_THREADS": str(THREADS), "STRINGX_API_READ_TIMEOUT_S": "0.5"}
        started.append(start_api({**inherited, **settings}, tmp_path_factory.mktemp("server")))
        return started[-1]

    yield make
    for live in started:
        live.process.kill()


def place(live: LiveApi) -> tuple[str, int]:
    return "127.0.0.1", int(live.url.rsplit(":", 1)[1])


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def eventually(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.1)
    return False


def is_alive(live: LiveApi) -> bool:
    try:
        return requests.get(f"{live.url}/health/live", timeout=5).ok
    except requests.RequestException:
        return False


def is_closed(live: LiveApi) -> bool:
    try:
        socket.create_connection(place(live), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_process_whose_threads_wait_for_bodies_is_replaced(start: Callable[[], LiveApi]) -> None:
    live = start()
    [answering] = children(live.process.pid)
    head = (
        b"POST /api/v1/checks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n"
    )
    stopped = [socket.create_connection(place(live), timeout=60) for _ in range(THREADS // 2)]
    for connection in stopped:
        connection.sendall(head + b'{"table"')

    def another_answers() -> bool:
        asked = requests.post(live.api("/checks"), json={"table": "no.such"}, timeout=30)
        return asked.status_code == 404 and children(live.process.pid) not in ([], [answering])

    assert eventually(another_answers)
    assert "bodies_do_not_arrive" in live.log_file.read_text()
    assert eventually(lambda: len(children(live.process.pid)) == 1), "the old one is ended"
    for connection in stopped:
        connection.close()
    assert live.stop() == 0


def test_it_is_started_again_when_it_dies(start: Callable[[], LiveApi]) -> None:
    live = start()
    [answering] = children(live.process.pid)
    os.kill(answering, signal.SIGKILL)
    assert eventually(lambda: children(live.process.pid) not in ([], [answering]))
    assert eventually(lambda: is_alive(live))
    assert live.stop() == 0


def test_it_leaves_the_port_when_the_process_above_is_killed(start: Callable[[], LiveApi]) -> None:
    live = start()
    live.process.kill()
    assert live.process.wait(10) == -signal.SIGKILL
    assert eventually(lambda: is_closed(live))


def test_what_is_being_answered_is_answered_to_the_end(start: Callable[[], LiveApi]) -> None:
    live = start()
    with socket.create_connection(place(live), timeout=60) as asking:
        asking.sendall(b"GET /api/v1/gate/no.such?wait=3 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for _ in range(20):  # by then it has come in
            assert is_alive(live)
        live.process.terminate()
        answer = b"".join(iter(lambda: asking.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"decision":"unknown"' in answer
    assert live.process.wait(30) == 0
