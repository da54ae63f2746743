"""granian as the API needs it: HTTP is read and written in Rust, and Python only answers."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from quality.logs import get_logger
from quality.settings import ApiSettings

log = get_logger(__name__)

STOP_LIMIT_S = 25
_WATCH_S = 1.0
_YOUNG = 10_000
"""After so many new objects garbage is looked for. Python's own 700 are a few requests, or a
hundredth of a large answer, of which looking took a sixth of the time."""


class Server:
    """One process that answers, with a pool of threads, so that counters stay in one place.

    It runs under another one, which starts it again when it dies, and replaces it at SIGHUP.
    """

    def __init__(
        self, settings: ApiSettings, opened: Callable[[], tuple[Flask, Callable[[], None]]]
    ) -> None:
        """`opened` makes the application and what closes it, in the process that answers: threads
        and the dbt process must belong to that one."""
        self._settings = settings
        self._opened = opened

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; what is being answered then is answered to the end."""
        Granian(
            "api",
            address=self._settings.api_host,
            port=self._settings.api_port,
            interface=Interfaces.WSGI,
            workers=1,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_LIMIT_S,
            blocking_threads=self._settings.api_threads,
            backpressure=self._settings.api_connections,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(self._settings.api_read_timeout_s * 1000)
            ),
            websockets=False,
            log_level=LogLevels.error,
        ).serve(spawn_target=self._work, target_loader=lambda: None, wrap_loader=False)

    def _work(self, worker: int, name: str | None, _: Any, *arguments: Any) -> None:
        """What the process that answers does."""
        _end_with_the_one_above()
        app, close = self._opened()
        gc.collect()
        gc.freeze()  # what is there for good is not looked through again and again: 0.1 s each time
        gc.set_threshold(_YOUNG)
        log.info("api_serves", host=self._settings.api_host, port=self._settings.api_port)
        try:
            Granian._spawn_wsgi_worker(worker, name, lambda: app, *arguments)
        finally:
            close()


def replace_process() -> None:
    """Have another process answer in the place of this one, which finishes what it can."""
    if _has_one_above():
        os.kill(os.getppid(), signal.SIGHUP)


def _end_with_the_one_above() -> None:
    """End when the process above died without a word: it would hold the port for ever."""

    def watch() -> None:
        while _has_one_above():
            threading.Event().wait(_WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _has_one_above() -> bool:
    """Whether the parent is who started this: orphans are given to a process that is not ours."""
    above = multiprocessing.parent_process()
    return above is not None and above.pid == os.getppid()
