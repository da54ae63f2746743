"""Many connections that ask one thing after the other, in one thread, with little of their own."""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from embedded.ports import LOOPBACK

LIMIT_S = 600.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """A POST of a JSON document."""

    path: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Served:
    """What came back, and when it was asked and answered (`time.perf_counter`)."""

    request: Request
    status: int
    body: bytes
    began: float
    ended: float


@dataclass
class _Connection:
    socket: socket.socket
    request: Request | None = None
    began: float = 0.0
    received: bytearray = field(default_factory=bytearray)


def serve(
    port: int,
    token: str,
    requests: list[Request],
    connections: int,
    following: Callable[[Served], Request | None],
) -> list[Served]:
    """Ask all of it; after an answer a connection asks what `following` says, or the next one."""
    waiting, served = deque(requests), []
    head = (
        f"Host: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    )

    def ask(connection: _Connection, request: Request) -> None:
        body = json.dumps(request.document)
        message = f"POST {request.path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
        connection.request, connection.began = request, time.perf_counter()
        connection.received.clear()
        connection.socket.sendall(message.encode())

    deadline = time.monotonic() + LIMIT_S
    with selectors.DefaultSelector() as selector:
        open_ones = []
        for _ in range(min(connections, len(waiting))):
            made = socket.create_connection((LOOPBACK, port), timeout=30)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(made)
            open_ones.append(connection)
            selector.register(made, selectors.EVENT_READ, connection)
            ask(connection, waiting.popleft())
        busy = len(open_ones)
        while busy and time.monotonic() < deadline:
            for key, _ in selector.select(timeout=1):
                connection = key.data
                data = connection.socket.recv(65_536)
                if not data:
                    raise ConnectionError("the API closed a connection")
                connection.received += data
                answer = _answer(connection)
                if answer is None:
                    continue
                served.append(answer)
                following_one = following(answer) if answer.status < 300 else None
                if following_one is None and waiting:
                    following_one = waiting.popleft()
                if following_one is None:
                    busy -= 1
                else:
                    ask(connection, following_one)
        for connection in open_ones:
            connection.socket.close()
    return served


def _answer(connection: _Connection) -> Served | None:
    """The whole answer, once it is there."""
    received = connection.received
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    found = _LENGTH.search(received, 0, end + 2)
    body = end + 4
    if len(received) < body + (int(found[1]) if found else 0):
        return None
    assert connection.request is not None
    return Served(
        connection.request,
        int(received[9:12]),  # HTTP/1.1 200 …
        bytes(received[body:]),
        connection.began,
        time.perf_counter(),
    )
