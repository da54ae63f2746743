"""What Prometheus sees of the API. Labels come from closed sets; tables are capped by a setting."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from quality import __version__
from quality.checks import CheckOutcome
from quality.logs import get_logger

log = get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_STATUSES = ("pass", "warn", "fail", "error", "no_rules")


# A second series for each counter, which OpenMetrics allows and nobody reads.
disable_created_metrics()


class Metrics:
    """The counters of one API process and its registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "stringx_http_requests",
            "HTTP requests by route template",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "stringx_http_request_duration_seconds",
            "Time to answer an HTTP request",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.checks = Counter(
            "stringx_checks",
            "Checks whose verdict was stored",
            ("status", "source"),
            registry=self.registry,
        )
        self.partial_verdicts = Counter(
            "stringx_partial_verdicts",
            "Verdicts that were stored at the deadline of a check; it is counted as a check once "
            "the rest is judged",
            ("source",),
            registry=self.registry,
        )
        self.check_seconds = Histogram(
            "stringx_check_duration_seconds",
            "Time that the engine took for a check",
            ("source",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rule_results = Counter(
            "stringx_rule_results",
            "Results of rules that were stored, shadow rules left out",
            ("status", "dimension", "severity"),
            registry=self.registry,
        )
        self.shadow_results = Counter(
            "stringx_shadow_results",
            "Results of shadow rules that were stored",
            ("status", "dimension", "severity"),
            registry=self.registry,
        )

        self.failed_logins = Counter(
            "stringx_failed_logins",
            "Tokens that are none of ours: refused, or limited before they were looked at",
            ("answer",),
            registry=self.registry,
        )
        for answer in ("refused", "limited"):
            self.failed_logins.labels(answer)

    def count_outcome(self, outcome: CheckOutcome, source: str) -> None:
        """Count one stored outcome."""
        self.checks.labels(outcome.status, source).inc()
        self.check_seconds.labels(source).observe(outcome.duration_ms / 1000)
        judged = Counts(
            (result.is_shadow, result.status, result.dimension, result.severity)
            for result in outcome.results
        )
        for (is_shadow, *labels), count in judged.items():
            counter = self.shadow_results if is_shadow else self.rule_results
            counter.labels(*labels).inc(count)


class StoreCollector(Collector):
    """The state that lives in the database, read at each scrape, so that replicas agree."""

    def __init__(
        self,
        verdicts: Callable[[], list[dict[str, Any]]],
        pending: Callable[[], int],
        letters: Callable[[], dict[str, int]],
    ) -> None:
        self._verdicts = verdicts
        self._pending = pending
        self._letters = letters

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not need the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(
            "stringx_build_info", "Version of the service", labels=["version"]
        )
        build.add_metric([__version__], 1)
        yield build
        up = GaugeMetricFamily("stringx_store_up", "Whether StringX's own database answers")
        try:
            found, pending, letters = self._verdicts(), self._pending(), self._letters()
        except Exception as error:  # a scrape must tell that the database is away, not fail
            log.warning("scrape_without_store", error=type(error).__name__)
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _families(found, pending)
        yield _dead_letters(letters)


def _dead_letters(letters: dict[str, int]) -> Metric:
    kept = GaugeMetricFamily(
        "stringx_dead_letters",
        "Dead letters that are kept: open, or redriven (sent again)",
        labels=["state"],
    )
    for state, count in letters.items():
        kept.add_metric([state], count)
    return kept


def _families(found: list[dict[str, Any]], pending: int) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("stringx_outbox_pending", "Messages that wait for Kafka")
    waiting.add_metric([], pending)
    verdict = GaugeMetricFamily(
        "stringx_table_verdict",
        "1 for the status of the table's newest check, 0 for the others",
        labels=["connection", "table", "status"],
    )
    moment = GaugeMetricFamily(
        "stringx_table_verdict_timestamp_seconds",
        "When the table's newest check finished",
        labels=["connection", "table"],
    )
    score = GaugeMetricFamily(
        "stringx_table_score_ratio",
        "Score of the table's newest check by dimension (pass 1, warn 0.5, fail 0)",
        labels=["connection", "table", "dimension"],
    )
    for row in found:
        table = [row["connection"], row["table"]]
        for status in _STATUSES:
            verdict.add_metric([*table, status], float(status == row["last_status"]))
        moment.add_metric(table, row["last_finished_at"].timestamp())
        for dimension, value in row["scores"].items():
            score.add_metric([*table, dimension], value)
    yield from (waiting, verdict, moment, score)
