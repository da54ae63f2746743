"""An HTTP proxy between a worker and the API that can be told to fail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3
from urllib3.exceptions import HTTPError

PROBLEM = (
    b'{"type":"about:blank","title":"x","status":500,"detail":"told to fail","code":"internal"}'
)


class Fault(Enum):
    """What the caller gets instead of the answer."""

    ERROR = auto()
    """Status 500."""
    DROP = auto()
    """The connection is closed without a word."""


Decide = Callable[[str], Fault | None]


class FaultyProxy:
    """Forwards to `target`; `before` and `after` are asked for a fault with the path of each
    request, before it is forwarded and when the API has answered it. `calls` counts
    requests, `statuses` the API's answers."""

    def __init__(self, target: str) -> None:
        self.before: Decide = lambda path: None
        self.after: Decide = lambda path: None
        self.calls = 0
        self.statuses: Counter[int] = Counter()
        pool = urllib3.PoolManager(retries=False, maxsize=16)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                proxy.calls += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.before(self.path)
                if fault is None:
                    headers = dict(self.headers.items())
                    try:
                        answer = pool.request(
                            self.command, target + self.path, body=body or None, headers=headers
                        )
                    except (HTTPError, OSError):
                        fault = Fault.DROP
                    else:
                        proxy.statuses[answer.status] += 1
                        fault = proxy.after(self.path)
                if fault is Fault.DROP:
                    self.close_connection = True
                elif fault is Fault.ERROR:
                    self._answer(500, "application/problem+json", PROBLEM)
                else:
                    kind = answer.headers.get("Content-Type", "application/json")
                    retry = answer.headers.get("Retry-After")
                    self._answer(answer.status, kind, answer.data, retry)

            do_GET = do_POST

            def _answer(
                self, status: int, kind: str, body: bytes, retry: str | None = None
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if retry is not None:
                    self.send_header("Retry-After", retry)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the suite prints what it counted."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A worker that was killed is nothing to report."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def heal(self) -> None:
        """Forward everything from now on."""
        self.before = self.after = lambda path: None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
