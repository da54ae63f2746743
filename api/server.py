"""gunicorn as the API needs it."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker

from quality.logs import get_logger
from quality.settings import ApiSettings, load

log = get_logger(__name__)

wsgi.SERVER = "StringX"  # gunicorn has no setting for what it calls itself


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads that do not wait for ever for the rest of a request.

    gunicorn waits for the first byte with a limit, and for the others without one: a few clients
    that stop in the middle would hold every thread.
    """

    def init_process(self) -> None:
        seconds = load(ApiSettings).api_read_timeout_s
        self._limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        logging.getLogger("gunicorn.error").addFilter(_is_no_slow_client)
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        # The kernel's own limit (socket(7), SO_RCVTIMEO), because gunicorn resets Python's.
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, self._limit)
        super().enqueue_req(conn)


def _is_no_slow_client(record: logging.LogRecord) -> bool:
    """A client that was too slow is cut off, without a traceback in our log."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one process and a pool of threads, so that counters stay in one place."""

    def __init__(
        self, settings: ApiSettings, opened: Callable[[], tuple[Flask, Callable[[], None]]]
    ) -> None:
        self._settings = settings
        self._opened = opened
        self._close: Callable[[], None] = lambda: None
        super().__init__()

    def load_config(self) -> None:
        host = self._settings.api_host
        host = f"[{host}]" if ":" in host else host
        for name, value in {
            "bind": f"{host}:{self._settings.api_port}",
            "worker_class": "api.server.Worker",
            "workers": 1,
            "threads": self._settings.api_threads,
            "timeout": 0,
            "graceful_timeout": 25,
            "keepalive": 15,
            "limit_request_line": 8190,
            "control_socket_disable": True,
            "worker_exit": lambda server, worker: self._close(),
            "logger_class": "gunicorn.glogging.Logger",
            "loglevel": "warning",
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        # In the worker, after the fork: threads and the dbt process must belong to it.
        app, self._close = self._opened()
        log.info("api_serves", host=self._settings.api_host, port=self._settings.api_port)
        return app
