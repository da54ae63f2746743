"""Who calls: the holder of a token, the operator, or without any token somebody on this machine."""

from __future__ import annotations

import hmac
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import g, has_request_context
from sqlalchemy.exc import SQLAlchemyError

from api.failed_logins import FailedLogins
from api.metrics import Metrics
from api.problems import Forbidden, Unauthenticated
from api.store import access as tokens
from api.store.database import Database
from quality.access import PREFIX, Token, grants, is_for_table
from quality.logs import get_logger
from quality.settings import ApiSettings

log = get_logger(__name__)

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what they may: `tables` are patterns, None for all tables."""

    name: str
    scopes: tuple[str, ...]
    token_id: str | None = None
    tables: tuple[str, ...] | None = None

    def may(self, scope: str) -> bool:
        return grants(self.scopes, scope)

    def is_for(self, connection: str | None, table: str) -> bool:
        return is_for_table(self.tables, connection, table)


OPERATOR = Caller("operator", ("admin",))
WORKER = Caller("worker", ("results", "read"))
ANONYMOUS = Caller("anonymous", ("admin",))


def caller() -> Caller:
    """Who made the request in hand."""
    return g.caller  # type: ignore[no-any-return]


def actor() -> str:
    """The name of who made the request in hand."""
    return caller().name


def author() -> str | None:
    """The holder of the token in hand, where it says more than that there was one."""
    return caller().name if caller().token_id is not None else None


def demand(scope: str) -> None:
    """Refuse a caller without that scope; what the service does by itself needs none."""
    if has_request_context() and not caller().may(scope):
        raise forbidden(scope)


def forbidden(scope: str) -> Forbidden:
    return Forbidden(f'the token does not have the scope "{scope}"')


class Access:
    """Knows the callers by their tokens. `start()` and `stop()` with the process.

    A token is read from the database once in `token_cache_s`, so that a revoked one works that much
    longer at most. When it was used is written down by a thread, once a minute.
    """

    def __init__(self, database: Database, settings: ApiSettings, metrics: Metrics) -> None:
        self._database = database
        self._settings = settings
        self._failures = FailedLogins(settings.failed_logins_per_minute, metrics)
        # Those that are set, and not stored.
        self._set = [
            (given.get_secret_value().encode(), who)
            for given, who in ((settings.api_token, OPERATOR), (settings.worker_token, WORKER))
            if given is not None
        ]
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}
        self._used: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="token-use", daemon=True)

    @property
    def is_open(self) -> bool:
        """Whether callers without a token are let in: on this machine alone, and if none is set."""
        return self._settings.api_token is None and self._settings.is_loopback

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def caller(self, authorization: str, address: str) -> Caller:
        """Who sent this Authorization header; Unauthenticated, in the same words for every cause.

        RateLimited for an address from which too many failed. Where callers need no token, only one
        of ours counts, so that its scopes can be tried there.
        """
        scheme, _, given = authorization.partition(" ")
        given = given.strip()
        if self.is_open and not given.startswith(PREFIX) and self._set_one(given) is None:
            return ANONYMOUS
        if not authorization:  # nothing was tried
            raise _unauthenticated()
        self._failures.admit(address, given)
        try:
            if scheme.lower() != "bearer":
                raise _unauthenticated()
            found = self._set_one(given) or self._stored_one(given)
        except Unauthenticated:
            self._failures.failed(address, given)
            raise
        self._failures.succeeded(address, given)
        return found

    def _set_one(self, given: str) -> Caller | None:
        """Whose token of the settings this is, if it is one."""
        for token, who in self._set:
            if hmac.compare_digest(given.encode(), token):
                return who
        return None

    def _stored_one(self, given: str) -> Caller:
        """The holder of this token; Unauthenticated where nobody holds it, or not any more."""
        token = Token.parse(given)
        stored = None if token is None else self._stored(token.id)
        if token is None or stored is None or not token.has(stored["secret_hash"]):
            raise _unauthenticated()
        now = datetime.now(UTC)
        if stored["revoked_at"] is not None or stored["expires_at"] <= now:
            raise _unauthenticated()
        with self._lock:
            self._used[token.id] = now
        tables = stored["tables"]
        return Caller(
            stored["holder"],
            tuple(stored["scopes"]),
            token.id,
            None if tables is None else tuple(tables),
        )

    def forget(self, token_ids: list[str]) -> None:
        """Read these anew from the database: they were changed."""
        with self._lock:
            for token_id in token_ids:
                self._known.pop(token_id, None)

    def note_use(self) -> None:
        """Write down when tokens were last used since the last time."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            with self._database.begin() as db:
                tokens.note_use(db, used)

    def _stored(self, token_id: str) -> dict[str, Any] | None:
        now = time.monotonic()
        with self._lock:
            until, stored = self._known.get(token_id, (0.0, None))
        if stored is not None and now < until:
            return stored
        with self._database.connect() as db:
            stored = tokens.with_hash(db, token_id)
        with self._lock:
            if stored is not None:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[token_id] = (now + self._settings.token_cache_s, stored)
            else:
                self._known.pop(token_id, None)
        return stored

    def _run(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stopping.wait(self._settings.token_use_interval_s)
            try:
                self.note_use()
            except SQLAlchemyError as error:
                log.warning("token_use_not_written", error=type(error).__name__)


def _unauthenticated() -> Unauthenticated:
    return Unauthenticated("send a token of the API that is valid: Authorization: Bearer …")
