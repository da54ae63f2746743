"""The connection pool and the migrations."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from quality.errors import ConfigurationError
from quality.settings import ApiSettings

_MIGRATION_LOCK = 0x5354_5249_4E47  # any number that every StringX process agrees on


IDLE_S = 2.0
"""A connection that was not used for longer is tried before it is used."""


class Database:
    """StringX's own database: one pool of connections, used in two manners."""

    def __init__(self, pool: Engine) -> None:
        """`pool` commits each statement by itself."""
        self.pool = pool
        self._transactions = pool.execution_options(isolation_level="READ COMMITTED")

    def connect(self) -> Connection:
        """A connection, to be closed, on which each statement is a transaction of its own.

        That costs one round trip where a transaction of one statement costs three. And reading in
        transactions would end them in ROLLBACK, at which psycopg forgets all statements that it had
        prepared on the connection: those that store outcomes take the server longer to plan than
        to execute.
        """
        return self.pool.connect()

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction, committed at the end, or rolled back when something was raised."""
        return self._transactions.begin()

    def session(self) -> Connection:
        """A connection, to be closed, whose transactions the caller commits."""
        return self._transactions.connect()

    @property
    def dsn(self) -> str:
        """As libpq takes it, the password in it."""
        url = self.pool.url.set(drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def dispose(self) -> None:
        """Close the connections that nobody has taken out."""
        self.pool.dispose()


def open_database(settings: ApiSettings) -> Database:
    """The pool tries connections which lay idle and gives up waiting for one early.

    Raises ConfigurationError where STRINGX_DATABASE_URL is no PostgreSQL URL.
    """
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        raise ConfigurationError(
            "STRINGX_DATABASE_URL is no URL (postgresql://user:password@host:5432/database)"
        ) from None
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError("STRINGX_DATABASE_URL must be a postgresql:// URL")
    pool = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=settings.database_pool,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_s,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,  # there is nothing to roll back when one is put back
        connect_args={
            "connect_timeout": 5,
            "application_name": "stringx-api",
            "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s",
        },
    )
    _ping_after_idle(pool)
    return Database(pool)


def _ping_after_idle(pool: Engine) -> None:
    """Try a connection before use once it has lain idle for a while.

    One that served a moment ago is taken as it is, which saves a round trip each time: should the
    server have gone in that moment, the request is answered 503 and the whole pool is renewed.
    """

    @event.listens_for(pool, "checkin")
    def put_back(connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(pool, "checkout")
    def taken(connection: Any, record: Any, proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < IDLE_S:
            return
        try:
            pool.dialect.do_ping(connection)
        except pool.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None


def migrate(database: Database) -> None:
    """Bring the schema to the newest version; safe when several processes start at once."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.session() as connection:
        # The lock is the session's, so that it also covers what Alembic commits in between.
        connection.execute(text("set lock_timeout = 0"))
        connection.execute(text("set statement_timeout = 0"))
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
            connection.execute(text("reset lock_timeout"))
            connection.execute(text("reset statement_timeout"))
            connection.commit()
