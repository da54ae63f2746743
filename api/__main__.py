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

from api import audit
from api.access import Access
from api.actions import Actions
from api.app import create_app
from api.bodies import Bodies
from api.checking import Checking
from api.dead_letter_reader import DeadLetterReader
from api.dead_letters import Redrives
from api.drafts import Drafts
from api.expectations import MissingTriggers
from api.gate import AtTheGate
from api.metrics import Metrics, StoreCollector
from api.pipelines.executing import Executing
from api.pipelines.following import Following
from api.pipelines.watching import Watching
from api.relay import Relay
from api.rests import Rests
from api.retention import Retention
from api.schedule import Scheduler
from api.server import Server, replace_process
from api.services import Services
from api.store import access, dead_letters, outbox, results
from api.store.database import Database, migrate, open_database
from api.store.rule_sets import RuleSets
from quality.access import Token
from quality.engine import EngineSettings, open_engine
from quality.errors import ConfigurationError, StringXError
from quality.logs import configure, get_logger
from quality.settings import ApiSettings, KafkaSettings, load
from quality.tasks.settings import ActionSettings

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
        _require_good_tokens(settings)
        database = open_database(settings)
        _migrate_patiently(database)
        if command == "migrate":
            log.info("migrated")
            return 0
        if settings.api_token is None and not settings.is_loopback:
            _print_first_token(database, settings)
        database.dispose()  # the process that answers opens its own connections
        Server(settings, lambda: _open(settings, kafka, database)).run()
    except StringXError as error:
        print(f"stringx: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1
    return 0


def _require_good_tokens(settings: ApiSettings) -> None:
    """Refuse tokens of the settings that are short, or the same for two callers."""
    for name in ("api_token", "worker_token"):
        given = getattr(settings, name)
        if given is not None and len(given.get_secret_value()) < 16:
            raise ConfigurationError(f"STRINGX_{name.upper()} has fewer than 16 characters")
    if settings.worker_token is not None and settings.worker_token == settings.api_token:
        raise ConfigurationError(
            "STRINGX_WORKER_TOKEN is that of STRINGX_API_TOKEN: the worker needs one of its own"
        )


def _migrate_patiently(database: Database) -> None:
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


def _print_first_token(database: Database, settings: ApiSettings) -> None:
    """Make the first token of an API that others than this machine can reach, and print it.

    It serves them only with a token, so that nobody gets in before the operator: that is why it may
    start without STRINGX_API_TOKEN. The token is printed once, in the start that made it; who has
    lost it sets STRINGX_API_TOKEN and makes another.
    """
    token = Token.new()
    with database.begin() as db:
        is_first = access.add_first(
            db,
            token,
            name="first",
            holder="admin",
            scopes=["admin"],
            tables=None,
            expires_in_days=settings.token_days,
            created_by=audit.SERVICE,
        )
        if is_first:
            audit.record(db, "token.created", f"token {token.id}", {"after": {"name": "first"}})
    if is_first:
        print(
            f"stringx: STRINGX_API_TOKEN is not set; the first admin token, shown this once and "
            f"good for {settings.token_days} days: {token.text}",
            file=sys.stderr,
            flush=True,
        )


def _open(
    settings: ApiSettings, kafka: KafkaSettings, database: Database
) -> tuple[Flask, Callable[[], None]]:
    """Wire one process; answers the application and what stops it."""
    engine = open_engine(load(EngineSettings))
    metrics = Metrics()
    slots = BoundedSemaphore(settings.sync_checks)
    drafts = Drafts(database, engine, settings, slots)
    rests = Rests(database, settings, looks=not kafka.bootstrap_servers)
    checking = Checking(
        database,
        engine,
        metrics,
        settings,
        kafka,
        RuleSets(settings.rule_sets_kept),
        slots,
        rests,
    )
    rests.start(checking)

    def verdicts() -> list[dict[str, Any]]:
        with database.connect() as db:
            return results.latest_verdicts(db, settings.metrics_tables)

    def pending() -> int:
        with database.connect() as db:
            return outbox.pending(db)

    def letters() -> dict[str, int]:
        with database.connect() as db:
            return dead_letters.counts(db)

    metrics.registry.register(StoreCollector(verdicts, pending, letters))
    known = Access(database, settings, metrics)
    gate = AtTheGate(database, settings.gate_waits)
    relay = Relay(database, settings, kafka, checking.requeue_overdue)
    reader = DeadLetterReader(database, settings, kafka)
    if kafka.bootstrap_servers:
        relay.start()
        reader.start()
    known.start()
    scheduler = Scheduler(database)
    retention = Retention(database, settings, lambda: scheduler.is_stopping)
    scheduler.add("retention", settings.retention_interval_s, retention.forget)
    watching = Watching(database, metrics, checking.gate, settings.timeliness_lookback_minutes)
    scheduler.add("pipelines", settings.pipelines_interval_s, watching.look)
    triggers = MissingTriggers(database, metrics, checking.gate)
    scheduler.add("expectations", settings.expectations_interval_s, triggers.look)
    actions = Actions(database, metrics, load(ActionSettings), settings)
    scheduler.add("task_runs", settings.retention_interval_s, actions.forget)
    scheduler.start()
    actions.start()
    # Apart from the other jobs, because without Kafka it runs checks itself.
    followers = Scheduler(database)
    following = Following(checking, lambda: followers.is_stopping)
    followers.add("follow_up", settings.follow_up_interval_s, following.follow)
    followers.start()

    def close() -> None:
        gate.stop()
        actions.stop()
        scheduler.stop()
        followers.stop()
        rests.stop()
        known.stop()
        if kafka.bootstrap_servers:
            relay.stop()
            reader.stop()
        engine.close()
        database.dispose()

    redrives = Redrives(database, settings, kafka)
    services = Services(
        settings,
        database,
        engine,
        metrics,
        checking,
        drafts,
        Executing(database, settings),
        known,
        gate,
        redrives,
        watching,
        retention,
        Bodies(settings.api_read_timeout_s, max(1, settings.api_threads // 2), replace_process),
        actions,
    )
    return create_app(services), close


if __name__ == "__main__":
    sys.exit(main())
