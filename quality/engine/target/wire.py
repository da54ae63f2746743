"""One connection to a target, at the level of libpq (psycopg.pq): SQL out, answers in, in time.

Several statements travel in one message and come back one by one, as PostgreSQL's simple query
protocol has it (manual, 54.2.2). Values stay text: nothing is converted that nobody looks at.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from quality.engine.target.repeats import Repeats

GRACE_S = 2.0
"""How long a request to cancel may take, and how much later than its server a client gives up."""

_SQLSTATE = pq.DiagnosticField.SQLSTATE
_PRIMARY = pq.DiagnosticField.MESSAGE_PRIMARY
_DETAILS = (
    (pq.DiagnosticField.MESSAGE_DETAIL, "DETAIL"),
    (pq.DiagnosticField.MESSAGE_HINT, "HINT"),
)
# PostgreSQL manual, appendix A: Error Codes.
_CAUSES = {
    "57014": "timeout",
    "55P03": "target_busy",
    "40P01": "target_busy",
    "42501": "permission_denied",
    "42P01": "table_missing",
    "3F000": "table_missing",
    "42703": "column_missing",
    "2201B": "regex_invalid",
}
_FINE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY)


class ConnectionLost(Exception):
    """The server or the way to it is gone, in the database's words."""


class Overdue(Exception):
    """Nothing came by the deadline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one statement gave: its rows, and their columns with types (OIDs); or an error."""

    columns: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    sqlstate: str | None = None
    message: str | None = None
    seconds: float = 0.0
    is_late: bool = False
    """It failed because the deadline of the check was over."""

    def lasting(self, seconds: float) -> Answer:
        """The same, having taken so long."""
        said = (self.columns, self.types, self.rows, self.sqlstate, self.message)
        return Answer(*said, seconds, self.is_late)

    @property
    def failed(self) -> bool:
        return self.sqlstate is not None

    @property
    def cause(self) -> str:
        """Why it failed, in one word of ours."""
        return _CAUSES.get(self.sqlstate or "", "database")

    @property
    def is_passing(self) -> bool:
        """Whether it failed for what may be over the next time (SQLSTATE classes: a transaction
        rolled back, insufficient resources, an operator, the system).
        """
        return self.stops_all or (self.sqlstate or "")[:2] in ("40", "53", "57", "58")

    @property
    def stops_all(self) -> bool:
        """Whether whatever reads the same rows would end in the same way."""
        return self.cause in ("timeout", "target_busy")


class Wire:
    """Wraps an open connection; used by one thread at a time, cancelled from any.

    `start` a message, then `advance` each time that `poll` says so, until it answers True; or
    `send`, which does all of it.
    """

    def __init__(self, connection: psycopg.Connection[Any], prepared: int = 0) -> None:
        """`prepared`: so many statements may be, on this connection."""
        self.repeats = Repeats(prepared)
        self._connection = connection
        self._pgconn = connection.pgconn
        self._pgconn.nonblocking = 1
        self._encoding = connection.info.encoding
        self._began = 0.0
        self._is_draining = False
        self._was_cancelled = False
        self.has_unsent = False
        self.answers: list[Answer] = []

    def send(self, statements: str, deadline: float) -> list[Answer]:
        """The answers in their order; after one that failed there are no more.

        Raises ConnectionLost or Overdue; the wire is of no more use then.
        """
        self.start(statements)
        while not self.advance():
            if not wait([self], deadline):
                raise overdue([self])
        return self.answers

    def post(self, statement: str) -> None:
        """Send what has no answer worth waiting for, as the last before others come."""
        self.start(statement)
        self._is_draining = True

    def start(self, statements: str) -> None:
        """Send a message without waiting; raises ConnectionLost."""
        self._drain()
        self.answers = []
        self._began = time.monotonic()
        message = statements.encode(self._encoding, "replace")
        try:
            self._pgconn.send_query(message)
            self.has_unsent = bool(self._pgconn.flush())
        except psycopg.Error as error:
            raise ConnectionLost(" ".join(str(error).split())) from None

    def advance(self) -> bool:
        """Take what has come; True when `answers` is complete. Raises ConnectionLost."""
        pgconn = self._pgconn
        try:
            self.has_unsent = bool(pgconn.flush())
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    return True
                now = time.monotonic()
                self.answers.append(self._answer(result, now - self._began))
                self._began = now
        except psycopg.Error as error:
            raise ConnectionLost(" ".join(str(error).split())) from None
        if pgconn.status == pq.ConnStatus.BAD:
            raise ConnectionLost("the connection was closed")
        return False

    def cancel(self) -> None:
        """Ask the server to end what runs, from any thread; it may come too late.

        Nobody else gets this connection afterwards, because it may even hit what runs then.
        """
        self._was_cancelled = True
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=GRACE_S)

    @property
    def descriptor(self) -> int:
        """The socket's number."""
        return self._pgconn.socket

    @property
    def is_idle(self) -> bool:
        """Open, and outside of any transaction, or about to be."""
        return self._is_draining or (self._pgconn.transaction_status == pq.TransactionStatus.IDLE)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def _drain(self) -> None:
        """Take the answer to what was posted."""
        if not self._is_draining:
            return
        self._is_draining = False
        until = time.monotonic() + GRACE_S
        while not self.advance():
            if not wait([self], until):
                self.close()
                raise ConnectionLost("the server did not end a transaction")
        if any(answer.failed for answer in self.answers):
            self.close()
            raise ConnectionLost(self.answers[-1].message or "")

    def _answer(self, result: Any, seconds: float) -> Answer:
        if result.status not in _FINE:
            return Answer(
                sqlstate=_text(result.error_field(_SQLSTATE)) or "XX000",
                message=_words(result),
                seconds=seconds,
            )
        encoding = self._encoding
        places = range(result.nfields)
        columns = tuple((result.fname(place) or b"").decode(encoding) for place in places)
        types = tuple(result.ftype(place) for place in places)
        rows = tuple(
            tuple(
                None if value is None else value.decode(encoding)
                for value in (result.get_value(row, place) for place in places)
            )
            for row in range(result.ntuples)
        )
        return Answer(columns, types, rows, seconds=seconds)


def wait(wires: Sequence[Wire], deadline: float) -> list[Wire]:
    """Those of the wires on which something has come, or more can be sent; none in time: []."""
    poll = select.poll()
    by_descriptor = {wire.descriptor: wire for wire in wires}
    for descriptor, wire in by_descriptor.items():
        poll.register(descriptor, select.POLLIN | (select.POLLOUT if wire.has_unsent else 0))
    left = max(0.0, deadline - time.monotonic())
    return [by_descriptor[descriptor] for descriptor, _ in poll.poll(left * 1000)]


def overdue(wires: Sequence[Wire]) -> Overdue:
    """Cancel what runs on the wires and close them: the server did not keep its own time limit."""
    for wire in wires:
        wire.cancel()
        wire.close()
    return Overdue()


def _words(result: Any) -> str:
    primary = _text(result.error_field(_PRIMARY)) or "the database gave no reason"
    more = [
        f"{label}: {words}"
        for field, label in _DETAILS
        if (words := _text(result.error_field(field)))
    ]
    return "\n".join([primary, *more])


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
