"""The consumer's HTTP side: health, metrics and the documentation portal."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import unquote

from quality.errors import ConfigurationError

MAX_CONNECTIONS = 32
IDLE_S = 10.0

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
_JSON = "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
# dbt's page is one file that brings its scripts and styles along and builds code at run time.
_PORTAL_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PLAIN_POLICY = "default-src 'none'; frame-ancestors 'none'"
_BEING_MADE = b"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="refresh" content="5"><title>StringX documentation</title></head>
<body><h1>The documentation is being made</h1>
<p>dbt writes it from the configured tables and rules. This page looks again every 5 seconds.</p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Content:
    """What one request is answered with."""

    status: HTTPStatus
    type: str
    body: bytes
    policy: str = _PLAIN_POLICY


@dataclass(frozen=True, slots=True)
class Site:
    """What there is to see. `portal` is the folder of the documentation, once it is made."""

    is_live: Callable[[], bool]
    readiness: Callable[[], tuple[bool, dict[str, Any]]]
    metrics: Callable[[], bytes]
    portal: Callable[[], Path | None]

    def answer(self, target: str) -> Content:
        """The content of a request target (path and query)."""
        path = target.partition("?")[0]
        if path == "/health/live":
            return _health(self.is_live(), {"status": "live" if self.is_live() else "hangs"})
        if path == "/health/ready":
            return _health(*self.readiness())
        if path == "/metrics":
            return Content(HTTPStatus.OK, _METRICS, self.metrics())
        return self._portal_page(unquote(path))

    def _portal_page(self, path: str) -> Content:
        folder = self.portal()
        name = path.removeprefix("/") or "index.html"
        if folder is not None:
            # A name is one of the files that are there or nothing: no path leads out.
            files = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
            kind = _TYPES.get(Path(name).suffix)
            if name in files and kind is not None:
                with contextlib.suppress(FileNotFoundError):  # replaced in this moment
                    body = (folder / name).read_bytes()
                    return Content(HTTPStatus.OK, kind, body, _PORTAL_POLICY)
        if name == "index.html":
            return Content(HTTPStatus.SERVICE_UNAVAILABLE, _TYPES[".html"], _BEING_MADE)
        return _NOT_FOUND


_NOT_FOUND = Content(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"not found\n")


def _health(good: bool, document: dict[str, Any]) -> Content:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return Content(status, _JSON, json.dumps(document).encode() + b"\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    wbufsize = -1  # head and body in one packet
    site: Site

    def do_GET(self) -> None:
        self._send(self.site.answer(self.path), with_body=True)

    def do_HEAD(self) -> None:
        self._send(self.site.answer(self.path), with_body=False)

    def _refuse(self) -> None:
        self.close_connection = True  # its body is not read
        body = b"only GET and HEAD\n"
        kind = "text/plain; charset=utf-8"
        self._send(Content(HTTPStatus.METHOD_NOT_ALLOWED, kind, body), with_body=True)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _send(self, content: Content, *, with_body: bool) -> None:
        self.send_response(content.status)
        self.send_header("Content-Type", content.type)
        self.send_header("Content-Length", str(len(content.body)))
        self.send_header("Content-Security-Policy", content.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        if content.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if with_body:
            self.wfile.write(content.body)

    def version_string(self) -> str:
        return "stringx"

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes and probes are not worth a line each."""


class WebServer(ThreadingHTTPServer):
    """One thread a connection, no more than MAX_CONNECTIONS; stopped by `stop`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, site: Site) -> None:
        """Listens at once; raises ConfigurationError where the port cannot be had."""
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        handler = type("Handler", (_Handler,), {"site": site})
        try:
            super().__init__((host, port), handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error.strerror}): stop what holds the port, or "
                "set STRINGX_CONSUMER_HOST or STRINGX_CONSUMER_PORT"
            ) from None
        threading.Thread(target=self.serve_forever, args=(0.1,), name="web", daemon=True).start()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket | tuple[bytes, socket], client_address: Any
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
