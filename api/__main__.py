"""`python -m api [serve|migrate]`: the API process, or only its database's migration."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

from flask import Flask
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.checking import Checking
from api.drafts import Drafts
from api.metrics import Metrics, StoreCollector
from api.relay import Relay
from api.retention import Retention
from api.server import Server
from api.services import Services
from api.store import outbox, results
from api.store.database import migrate, open_database
from api.store.rule_sets import RuleSets
from quality.engine import EngineSettings, open_engine
from quality.errors import ConfigurationError, StringXError
from quality.logs import configure, get_logger
from quality.settings import LOOPBACK, ApiSettings, KafkaSettings, load

log = get_logger(__name__)

EXIT_CONFIGURATION = 78  # sysexits.h, EX_CONFIG
_START_PATIENCE_S = 120


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("serve", "migrate"), default="serve")
    command = parser.parse_args(arguments).command
    try:
        settings, kafka = load(ApiSettings), load(KafkaSettings)
        configure("stringx-api", level=settings.log_level)
        if settings.api_token is None and settings.api_host not in LOOPBACK and command == "serve":
            raise ConfigurationError(
                f"STRINGX_API_TOKEN is not set: without it the API serves this machine alone "
                f"(STRINGX_API_HOST is {settings.api_host}); set a token of 16 characters or more"
            )
        if settings.api_token is not None and len(settings.api_token.get_secret_value()) < 16:
            raise ConfigurationError("STRINGX_API_TOKEN has fewer than 16 characters")
        database, statements = open_database(settings)
        _migrate_patiently(database)
        if command == "migrate":
            log.info("migrated")
            return 0
        Server(settings, lambda: _open(settings, kafka, database, statements)).run()
    except StringXError as error:
        print(f"stringx: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1
    return 0


def _migrate_patiently(database: Any) -> None:
    """Migrate, waiting for a database that is still starting."""
    deadline = time.monotonic() + _START_PATIENCE_S
    pause = 0.5
    while True:
        try:
            migrate(database)
            return
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0] if error.orig else "no connection"
            if time.monotonic() + pause > deadline or "authentication" in reason:
                raise ConfigurationError(
                    f"the database of STRINGX_DATABASE_URL cannot be used: {reason}"
                ) from None
            log.warning("database_not_ready", reason=reason, retry_in_s=pause)
            time.sleep(pause)
            pause = min(pause * 2, 10.0)


def _open(
    settings: ApiSettings, kafka: KafkaSettings, database: Any, statements: Any
) -> tuple[Flask, Callable[[], None]]:
    """Wire one process; answers the application and what stops it."""
    engine = open_engine(load(EngineSettings))
    metrics = Metrics()
    slots = BoundedSemaphore(settings.sync_checks)
    drafts = Drafts(database, engine, settings, slots)
    retention = Retention(database, settings)
    checking = Checking(
        database,
        statements,
        engine,
        metrics,
        settings,
        kafka,
        RuleSets(settings.rule_sets_kept),
        slots,
    )

    def verdicts() -> list[dict[str, Any]]:
        with database.connect() as db:
            return results.latest_verdicts(db, settings.metrics_tables)

    def pending() -> int:
        with database.connect() as db:
            return outbox.pending(db)

    metrics.registry.register(StoreCollector(verdicts, pending))
    relay = Relay(database, settings, kafka, checking.requeue_overdue)
    if kafka.bootstrap_servers:
        relay.start()
    retention.start()

    def close() -> None:
        retention.stop()
        if kafka.bootstrap_servers:
            relay.stop()
        engine.close()
        database.dispose()

    return create_app(Services(settings, database, engine, metrics, checking, drafts)), close


if __name__ == "__main__":
    sys.exit(main())
