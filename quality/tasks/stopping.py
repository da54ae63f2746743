"""Ending a run from outside, so that it ends what it started and says how far it came."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOOK_EACH_S = 1.0


@contextmanager
def obeying_sigterm() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C: a run ends its scripts, and is recorded.

    Only the main thread can; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _break_off)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent() -> None:
    """Break this process off when the one that started it has died, which would do the work again
    while this one is still at it."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EACH_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _break_off(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt
