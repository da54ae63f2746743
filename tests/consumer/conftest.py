"""Fixtures of the consumer's own tests: the contract server, and a worker with its parts."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.batch import BatchWorker
from consumer.breaker import Breaker
from consumer.claims import ClaimDesk
from consumer.dead_letters import Reason
from consumer.health import Health
from consumer.inbox import Inbox
from consumer.lanes import Lanes
from consumer.memory import Memory
from consumer.metrics import Metrics
from consumer.offsets import OffsetTracker
from consumer.patience import PatientApi
from consumer.reading import Reader
from consumer.records import Delivery, Record
from consumer.refusals import Refusals
from consumer.runs import Runs
from quality.budgets import Budget
from quality.checks import OUT_OF_TIME, CheckOutcome, RuleResult, completed
from quality.client import ApiClient
from quality.predicates import Predicate
from quality.rules import RuleSet
from quality.settings import ClientSettings
from tests.consumer.contract_api import ContractApi

TOPIC = "requests"
KEPT_RULE_SETS = 2
LATE = RuleResult(
    rule="id_known",
    type="not_null",
    dimension="completeness",
    kind="business",
    severity="error",
    status="skipped",
    message=f"{OUT_OF_TIME}: the time was over",
    sql="select 1",
)
"""A rule that a deadline left."""


class RecordingEngine:
    """Judges nothing and remembers what it was asked; `fails` with what it is told to.

    What it `leaves` at a deadline it says when it is asked to complete the check.
    """

    def __init__(self) -> None:
        self.leaves: tuple[RuleResult, ...] = ()
        self.completed: list[str] = []
        self.on_complete: Any = lambda: None
        self.runs: list[tuple[str, tuple[Predicate, ...], float | None]] = []
        self.budgets: list[Budget] = []
        self.fails: Exception | None = None
        self.on_run: Any = lambda: None

    def run(
        self,
        rule_set: RuleSet,
        scope: tuple[Predicate, ...],
        *,
        deadline_s: float | None,
        budget: Budget,
    ) -> CheckOutcome:
        self.runs.append((str(rule_set.table), tuple(scope), deadline_s))
        self.budgets.append(budget)
        self.on_run()
        if self.fails is not None:
            raise self.fails
        left = self.leaves if deadline_s is not None else ()
        return self._outcome(rule_set, left)

    def complete(
        self,
        rule_set: RuleSet,
        scope: tuple[Predicate, ...],
        first: CheckOutcome,
        *,
        budget: Budget,
    ) -> CheckOutcome:
        self.completed.append(str(rule_set.table))
        self.budgets.append(budget)
        self.on_complete()
        judged = {"status": "pass", "message": None}
        results = tuple(result.model_copy(update=judged) for result in self.leaves)
        return completed(first, self._outcome(rule_set, results))

    def _outcome(self, rule_set: RuleSet, results: tuple[RuleResult, ...]) -> CheckOutcome:
        now = datetime.now(UTC)
        return CheckOutcome(
            rule_set_hash=rule_set.hash,
            started_at=now,
            finished_at=now,
            duration_ms=1.0,
            results=results,
        )

    def close(self) -> None:
        pass


@dataclass
class Bench:
    """A worker on the contract server; `letters` are its dead letters."""

    api: ContractApi
    engine: RecordingEngine
    worker: BatchWorker
    client: ApiClient
    inbox: Inbox
    tracker: OffsetTracker
    breaker: Breaker
    metrics: Metrics
    health: Health
    stop: threading.Event
    abort: threading.Event
    letters: list[tuple[Record, Reason]]
    dead_letter_fault: str | None = None
    offsets: Iterator[int] = field(default_factory=lambda: itertools.count())

    def deliver(self, value: bytes | None, **more: Any) -> Delivery:
        """A message as the polling loop hands it over."""
        offset = next(self.offsets)
        ticket = self.tracker.open(TOPIC, 0, offset)
        fields = {"timestamp_ms": 1_700_000_000_000, "key": None, "value": value, **more}
        return Delivery(Record(TOPIC, 0, offset, **fields), ticket)

    def request(self, request_id: str | None = None, **document: Any) -> Delivery:
        """A message with a request."""
        whole = {"table": "shop.orders", **({"id": request_id} if request_id else {}), **document}
        return self.deliver(json.dumps(whole).encode())

    def put(self, *deliveries: Delivery) -> None:
        """Messages for the next turn."""
        for delivery in deliveries:
            self.inbox.put(delivery)

    def work(self, *deliveries: Delivery) -> None:
        """Take messages as far as they go now."""
        self.put(*deliveries)
        self.drain()

    def drain(self) -> None:
        """Work off what waits, from the next message on that is due."""
        self.worker.turn()
        while not self.worker.is_idle:
            self.worker.turn()

    def work_to_the_end(self, *deliveries: Delivery) -> None:
        """As the process does it: until it is told to stop, and what is left to do then."""
        self.put(*deliveries)
        self.worker.run()

    @property
    def position(self) -> int:
        return self.tracker.committable().get((TOPIC, 0), 0)

    def counted(self, outcome: str) -> float:
        return (
            self.metrics.registry.get_sample_value(
                "stringx_consumer_messages_total", {"outcome": outcome}
            )
            or 0.0
        )


@pytest.fixture
def contract_api() -> Iterator[ContractApi]:
    api = ContractApi()
    yield api
    api.close()


@pytest.fixture
def bench(contract_api: ContractApi) -> Bench:
    settings = ClientSettings(api_url=contract_api.url)
    stop, abort, metrics, health = threading.Event(), threading.Event(), Metrics(), Health()
    lanes, tracker, engine = Lanes(), OffsetTracker(), RecordingEngine()
    breaker = Breaker()
    inbox = Inbox(1000, 10**9, lanes)
    api = PatientApi(
        ApiClient(settings), retry_max_s=0.01, stop=stop, metrics=metrics, health=health
    )
    letters: list[tuple[Record, Reason]] = []

    def write_letters(given: list[tuple[Record, Reason, int]]) -> list[str | None]:
        fault = bench.dead_letter_fault
        if fault is None:
            letters.extend((record, reason) for record, reason, _ in given)
        return [fault for _ in given]

    memory = Memory(KEPT_RULE_SETS)
    worker = BatchWorker(
        desk=ClaimDesk(api, "test-1", make_api=lambda: ApiClient(settings), memory=memory),
        memory=memory,
        reader=Reader(lambda: "cluster-1", 256 * 1024),
        runs=Runs(
            engine,
            metrics,
            threads=4,
            stopping=stop.is_set,
            aborted=abort.is_set,
            on_done=inbox.nudge,
            on_free=lanes.free,
        ),
        inbox=inbox,
        lanes=lanes,
        tracker=tracker,
        breaker=breaker,
        refusals=Refusals(breaker, inbox, tracker, metrics, write_letters, 0.01),
        metrics=metrics,
        stopping=stop.is_set,
        aborted=abort.is_set,
        batch_size=500,
        run_ahead_ms=50.0,
        retry_max_s=0.01,
    )
    bench = Bench(
        contract_api,
        engine,
        worker,
        ApiClient(settings),
        inbox,
        tracker,
        breaker,
        metrics,
        health,
        stop,
        abort,
        letters,
    )
    return bench
