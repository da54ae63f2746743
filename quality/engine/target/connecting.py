"""From dbt's credentials to connections: one pool for each target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from quality.engine.settings import EngineSettings
from quality.engine.target.catalogue import PREPARE
from quality.engine.target.pool import Pool
from quality.engine.target.session import Session
from quality.engine.target.wire import ConnectionLost, Overdue, Wire
from quality.errors import EngineError, Unavailable

# PostgreSQL 16 and newer would sort whole rows for `count(distinct …)`, even for a few of them.
_NO_PRESORTING = """
select set_config(name, 'off', false) from pg_catalog.pg_settings
where name = 'enable_presorted_aggregate'
"""

Credentials = dict[str, Any]

_OPTIONAL = ("sslmode", "sslcert", "sslkey", "sslrootcert", "keepalives_idle")


class Targets:
    """The target databases, by the names of dbt's outputs."""

    def __init__(
        self, credentials: Callable[[str, float], Credentials], settings: EngineSettings
    ) -> None:
        """`credentials(target, deadline)` are those of dbt's profile as it is now."""
        self._credentials = credentials
        self._settings = settings
        self._pools: dict[str, tuple[Credentials, Pool]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def pool(self, target: str, deadline: float) -> Pool:
        """The target's pool, a new one where its credentials have changed."""
        if self._closed:
            raise EngineError("the engine is closed")
        credentials = self._credentials(target, deadline)
        with self._lock:
            known = self._pools.get(target)
            if known is not None and known[0] == credentials:
                return known[1]
            pool = Pool(
                lambda deadline: _wire(credentials, self._settings, deadline),
                self._settings.target_connections,
                self._settings.target_idle_s,
            )
            self._pools[target] = (credentials, pool)
        if known is not None:
            known[1].retire()
        return pool

    @contextmanager
    def session(self, target: str, deadline: float) -> Iterator[Session]:
        """A connection of its own for looking around; Unavailable when there is none to be had."""
        connection = connect(self._credentials(target, deadline), self._settings, deadline)
        try:
            yield Session(connection)
        finally:
            connection.close()

    def close(self) -> None:
        """Cancel what runs, close what is open."""
        with self._lock:
            self._closed = True
            pools, self._pools = list(self._pools.values()), {}
        for _, pool in pools:
            pool.close()


def _wire(credentials: Credentials, settings: EngineSettings, deadline: float) -> Wire:
    wire = Wire(connect(credentials, settings, deadline), settings.prepared_statements)
    statements = [f"set work_mem = '{settings.work_mem_mb}MB'"] if settings.work_mem_mb else []
    # Only what we prepare ourselves is concerned: its plan never depends on its arguments.
    statements += ["set plan_cache_mode = force_generic_plan", PREPARE, _NO_PRESORTING]
    try:
        last = wire.send("; ".join(statements), deadline)[-1]
    except (ConnectionLost, Overdue) as error:
        wire.close()
        words = str(error) or "it does not answer"
        raise Unavailable(
            f"the target cannot be reached: {words}", code="target_unreachable"
        ) from None
    if last.failed:
        wire.close()
        raise Unavailable(
            f"the target refuses a setting: {last.message}", code="target_unreachable"
        )
    return wire


def connect(
    credentials: Credentials, settings: EngineSettings, deadline: float
) -> psycopg.Connection[tuple[Any, ...]]:
    """A read-only connection in autocommit mode; Unavailable without any secret in its words."""
    left = max(0.001, min(deadline - time.monotonic(), settings.connect_timeout_s))
    try:
        connection = psycopg.connect(
            host=credentials["host"],
            port=credentials["port"],
            user=credentials["user"],
            password=credentials["password"],
            dbname=credentials["database"],
            application_name="stringx",
            client_encoding="utf-8",  # what the database cannot spell is its error, not a "?"
            connect_timeout=max(1, round(left)),
            # A network that falls silent is noticed where nothing else has a deadline.
            tcp_user_timeout=round(settings.check_time_limit_s * 1000),
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            options=settings.server_options,
            autocommit=True,
            prepare_threshold=None,
            **{name: credentials[name] for name in _OPTIONAL if credentials.get(name)},
        )
        if credentials.get("role"):
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(credentials["role"])))
    except psycopg.Error as error:
        words = " ".join((error.diag.message_primary or str(error)).split())[:1000]
        password = str(credentials["password"] or "")
        words = words.replace(password, "***") if password else words
        raise Unavailable(
            f"the target cannot be reached: {words}", code="target_unreachable"
        ) from None
    return connection
