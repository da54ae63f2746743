"""The connection pool and the migrations."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from quality.errors import ConfigurationError
from quality.settings import ApiSettings

_MIGRATION_LOCK = 0x5354_5249_4E47  # any number that every StringX process agrees on


IDLE_S = 2.0
"""A connection that was not used for longer is tried before it is used."""


def open_database(settings: ApiSettings) -> tuple[Engine, Engine]:
    """One pool in two manners: for transactions, and for statements that are each their own.

    The latter cost one round trip where a transaction of one statement costs three. The pool tries
    connections which lay idle and gives up waiting for one early. Raises ConfigurationError where
    STRINGX_DATABASE_URL is no PostgreSQL URL.
    """
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        raise ConfigurationError(
            "STRINGX_DATABASE_URL is no URL (postgresql://user:password@host:5432/database)"
        ) from None
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError("STRINGX_DATABASE_URL must be a postgresql:// URL")
    statements = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=settings.database_pool,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_s,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "connect_timeout": 5,
            "application_name": "stringx-api",
            "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s",
        },
    )
    _ping_after_idle(statements)
    return statements.execution_options(isolation_level="READ COMMITTED"), statements


def _ping_after_idle(database: Engine) -> None:
    """Try a connection before use once it has lain idle for a while.

    One that served a moment ago is taken as it is, which saves a round trip each time: should the
    server have gone in that moment, the request is answered 503 and the whole pool is renewed.
    """

    @event.listens_for(database, "checkin")
    def put_back(connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(database, "checkout")
    def taken(connection: Any, record: Any, proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < IDLE_S:
            return
        try:
            database.dialect.do_ping(connection)
        except database.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None


def migrate(database: Engine) -> None:
    """Bring the schema to the newest version; safe when several processes start at once."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.connect() as connection:
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
