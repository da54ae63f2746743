"""Waiting for a verdict, and showing meanwhile where the check stands."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from cli.service import Service
from quality.errors import NotFound, StringXError, Unavailable

ASK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Waiting:
    """Asks for one check until it is finished, at most `seconds` long."""

    service: Service
    check_id: str
    seconds: float

    def is_known(self) -> bool:
        """Whether the API has the check; False where it cannot be asked either."""
        try:
            self.service.client.get(f"/checks/{self.check_id}")
        except StringXError:
            return False
        return True

    def finished(
        self,
        seen: Callable[[str, float], None] = lambda state, seconds: None,
        broken: Callable[[], StringXError | None] = lambda: None,
    ) -> dict[str, Any]:
        """The finished check. `seen` is told each state, `broken` may say why to give up.

        Raises Unavailable when there is no verdict in time.
        """
        began = time.monotonic()
        state = "not received yet (if it stays so: is the table configured, does a consumer run?)"
        while (passed := time.monotonic() - began) < self.seconds:
            try:
                check: dict[str, Any] = self.service.client.get(f"/checks/{self.check_id}")
                state = str(check["state"])
                if state == "finished":
                    return check
                seen(state, passed)
            except NotFound:
                seen("asked", passed)
            except Unavailable as error:
                state = str(error)
                seen("the API is away", passed)
            if (error_ := broken()) is not None:
                raise error_
            time.sleep(ASK_EVERY_S)
        raise Unavailable(
            f"no verdict on check {self.check_id} within {self.seconds:g} s: {state}",
            code="no_verdict",
        )


class Progress:
    """Where a check stands: one line that is written anew on a terminal, else one a state."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._stream = sys.stderr
        self._last = ""

    def show(self, state: str, seconds: float) -> None:
        """Tell a state; the same again only where a line can be written anew."""
        if self._stream.isatty():
            click.echo(f"\r{self._table}: {state} {seconds:.1f} s\x1b[K", nl=False, err=True)
        elif state != self._last:
            click.echo(f"{self._table}: {state}", err=True)
        self._last = state

    def close(self) -> None:
        """Leave an empty line behind on a terminal."""
        if self._stream.isatty() and self._last:
            click.echo("\r\x1b[K", nl=False, err=True)


def run_and_watch(waiting: Waiting, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for the check and show how it goes until it is finished."""
    client = waiting.service.patient(waiting.seconds)  # this thread's own
    failed: list[StringXError] = []

    def ask() -> None:
        try:
            client.post("/checks", body)
        except StringXError as error:
            failed.append(error)

    progress = Progress(body["table"])
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        return waiting.finished(
            progress.show, lambda: failed[0] if failed and not waiting.is_known() else None
        )
    finally:
        progress.close()
