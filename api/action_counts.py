"""What Prometheus sees of actions on verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from quality.logs import get_logger
from quality.tasks.events import EVENTS

log = get_logger(__name__)

_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_OUTCOMES = ("succeeded", "partial", "failed", "broken_off")
_STATES = ("succeeded", "partial", "failed", "superseded", "suppressed")


class ActionCounts:
    """The counters of one API process. All their series begin at 0, so that the first is a rise."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queued = Counter(
            "stringx_actions_queued",
            "Actions that a change of a verdict asked for",
            ("event",),
            registry=registry,
        )
        self.attempts = Counter(
            "stringx_action_attempts",
            "Attempts to run an action; broken_off ones by the end of the service",
            ("outcome",),
            registry=registry,
        )
        self.ended = Counter(
            "stringx_actions_ended",
            "Actions that are done with: failed ones are given up, superseded and suppressed ones "
            "were not run",
            ("state",),
            registry=registry,
        )
        self.seconds = Histogram(
            "stringx_action_duration_seconds",
            "Time that an attempt took",
            buckets=_SECONDS,
            registry=registry,
        )
        for counter, labels in (
            (self.queued, EVENTS),
            (self.attempts, _OUTCOMES),
            (self.ended, _STATES),
        ):
            for label in labels:
                counter.labels(label)


class ActionCollector(Collector):
    """The actions that are open, read from the database at each scrape, so that replicas agree."""

    def __init__(self, waiting: Callable[[], dict[str, Any]]) -> None:
        self._waiting = waiting

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not need the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            found = self._waiting()
        except Exception as error:  # stringx_store_up tells that the database is away
            log.warning("scrape_without_store", error=type(error).__name__)
            return
        count = GaugeMetricFamily(
            "stringx_actions_open", "Actions that wait, or are being run", labels=["state"]
        )
        for state in ("waiting", "running"):
            count.add_metric([state], found[state])
        yield count
        oldest = GaugeMetricFamily(
            "stringx_action_oldest_seconds", "How long the oldest open action has been there"
        )
        oldest.add_metric([], found["oldest_s"])
        yield oldest
