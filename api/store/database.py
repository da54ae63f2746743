"""The connection pool and the migrations."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from quality.errors import ConfigurationError
from quality.settings import ApiSettings

_MIGRATION_LOCK = 0x5354_5249_4E47  # any number that every StringX process agrees on


def open_database(settings: ApiSettings) -> Engine:
    """A pool that checks its connections before use and gives up waiting for one early.

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
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=settings.database_pool,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_s,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "stringx-api",
            "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s",
        },
    )


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
