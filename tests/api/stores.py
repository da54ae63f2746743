"""A store of one's own, straight at the database, with no HTTP and no engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import text

from api.checking import Checking
from api.metrics import Metrics
from api.store import connections, results, rules, tables
from api.store.checks import Request
from api.store.database import migrate, open_database
from api.store.leases import Claim
from api.store.outcomes import Finished
from api.store.rule_sets import RuleSets
from quality.checks import CheckOutcome, CheckRequest, RuleResult
from quality.rules import Rule
from quality.settings import ApiSettings, KafkaSettings

_execute = psycopg.Cursor.execute


class NoEngine:
    """These tests run nothing."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the engine was asked to {name}")


class Store:
    """A store of its own with two tables, `shop.a` (two rules) and `shop.b` (one)."""

    def __init__(self, url: str) -> None:
        settings = ApiSettings(database_url=url, database_pool=20)
        self.database = open_database(settings)
        migrate(self.database)
        self.rule_sets = RuleSets(10)
        self.checking = Checking(
            self.database,
            NoEngine(),
            Metrics(),
            settings,
            KafkaSettings(),
            self.rule_sets,
            threading.BoundedSemaphore(1),
        )
        self.ids: dict[str, int] = {}
        with self.database.begin() as db:
            connections.put(db, "demo", "demo", "")
            for name, columns in (("shop.a", ("x", "y")), ("shop.b", ("z",))):
                self.ids[name] = tables.put(db, "demo", name, None, "")[0]["id"]
                new = [Rule(type="not_null", column=column) for column in columns]
                rules.replace(db, self.ids[name], new)

    def claim(self, *requests: Request) -> list[Claim]:
        checking = replace(self.checking, rule_sets=self.rule_sets)
        return checking.claim(list(requests), "worker-1", "kafka", 60.0)

    def store(self, *finished: Finished) -> list[str]:
        return [stored.result for stored in self.checking.store(list(finished))]

    def check(self, check_id: str) -> dict[str, Any]:
        with self.database.connect() as db:
            return results.check(db, check_id)

    def execute(self, statement: str, **values: Any) -> None:
        with self.database.begin() as db:
            db.execute(text(statement), values)

    def statements(self, work: Callable[[], object]) -> int:
        """How many statements that took."""
        with patch.object(psycopg.Cursor, "execute", autospec=True) as executed:
            executed.side_effect = _execute
            work()
        return int(executed.call_count)


def asks(check_id: str, table: str = "shop.a", **more: Any) -> Request:
    return Request(check_id, CheckRequest(table=table, **more))


def found(*statuses: str, at: datetime | None = None, seconds: float = 0.0) -> CheckOutcome:
    moment = at or datetime.now(UTC) + timedelta(seconds=seconds)
    judged = [
        RuleResult(
            rule=f"rule_{number}",
            type="not_null",
            dimension="completeness",
            kind="business",
            severity="error",
            status=status,  # type: ignore[arg-type]
        )
        for number, status in enumerate(statuses)
    ]
    return CheckOutcome(
        rule_set_hash="0" * 64,
        started_at=moment,
        finished_at=moment,
        duration_ms=1.0,
        results=tuple(judged),
    )
